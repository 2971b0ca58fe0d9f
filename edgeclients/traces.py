"""The current trace (W3C trace context), for logs and for calls to other services.

Set only if tracing is on; otherwise there is none.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import NamedTuple


def _nothing(_: str, __: dict[str, str]) -> AbstractContextManager[None]:
    return nullcontext()


class Trace(NamedTuple):
    """A trace, the headers of a call that belongs to it, and a factory of its spans.

    `id` is 32 hexadecimal digits. `headers` are names in lower case and values, for HTTP headers and gRPC metadata alike.
    `part` takes a name and attributes, and returns a context that lasts as long as the call.
    """

    id: str
    headers: tuple[tuple[str, str], ...]
    part: Callable[[str, dict[str, str]], AbstractContextManager[None]] = _nothing


_NONE = Trace("", ())
_current: ContextVar[Trace] = ContextVar("trace", default=_NONE)


def current_id() -> str:
    """The id of the current trace; empty if there is none."""
    return _current.get().id


def outgoing() -> tuple[tuple[str, str], ...]:
    """The headers for a call made now; empty without a trace."""
    return _current.get().headers


def part(name: str, attributes: dict[str, str]) -> AbstractContextManager[None]:
    """A context for a call to another service, as a span of the current trace; does nothing without one."""
    return _current.get().part(name, attributes)


@contextmanager
def within(trace: Trace) -> Iterator[None]:
    """A context in which `trace` is the current trace."""
    token = _current.set(trace)
    try:
        yield
    finally:
        _current.reset(token)
