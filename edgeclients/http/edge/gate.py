"""The checks of every request before routing: request id, limits, token, domain.

One ASGI middleware around the application. It reads the raw path once, before Litestar merges `//`.

See schema/README.md#paths, schema/README.md#order-of-checks.
"""

import asyncio
import logging
import time
from urllib.parse import unquote_to_bytes

from edgeclients.core.ids import new_uuid
from edgeclients.errors import (
    Busy,
    InvalidId,
    MissingDomain,
    MissingId,
    MissingRoleId,
    MissingToken,
    NoRoute,
    NotFound,
    Unavailable,
)
from edgeclients.http.edge import fast_path
from edgeclients.http.edge.bearer import BearerTokens
from edgeclients.http.edge.fast_path import HotReads
from edgeclients.http.edge.local import LocalCallers
from edgeclients.http.scope import (
    CALLER,
    LOCAL,
    OPERATION,
    REQUEST_ID,
    SESSION,
    Message,
    Receive,
    RoutedApp,
    Scope,
    Send,
    is_protected,
    operation_of,
)
from edgeclients.http.wire.failures import failure_messages
from edgeclients.model import Session, is_domain
from edgeclients.ops.metrics import Requests

_log = logging.getLogger(__name__)

_BEARER = b"Bearer "
# Routes without a trailing-slash form.
_LEAVES = {
    "bulk",
    "tags",
    "secret",
    "enable",
    "disable",
    "parent",
    "connect",
    "disconnect",
    "available-actions",
    "delete",
    "delete-all",
    "import",
    "export",
    "retiring-secrets",
}
_UNPROTECTED = {"health", "ready", "metrics", "docs", "openapi.json"}
# Paths with a word in place of a client id. In all other paths these words are ids (schema/README.md#paths) that no client has.
_BULK = ["clients", "bulk"]
_AVAILABLE_ACTIONS = ["clients", "roles", "available-actions"]
_OF_ALL = {"import": "POST", "export": "GET", "retiring-secrets": "GET"}
_WORDS = {"bulk", "roles", *_OF_ALL}
_ROLE_SEGMENT = 3  # of clients, its id, roles, the role's id
_READING_METHODS = {"GET", "HEAD"}
_UNKNOWN = "none"  # operation in metrics of a request that ended before routing
_LONGEST_ACTOR = 36  # as the id of any other user
_CLIENT_CLOSED = 499  # status in log and metrics if the caller disconnects before the response


class Gate:
    """Rejects requests, or passes them to the application with their session.

    Args:
        app: the application.
        tokens: identifies callers.
        hot: answers the most frequent requests without routing.
        requests: metrics of requests.
        max_active: maximum number of requests in progress.
    """

    def __init__(
        self, app: RoutedApp, tokens: "BearerTokens | LocalCallers", hot: HotReads, requests: Requests, max_active: int
    ) -> None:
        self._app = app
        self._tokens = tokens
        self._hot = hot
        self._requests = requests
        self._max_active = max_active

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        request_id = scope[REQUEST_ID] = new_uuid()
        status = 0
        disconnected = False

        async def receive_watched() -> Message:
            nonlocal disconnected
            message = await receive()
            disconnected = message["type"] == "http.disconnect"
            return message

        async def send_watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        self._requests.active += 1
        try:
            await self._admit(scope, receive_watched, send_watched)
        except asyncio.CancelledError:
            # At shutdown the grace period of this request has ended.
            if status or disconnected:
                raise
            for message in failure_messages(Unavailable("stopping", retry_after=1), request_id):
                await send_watched(message)
        except Exception as error:
            if status:
                raise  # the response has begun: only closing the connection is left
            if disconnected:
                status = _CLIENT_CLOSED
            else:
                for message in failure_messages(error, request_id):
                    await send_watched(message)
        finally:
            self._requests.active -= 1
            self._record(scope, status, time.perf_counter() - started)

    async def _admit(self, scope: Scope, receive: Receive, send: Send) -> None:
        segments = _segments(scope)
        if segments == ["health"] and scope["method"] in _READING_METHODS:
            scope[OPERATION] = fast_path.HEALTH
            await self._hot.health(send)
            return
        if self._requests.active > self._max_active:
            raise Busy("too many requests", retry_after=1)
        if is_protected(segments):
            session = scope[SESSION] = await self._session(scope, segments[0])
            # A name without a route replaces the domain. Otherwise the paths of a domain called "health" would not be
            # routed.
            rest = _validated(segments[1:])
            if _is_client_id(rest, scope["method"]):
                raise NotFound(f"no client has the id {rest[1]}")
            if self._hot.is_view(scope, rest):
                scope[OPERATION] = fast_path.VIEW_CLIENT
                await self._hot.view(session, rest[1], send)
                return
            scope[CALLER] = self._session
            scope["path"] = "/-/" + "/".join(rest)
        elif segments[0] not in _UNPROTECTED:
            raise NoRoute
        await self._app(scope, receive, send)

    async def _session(self, scope: Scope, domain_id: str) -> Session:
        token = _bearer(scope)
        identity = await self._tokens.identify(token, scope.get("client"))
        if not domain_id:
            raise MissingDomain
        if not is_domain(domain_id):
            raise InvalidId("domain")
        local = bool(scope.get(LOCAL))
        client = scope.get("client")
        origin = token[:_LONGEST_ACTOR] if local else client[0] if client else ""
        return Session(identity.user_id, domain_id, identity.super_admin, scope[REQUEST_ID], identity.pat_id, local, origin)

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        operation = operation_of(scope)
        self._requests.count(operation or _UNKNOWN, str(status), seconds)
        level = _level(scope["method"], status)
        if _log.isEnabledFor(level):
            session: Session | None = scope.get(SESSION)
            _log.log(
                level,
                "%s %s",
                operation or self._log_name(scope),
                "completed successfully" if status < 400 else "failed",
                extra={
                    "status": status,
                    "duration": f"{seconds:.6f}s",
                    "request_id": scope[REQUEST_ID],
                    "domain_id": session.domain_id if session else "",
                    "user_id": session.user_id if session else "",
                },
            )

    def _log_name(self, scope: Scope) -> str:
        """The operation for the log; nothing that a caller sends gets into it."""
        method = scope["method"]
        return self._app.operation_at(method, _segments(scope)) or ("options" if method == "OPTIONS" else "unknown operation")


def _is_client_id(rest: list[str], method: str) -> bool:
    """Whether a path has a word of a route in place of a client id."""
    if len(rest) < 2 or rest[1] not in _WORDS or rest[0] != "clients":
        return False
    if len(rest) == 2 and rest[1] in _OF_ALL:
        return method != _OF_ALL[rest[1]]
    return rest != _AVAILABLE_ACTIONS and (rest != _BULK or method != "POST")


def _level(method: str, status: int) -> int:
    if status >= 500 or status == 0:
        return logging.ERROR
    if status >= 400:
        return logging.WARNING
    return logging.DEBUG if method in _READING_METHODS else logging.INFO


def _bearer(scope: Scope) -> str:
    """The token (schema/README.md#order-of-checks): exactly `Bearer`, one space, something.

    Raises:
        MissingToken: there is no such header.
    """
    for name, value in scope["headers"]:
        if name == b"authorization":
            if value.startswith(_BEARER) and len(value) > len(_BEARER):
                return str(value[len(_BEARER) :], "utf-8", "surrogateescape")
            break
    raise MissingToken


def _segments(scope: Scope) -> list[str]:
    """The decoded segments of the path: an escaped slash stays inside its segment."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    if b"%" not in raw:
        return raw.decode("latin-1").split("/")[1:] or [""]
    return [unquote_to_bytes(part).decode("utf-8", "replace") for part in raw.split(b"/")[1:]] or [""]


def _validated(segments: list[str]) -> list[str]:
    """The segments after the domain, without the empty last one of an allowed trailing slash.

    Raises:
        MissingId, MissingRoleId: an id is empty.
        NoRoute: a trailing slash after a verb.
        NotFound: a segment contains a slash, which no id does.
    """
    if "/" in "".join(segments):
        raise NotFound("escaped slash")
    if segments[-1] == "" and len(segments) > 1:
        if segments[-2] in _LEAVES:
            raise NoRoute
        segments = segments[:-1]
    if "" in segments:
        raise MissingRoleId if segments.index("") == _ROLE_SEGMENT and segments[_ROLE_SEGMENT - 1] == "roles" else MissingId
    return segments
