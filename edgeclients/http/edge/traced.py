"""Spans of HTTP requests. The wrapper is around the gate if tracing is on."""

import re
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

from edgeclients.http.scope import REQUEST_ID, SESSION, App, Message, Receive, Scope, Send, is_protected, operation_of
from edgeclients.model import Session

if TYPE_CHECKING:
    from opentelemetry.trace import Span

    from edgeclients.ops.tracing import Tracing

# Operations whose name in schema/README.md#spans differs.
_NAMES = {"updateClientSecret": "update_client_credentials", "listClientMembers": "list_entity_members"}
_CAPITAL = re.compile("[A-Z]")


def traced(app: App, tracing: "Tracing") -> App:
    """`app` with a span for each request that needs a token. Routing gives the span its name."""

    async def handle(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not is_protected(scope["path"].split("/")[1:]):
            await app(scope, receive, send)
            return
        status = 0

        async def send_watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        with tracing.serving(scope["method"], _headers(scope)) as span:
            try:
                await app(scope, receive, send_watched)
            except Exception as error:
                tracing.fail(span, type(error).__name__)
                raise
            finally:
                _describe(span, scope, status)
            if status >= 500:
                tracing.fail(span, str(status))

    return handle


@cache
def span_name(operation: str) -> str:
    """The name of an operation in schema/README.md#spans: `create_client`, `list_roles`."""
    return _NAMES.get(operation) or _CAPITAL.sub(lambda found: f"_{found[0].lower()}", operation).replace("client_role", "role")


def _headers(scope: Scope) -> Iterator[tuple[str, str]]:
    return ((name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"] if name.startswith(b"trace"))


def _describe(span: "Span", scope: Scope, status: int) -> None:
    operation, session = operation_of(scope), scope.get(SESSION)
    if operation:
        span.update_name(span_name(operation))
    span.set_attribute("http.request.method", scope["method"])
    span.set_attribute("request_id", scope.get(REQUEST_ID, ""))
    if isinstance(session, Session):
        span.set_attribute("domain_id", session.domain_id)
    if status:
        span.set_attribute("http.response.status_code", status)
