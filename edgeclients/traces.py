"""The trace that what is done now belongs to (W3C trace context), for logs and for whoever asks somebody else.

Set only where tracing is on; everybody else finds none.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import NamedTuple


def _nothing(_: str, __: dict[str, str]) -> AbstractContextManager[None]:
    return nullcontext()


class Trace(NamedTuple):
    """A trace, what a call to somebody else carries of it, and what makes that call a part of it.

    `id` is 32 hexadecimal digits; `headers` are names in lower case and values, for HTTP's headers and gRPC's metadata alike;
    `part` is given a name and attributes, and lasts as long as the call.
    """

    id: str
    headers: tuple[tuple[str, str], ...]
    part: Callable[[str, dict[str, str]], AbstractContextManager[None]] = _nothing


_NONE = Trace("", ())
_current: ContextVar[Trace] = ContextVar("trace", default=_NONE)


def current_id() -> str:
    """The id of the trace; empty outside of any."""
    return _current.get().id


def outgoing() -> tuple[tuple[str, str], ...]:
    """What a call made now says of the trace; nothing outside of any."""
    return _current.get().headers


def part(name: str, attributes: dict[str, str]) -> AbstractContextManager[None]:
    """What is done meanwhile is asked of somebody else, as a part of the trace; of nothing outside of any."""
    return _current.get().part(name, attributes)


@contextmanager
def within(trace: Trace) -> Iterator[None]:
    """What is done meanwhile belongs to `trace`."""
    token = _current.set(trace)
    try:
        yield
    finally:
        _current.reset(token)
