"""Spans of calls, if tracing is on. `Authenticate` has a span only on a cache miss."""

from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, TypeAlias, cast

import grpc

from edgeclients.errors import DomainError, Internal, row_of

if TYPE_CHECKING:
    from opentelemetry.trace import Span

    from edgeclients.ops.tracing import Tracing

Context: TypeAlias = "grpc.aio.ServicerContext[bytes, bytes]"
Handler: TypeAlias = Callable[[object, Context], Awaitable[bytes]]  # reads its message from the context
Prove: TypeAlias = Callable[[bytes, Context], Awaitable[str]]

# Codes that OpenTelemetry defines as server errors.
_FAULTS = {"UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"}


class TracedCalls:
    """Creates spans of the calls of one service.

    Args:
        service: its full name.
        tracing: creates spans.
    """

    def __init__(self, service: str, tracing: "Tracing") -> None:
        self._service = service
        self._tracing = tracing

    def handler(self, method: str, handle: Handler) -> Handler:
        """`handle` with a span for each call."""
        name = f"{self._service}/{method}"

        async def traced(messages: object, context: Context) -> bytes:
            code = grpc.StatusCode.CANCELLED
            with self._tracing.serving(name, _metadata(context)) as span:
                try:
                    answer = await handle(messages, context)
                    code = grpc.StatusCode.OK
                    return answer
                finally:
                    self._describe(span, context.code() or code)

        return traced

    def proving(self, method: str, prove: Callable[[bytes], Awaitable[str]]) -> Prove:
        """`prove` with a span for each token, valid or not."""
        name = f"{self._service}/{method}"

        async def traced(token: bytes, context: Context) -> str:
            code = grpc.StatusCode.CANCELLED
            with self._tracing.serving(name, _metadata(context)) as span:
                try:
                    client_id = await prove(token)
                except Exception as error:
                    failure = error if isinstance(error, DomainError) else Internal()
                    code = grpc.StatusCode[row_of(failure).grpc]
                    raise
                else:
                    code = grpc.StatusCode.OK
                    return client_id
                finally:
                    self._describe(span, code)

        return traced

    def _describe(self, span: "Span", code: grpc.StatusCode) -> None:
        span.set_attribute("rpc.system", "grpc")
        span.set_attribute("rpc.grpc.status_code", code.value[0])
        if code.name in _FAULTS:
            self._tracing.fail(span, code.name)


def _metadata(context: Context) -> Iterable[tuple[str, str]]:
    return cast("Iterable[tuple[str, str]]", context.invocation_metadata() or ())
