"""Conversations that nobody would have: frames, damaged and cut anywhere, with a connection whose transport is a test's.

`python -m tests.lane.fuzzing SECONDS` goes on for so long, with another seed for every round.
"""

import asyncio
import gzip
import itertools
import logging
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any, NamedTuple, cast

from typing_extensions import override

from edgeclients.lane.calls import Call, CallFailed, Method, Status, Streaming, Unary
from edgeclients.lane.connection import Connection
from edgeclients.lane.limits import Limits
from edgeclients.lane.memory import Budget
from edgeclients.lane.shared import Shared
from tests.lane.peers import frames_in
from tests.support.http2 import (
    ACK,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PADDED,
    PING,
    PREFACE,
    PRIORITY,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    Frame,
    field,
    fields,
    message,
    settings,
)

LIMITS = Limits(streams=5, message_bytes=40_000, unsent_bytes=4096, resets=60, tiny_frames=40, priorities=20, window_updates=40)
MEMORY = 100_000
SECONDS = (0.5, 6, 11, 31, 61, 301)


# What is called.


async def _later(content: bytes, _call: Call) -> bytes:
    await asyncio.sleep(0)
    return content * 2


async def _wait(_content: bytes, _call: Call) -> bytes:
    await asyncio.Event().wait()
    return b""


def _at_once(content: bytes, _call: Call) -> bytes | None:
    if content[:1] == b"!":
        raise CallFailed(Status.NOT_FOUND, "\udcff%")
    return None if content[:1] == b"l" else content * 5


async def _chat(call: Call) -> None:
    while (content := await call.receive()) is not None:
        await call.send(content * 2)


async def _early(call: Call) -> None:
    await call.receive()
    await call.send(b"x" * 5000)


METHODS: Mapping[bytes, Method] = {
    b"/echo": Unary(_later, _at_once),
    b"/later": Unary(_later, None, lambda _status, _seconds: None),
    b"/wait": Unary(_wait),
    b"/chat": Streaming(_chat),
    b"/early": Streaming(_early),
}


# What it runs on.


class Loop(asyncio.SelectorEventLoop):
    """An event loop whose clock a test sets forward."""

    ahead = 0.0

    @override
    def time(self) -> float:
        return super().time() + self.ahead


class Transport(asyncio.Transport):
    """Keeps what is written, and takes nothing more when its test says so."""

    def __init__(self, loop: Loop, protocol: Connection) -> None:
        super().__init__()
        self.loop, self.protocol = loop, protocol
        self.written = bytearray()
        self.waiting = self.high = 0
        self.is_taking, self.is_paused, self.reads, self.is_closed = True, False, True, False

    @override
    def write(self, data: Any) -> None:
        assert not self.is_closed
        self.written += data
        if self.is_taking:
            return
        self.waiting += len(data)
        if self.waiting > self.high and not self.is_paused:
            self.is_paused = True
            self.protocol.pause_writing()

    def take(self, *, taking: bool) -> None:
        """Take what waits, or nothing from here on."""
        self.is_taking = taking
        while taking and self.is_paused and not self.is_closed:
            self.waiting, self.is_paused = 0, False
            self.protocol.resume_writing()
        if taking:
            self.waiting = 0

    @override
    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self.high = high or 0

    @override
    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return ("127.0.0.1", 1) if name == "peername" else default

    @override
    def is_closing(self) -> bool:
        return self.is_closed

    @override
    def close(self) -> None:
        if not self.is_closed:
            self.is_closed = True
            self.loop.call_soon(self.protocol.connection_lost, None)

    @override
    def abort(self) -> None:
        self.close()

    @override
    def pause_reading(self) -> None:
        self.reads = False

    @override
    def resume_reading(self) -> None:
        assert not self.is_closed
        self.reads = True


class Conversation(NamedTuple):
    """What a peer does.

    `sent` is cut at `cuts`; behind the part of that number the clock is set forward, or the transport does something else.
    """

    sent: bytes
    cuts: list[int]
    events: dict[int, tuple[str, float]]


class Errors(logging.Handler):
    """Whatever is logged is one."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.found.append(self.format(record))


def converse(conversation: Conversation) -> bytes:
    """Have a conversation; what the server has said. Nothing is left of it, and nothing was logged."""
    loop, errors = Loop(), Errors()
    logging.getLogger("edgeclients.lane").addHandler(errors)
    loop.set_exception_handler(lambda _, context: errors.found.append(repr(context)))
    try:
        said = loop.run_until_complete(_conversing(loop, conversation))
    finally:
        logging.getLogger("edgeclients.lane").removeHandler(errors)
        loop.close()
    assert errors.found == []
    check_output(said)
    return said


async def _conversing(loop: Loop, conversation: Conversation) -> bytes:
    shared = Shared(dict(METHODS), LIMITS, Budget(MEMORY))
    connection = Connection(shared, loop)
    transport = Transport(loop, connection)
    connection.connection_made(transport)
    places = [0, *sorted({cut % (len(conversation.sent) + 1) for cut in conversation.cuts}), len(conversation.sent)]
    unread = b""
    for number, (start, end) in enumerate(itertools.pairwise(places)):
        unread += conversation.sent[start:end]
        kind, value = conversation.events.get(number, ("", 0.0))
        if kind == "wait":
            loop.ahead += value
            connection.check(loop.time())
        elif kind == "leave" and not connection._is_leaving:
            connection.go_away()
        elif kind.startswith("take"):
            transport.take(taking=kind == "take")
        if unread and transport.reads and not transport.is_closed:
            connection.data_received(unread)
            unread = b""
        if value != SECONDS[0]:
            await _steps()
        held = shared.budget.most_each
        assert held >= MEMORY - shared.budget.left >= 0
        assert transport.waiting < LIMITS.unsent_bytes * 2 + 17_000
    transport.take(taking=True)
    await _steps()
    transport.close()
    await _steps()
    assert shared.budget.left == MEMORY
    assert not connection._exchange.streams
    assert not connection._outgoing._waiting
    assert connection._outgoing._share._used == 0
    assert not shared.connections
    assert asyncio.all_tasks() == {asyncio.current_task()}
    live = [one for one in cast("Any", loop)._scheduled if not one.cancelled()]
    assert live == []
    return bytes(transport.written)


async def _steps() -> None:
    for _ in range(6):
        await asyncio.sleep(0)


def check_output(said: bytes) -> None:
    """Whole frames, in an order that HTTP/2 allows: headers, data, trailers, then nothing; nothing behind an error of all."""
    state: dict[int, str] = {}
    is_leaving = is_ended = False
    for frame in frames_in(said):
        assert len(frame.content) <= 16384
        assert not is_ended
        if frame.kind == GOAWAY:
            is_ended = is_leaving or int.from_bytes(frame.content[4:8]) != 0
            is_leaving = True
        if frame.kind in (DATA, HEADERS):
            before = state.get(frame.stream, "idle")
            assert before == "idle" if frame.kind == HEADERS and not frame.flags & END_STREAM else before in ("idle", "open")
            assert frame.kind == HEADERS or before == "open"
            state[frame.stream] = "ended" if frame.flags & END_STREAM else "open"
        elif frame.kind == RST_STREAM:
            state[frame.stream] = "reset"
        elif frame.kind == WINDOW_UPDATE:
            assert int.from_bytes(frame.content) > 0


# What is said to it.

_OTHERS: Sequence[dict[bytes, bytes | None]] = (
    {b"grpc-timeout": b"1u"},
    {b"grpc-timeout": b"5S"},
    {b"grpc-timeout": b"soon"},
    {b"grpc-encoding": b"gzip"},
    {b"content-length": b"5"},
    {b"content-type": b"x"},
    {b":method": b"GET"},
    {b"x": b"y" * 2500},
    {b"x": b"y" * 20_000},
    {b"x": b"y\n"},
)
_MORE = (b"\x40\x01a\x01b\xbe", b"\x10\x01a\x01b", b"\x40\x01a\x01c")
_FIRST: Sequence[list[tuple[int, int]]] = ([], [], [(4, 0)], [(1, 0), (4, 7)], [(4, 2**31 - 1)])
_WORDS = (1, 5, 1000, 65_535, 100_000, 2**31 - 1, 0)


class Speaker:
    """Says what a peer might say, and seldom what none would.

    Args:
        random: decides.
    """

    def __init__(self, random: Random) -> None:
        self._random = random
        self._streams: list[int] = []
        self._oddity = random.choice((0.0, 0.0, 0.01, 0.1))

    def conversation(self) -> Conversation:
        """All that is said, and what happens meanwhile."""
        random = self._random
        said = bytearray(PREFACE + settings(random.choice(_FIRST)).encoded() + Frame(SETTINGS, ACK, 0).encoded())
        for _ in range(random.choice((3, 10, 40, 120))):
            for frame in self._next():
                said += frame.encoded()
        if random.random() < 0.1:
            for _ in range(random.randrange(1, 4)):
                said[random.randrange(len(said))] = random.randrange(256)
        cuts = [random.randrange(len(said)) for _ in range(random.choice((0, 3, 20, 60)))]
        events = {random.randrange(len(cuts) + 1): self._event() for _ in range(random.choice((0, 0, 3, 10)))}
        return Conversation(bytes(said), cuts, events)

    def _event(self) -> tuple[str, float]:
        kind = self._random.choices(("wait", "take", "take nothing", "leave"), (8, 8, 8, 1))[0]
        return kind, self._random.choice(SECONDS if kind == "wait" else (0.0, SECONDS[0]))

    def _next(self) -> list[Frame]:
        random = self._random
        if random.random() < self._oddity:
            return [self._odd()]
        said: list[Callable[[], list[Frame]]] = [self._call, self._window, self._about_connection]
        if self._streams:
            said += [self._data, self._data, self._window_of_stream, self._reset, self._trailers, self._priority]
        return random.choices(said, [8, 1, 1, 3, 3, 2, 1, 0.5, 0.5][: len(said)])[0]()

    def _content(self) -> bytes:
        letter = self._random.choice(b"llx!")
        return bytes((letter,)) * self._random.choice((0, 1, 9, 70, 700, 2900, 20_000, 40_000, 40_001))

    def _message(self) -> bytes:
        random, content = self._random, self._content()
        kind = random.random()
        if kind < 0.7:
            return message(content)
        if kind < 0.8:
            return message(gzip.compress(content, mtime=0), 1)
        if kind < 0.85:
            return message(content, random.choice((1, 2)))
        if kind < 0.95:
            return message(content) * random.choice((2, 40))
        return message(content)[: random.randrange(len(content) + 5)]

    def _block(self) -> bytes:
        random = self._random
        path = random.choice((*METHODS, *METHODS, b"/nope"))
        others = random.choice(_OTHERS) if random.random() < 0.2 else {}
        block = fields(path, others)
        if random.random() < 0.1:
            block += random.choice(_MORE)
        return b"\x20" + block if random.random() < 0.02 else block

    def _call(self) -> list[Frame]:
        random = self._random
        self._streams.append(stream := self._streams[-1] + random.choice((2, 2, 2, 2, 4)) if self._streams else 1)
        block, size = self._block(), 16384 if random.random() < 0.9 else random.choice((3000, 60))
        parts = [block[place : place + size] for place in range(0, len(block), size)]
        found = [
            Frame(CONTINUATION if number else HEADERS, END_HEADERS if number == len(parts) - 1 else 0, stream, part)
            for number, part in enumerate(parts)
        ]
        if random.random() < 0.1:
            return [found[0]._replace(flags=found[0].flags | random.choice((0, END_STREAM))), *found[1:]]
        return found + self._cut(stream, self._message(), random.random() < 0.7)

    def _cut(self, stream: int, content: bytes, is_last: bool) -> list[Frame]:
        """Frames with parts of a content."""
        random = self._random
        size = random.choice((1, 3, 50)) if random.random() < 0.1 else 16384
        parts = [content[place : place + size] for place in range(0, len(content), size)][:50]
        found = [self._padded(Frame(DATA, 0, stream, part)) for part in parts]
        if not is_last:
            return found
        if found and random.random() < 0.8:
            return [*found[:-1], found[-1]._replace(flags=found[-1].flags | END_STREAM)]
        return [*found, Frame(DATA, END_STREAM, stream)]

    def _padded(self, frame: Frame) -> Frame:
        padding = self._random.choice((0, 7, 255))
        if self._random.random() < 0.9 or len(frame.content) + padding > 16383:
            return frame
        return frame._replace(flags=frame.flags | PADDED, content=bytes((padding,)) + frame.content + bytes(padding))

    def _stream(self) -> int:
        """One of the last."""
        return self._streams[-1 - min(int(self._random.expovariate(0.4)), len(self._streams) - 1)]

    def _data(self) -> list[Frame]:
        return self._cut(self._stream(), self._message(), self._random.random() < 0.3)

    def _word(self) -> bytes:
        return self._random.choices(_WORDS, [10, 10, 10, 10, 10, 1, 1])[0].to_bytes(4)

    def _window(self) -> list[Frame]:
        return [Frame(WINDOW_UPDATE, 0, 0, self._random.choice((1, 1000, 70_000)).to_bytes(4))]

    def _window_of_stream(self) -> list[Frame]:
        return [Frame(WINDOW_UPDATE, 0, self._stream(), self._word())]

    def _reset(self) -> list[Frame]:
        return [Frame(RST_STREAM, 0, self._stream(), self._word())]

    def _trailers(self) -> list[Frame]:
        return [Frame(HEADERS, END_HEADERS | END_STREAM, self._streams[-1], field(b"x", b"y"))]

    def _priority(self) -> list[Frame]:
        return [Frame(PRIORITY, 0, self._stream(), self._word() + b"\0")]

    def _about_connection(self) -> list[Frame]:
        random = self._random
        sizes = [(4, random.choice((0, 1, 100, 5000, 70_000))), (1, random.choice((0, 50, 4096)))]
        return [random.choice((settings(sizes), settings(sizes[:1]), Frame(PING, random.choice((0, ACK)), 0, bytes(8))))]

    def _odd(self) -> Frame:
        random = self._random
        content = random.choice((random.randbytes(random.randrange(20)), self._message(), self._block()[:16384], self._word()))
        stream = random.choice((0, 1, 2, *self._streams[-5:], 2**31 - 1))
        return Frame(random.randrange(12), random.choice((0, 1, 4, 5, random.randrange(256))), stream, content)


def had(seed: int) -> Conversation:
    """The conversation of a number."""
    return Speaker(Random(seed)).conversation()


def main(seconds: float) -> int:
    """Go on until the time is over."""
    end, count, seed = time.monotonic() + seconds, 0, time.time_ns()
    while time.monotonic() < end:
        count += 1
        try:
            converse(had(seed + count))
        except BaseException:
            print(f"conversation {seed + count}", flush=True)
            raise
    print(f"{count} conversations")
    return 0


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1])))
