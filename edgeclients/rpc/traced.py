"""Spans of calls, if tracing is on. `Authenticate` has a span only on a cache miss."""

from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Final, TypeAlias

from edgeclients.errors import DomainError, Internal, row_of
from edgeclients.lane.calls import Call, CallFailed, Status, Unary

if TYPE_CHECKING:
    from opentelemetry.trace import Span

    from edgeclients.ops.tracing import Tracing

Prove: TypeAlias = Callable[[bytes, Call], Awaitable[str]]

# Codes that OpenTelemetry defines as server errors.
_FAULTS: Final = {
    *(Status.UNKNOWN, Status.DEADLINE_EXCEEDED, Status.UNIMPLEMENTED, Status.INTERNAL, Status.UNAVAILABLE, Status.DATA_LOSS)
}


class TracedCalls:
    """Creates spans of the calls of one service.

    Args:
        service: its full name.
        tracing: creates spans.
    """

    def __init__(self, service: str, tracing: "Tracing") -> None:
        self._service = service
        self._tracing = tracing

    def unary(self, method: str, unary: Unary) -> Unary:
        """`unary` with a span for each call."""
        name = f"{self._service}/{method}"

        async def traced(message: bytes, call: Call) -> bytes:
            status = Status.CANCELLED
            with self._tracing.serving(name, _metadata(call)) as span:
                try:
                    answer = await unary.later(message, call)
                except CallFailed as failure:
                    status = failure.status
                    raise
                else:
                    status = Status.OK
                    return answer
                finally:
                    self._describe(span, status)

        return Unary(traced, None, unary.lost)

    def proving(self, method: str, prove: Callable[[bytes], Awaitable[str]]) -> Prove:
        """`prove` with a span for each token, valid or not."""
        name = f"{self._service}/{method}"

        async def traced(token: bytes, call: Call) -> str:
            status = Status.CANCELLED
            with self._tracing.serving(name, _metadata(call)) as span:
                try:
                    client_id = await prove(token)
                except Exception as error:
                    status = Status[row_of(error if isinstance(error, DomainError) else Internal()).grpc]
                    raise
                else:
                    status = Status.OK
                    return client_id
                finally:
                    self._describe(span, status)

        return traced

    def _describe(self, span: "Span", status: Status) -> None:
        span.set_attribute("rpc.system", "grpc")
        span.set_attribute("rpc.grpc.status_code", int(status))
        if status in _FAULTS:
            self._tracing.fail(span, status.name)


def _metadata(call: Call) -> Iterator[tuple[str, str]]:
    """The headers of a call, as texts."""
    return ((name.decode("latin-1"), value.decode("latin-1")) for name, value in call.fields)
