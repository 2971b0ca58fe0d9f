"""The trace that what is done now belongs to (W3C trace context), for logs and for whoever calls somebody else.

Set only where tracing is on; everybody else finds none.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple


class Trace(NamedTuple):
    """A trace, and what a call to somebody else carries of it.

    `id` is 32 hexadecimal digits; `headers` are names in lower case and values, for HTTP's headers and gRPC's metadata alike.
    """

    id: str
    headers: tuple[tuple[str, str], ...]


_NONE = Trace("", ())
_current: ContextVar[Trace] = ContextVar("trace", default=_NONE)


def current_id() -> str:
    """The id of the trace; empty outside of any."""
    return _current.get().id


def outgoing() -> tuple[tuple[str, str], ...]:
    """What a call made now says of the trace; nothing outside of any."""
    return _current.get().headers


@contextmanager
def within(trace: Trace) -> Iterator[None]:
    """What is done meanwhile belongs to `trace`."""
    token = _current.set(trace)
    try:
        yield
    finally:
        _current.reset(token)
