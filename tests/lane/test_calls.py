"""The rules of gRPC over HTTP/2: statuses, messages, deadlines, cancellation, memory, and the end of a server."""

import gzip
import struct
import threading

import pytest

from edgeclients.lane.frames import Code
from edgeclients.lane.limits import Limits
from tests.lane.peers import CHAT, ECHO, HOLD, INITIAL_WINDOW, LARGEST_WINDOW, LATER, WAIT, Peer
from tests.lane.served import MIB, Served, serving
from tests.support.http2 import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    RST_STREAM,
    WINDOW_UPDATE,
    Frame,
    fields,
    message,
)
from tests.support.waiting import wait_until

CANCEL = struct.pack(">I", 8)
GZIP = {b"grpc-encoding": b"gzip"}
LARGEST = 4 * MIB
BOTH = [ECHO, LATER]


# Statuses.


@pytest.mark.parametrize("path", [b"/t/Fail", b"/t/FailAtOnce"])
@pytest.mark.parametrize(
    ("text", "sent"),
    [
        (b"plain text, with ~ and !", "plain text, with ~ and !"),
        ("grüße 100 %\n".encode(), "gr%C3%BC%C3%9Fe 100 %25%0A"),
        (b" at both ends ", "%20at%20both%20ends%20"),
        (b"\xff\x00\x7f", "?%00%7F"),
        (b"", ""),
    ],
    ids=["plain", "percent_encoded", "spaces", "no_text", "empty"],
)
def test_a_failure_is_one_block(peer: Peer, path: bytes, text: bytes, sent: str) -> None:
    answer = peer.answer(peer.begin(path, text))
    assert (answer.status, answer.text, answer.headers["x-more"]) == (7, sent, "1")
    assert (answer.headers[":status"], answer.headers["content-type"]) == ("200", "application/grpc")
    assert (answer.content, answer.trailers, answer.reset) == (b"", {}, None)


def test_a_failure_with_a_long_text_is_in_parts(peer: Peer) -> None:
    """Of no frame more than the largest that every peer takes."""
    stream = peer.begin(b"/t/Fail", b"x" * 50_000)
    first = peer.until(HEADERS, stream)
    assert (len(first.content), first.flags) == (16384, END_STREAM)
    rest = [peer.until(CONTINUATION, stream) for _ in range(3)]
    assert [one.flags for one in rest] == [0, 0, END_HEADERS]
    assert b"x" * 50_000 in b"".join(one.content for one in [first, *rest])
    peer.is_served()


@pytest.mark.parametrize("path", [b"/t/Nope", b"/", b"x", b"/t/Echo/", b"/t/echo", b"/\xff\xfe", b"/t/\xc3", b"/t/Echo?x"])
def test_methods_that_there_are_not(peer: Peer, path: bytes) -> None:
    answer = peer.answer(peer.begin(path))
    assert (answer.status, answer.headers[":status"], answer.reset) == (12, "200", None)


@pytest.mark.parametrize("path", [b"/t/Broken", b"/t/BrokenAtOnce"])
def test_a_handler_that_fails_unexpectedly(served: Served, path: bytes) -> None:
    """The caller is told, the log has it, and the other calls of the connection go on."""
    with Peer(served.address) as peer:
        waiting = peer.begin(HOLD, b"kept")
        answer = peer.answer(peer.begin(path))
        assert (answer.status, answer.text) == (13, "internal error")
        (line,) = served.log.lines
        assert "unexpectedly" in line
        served.log.lines.clear()
        served.open()
        assert peer.answer(waiting).messages == [b"kept"]


def test_a_handler_whose_work_is_cancelled_by_another(peer: Peer) -> None:
    assert peer.answer(peer.begin(b"/t/CancelledInside")).status == 1
    peer.is_served()


# Messages.


@pytest.mark.parametrize("path", BOTH)
@pytest.mark.parametrize(
    ("others", "sent", "status"),
    [
        ({}, b"", 3),
        ({}, b"\0", 3),
        ({}, b"\0\0\0\0", 3),
        ({}, message(b"abc")[:-1], 3),
        ({}, message(b"abc") + b"\0", 13),
        ({}, message(b"abc") * 2, 13),
        ({}, message(b"abc", 2), 13),
        ({}, message(b"abc", 255), 13),
        ({}, message(gzip.compress(b"abc", mtime=0), 1), 13),
        ({b"grpc-encoding": b"identity"}, message(gzip.compress(b"abc", mtime=0), 1), 13),
        ({b"grpc-encoding": b"deflate"}, message(b"abc", 1), 12),
        (GZIP, message(b"abc", 1), 13),
        (GZIP, message(b"", 1), 13),
        (GZIP, message(gzip.compress(b"abc", mtime=0)[:-1], 1), 13),
        (GZIP, message(gzip.compress(b"abc", mtime=0) + b"x", 1), 13),
        (GZIP, message(gzip.compress(b"x" * (LARGEST + 1), mtime=0), 1), 8),
        (GZIP, message(gzip.compress(b"x" * 20 * LARGEST, mtime=0), 1), 8),
        ({}, b"\0\xff\xff\xff\xff", 8),
        ({}, b"\0" + struct.pack(">I", LARGEST + 1), 8),
    ],
    ids=lambda one: one[:12].hex() if isinstance(one, bytes) else None,
)
@pytest.mark.parametrize("chat", [False, True])
def test_messages_that_are_none(
    served: Served, path: bytes, others: dict[bytes, bytes | None], sent: bytes, status: int, chat: bool
) -> None:
    """A streaming call takes what comes before."""
    with Peer(served.address) as peer:
        answer = peer.answer(
            peer.call(fields(CHAT if chat else path, others), sent, end=True) if sent else _without(peer, path)
        )
        if chat and sent[:8] == message(b"abc") and status == 13:
            assert answer.status == (0 if sent == message(b"abc") * 2 else 3)
        else:
            assert answer.status == status
        if status == 12:
            assert "gzip" in str(answer)
        peer.is_served()


def _without(peer: Peer, path: bytes) -> int:
    return peer.begin(path, None)


@pytest.mark.parametrize("path", [*BOTH, CHAT])
@pytest.mark.parametrize("size", [0, 1, 65_530, 65_531, 200_000, LARGEST // 2])
@pytest.mark.parametrize("packed", [False, True])
def test_messages_of_any_size(path: bytes, size: int, packed: bool) -> None:
    content = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    with serving(memory=64 * MIB) as served, Peer(served.address, [(INITIAL_WINDOW, LARGEST_WINDOW)]) as peer:
        peer.send(Frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", LARGEST_WINDOW - 65535)))
        sent = message(gzip.compress(content, mtime=0), 1) if packed else message(content)
        answer = peer.answer(peer.call(fields(path, GZIP if packed else {}), sent))
        assert (answer.status, answer.messages) == (0, [content])
        wait_until(lambda: served.drawn == 0, "memory that is given back")


def test_many_messages_of_a_stream(peer: Peer) -> None:
    contents = [b"%d" % number * (number % 50) for number in range(500)]
    stream = peer.call(fields(CHAT), b"".join(map(message, contents)))
    assert peer.answer(stream).messages == contents


# Deadlines.


@pytest.mark.parametrize("path", [WAIT, b"/t/Idle", CHAT])
@pytest.mark.parametrize("timeout", [b"20m", b"0S", b"1n", b"00000001u", b"9999u"])
def test_deadlines(served: Served, path: bytes, timeout: bytes) -> None:
    with Peer(served.address) as peer:
        sent = None if path == CHAT else message(b"")
        stream = peer.call(fields(path, {b"grpc-timeout": timeout}), sent, end=path != CHAT)
        assert peer.answer(stream).status == 4
    wait_until(lambda: served.begun == served.cancelled, "the end of the handler")


@pytest.mark.parametrize("timeout", [b"99999999H", b"10M", b"100S", b"99999999m", b"99999999u"])
def test_deadlines_that_are_far(peer: Peer, timeout: bytes) -> None:
    for path in (*BOTH, CHAT):
        assert peer.answer(peer.call(fields(path, {b"grpc-timeout": timeout}), message(b"a"))).messages == [b"a"]


@pytest.mark.parametrize("timeout", [b"", b"1", b"S", b"-1S", b"1.5S", b"123456789S", b"1s", b"1 S", b"\xff"])
def test_deadlines_that_are_none(peer: Peer, timeout: bytes) -> None:
    answer = peer.answer(peer.call(fields(ECHO, {b"grpc-timeout": timeout}), message(b"")))
    assert (answer.status, answer.text) == (13, "malformed grpc-timeout")


def test_a_deadline_ends_an_answer_that_is_not_taken(served: Served) -> None:
    with Peer(served.address, [(INITIAL_WINDOW, 10)]) as peer:
        answer = peer.answer(peer.call(fields(b"/t/Large", {b"grpc-timeout": b"50m"}), message(b"1000000")))
        assert (answer.status, len(answer.content)) == (4, 10)
        assert served.drawn == 0


# Cancellation.


@pytest.mark.parametrize("path", [WAIT, CHAT, b"/t/Idle", b"/t/Stubborn"])
@pytest.mark.parametrize("by", ["reset", "fault", "end"])
def test_cancellation_reaches_the_handler(served: Served, path: bytes, by: str) -> None:
    with Peer(served.address) as peer:
        stream = peer.begin(path)
        wait_until(lambda: served.begun == 1, "the handler")
        if path == CHAT:
            return
        if by == "end":
            peer.socket.close()
        else:
            kind, content = (RST_STREAM, CANCEL) if by == "reset" else (WINDOW_UPDATE, bytes(4))
            peer.send(Frame(kind, 0, stream, content))
            peer.is_served()
        wait_until(lambda: served.cancelled == 1, "its cancellation")


@pytest.mark.parametrize("path", [WAIT, CHAT, b"/t/Idle", b"/t/Early", LATER])
def test_a_reset_in_the_same_packet(served: Served, path: bytes) -> None:
    with Peer(served.address) as peer:
        call = [Frame(HEADERS, END_HEADERS, 1, fields(path)), Frame(DATA, END_STREAM, 1, message(b""))]
        peer.send(*call, Frame(RST_STREAM, 0, 1, CANCEL))
        peer.next_stream()
        peer.is_served()
        assert served.streams == 0


def test_whoever_waits_in_vain_is_told_of(served: Served) -> None:
    """Of calls whose message has not come there is no handler: the method hears of them nevertheless."""
    with Peer(served.address) as peer:
        stream = peer.open(ECHO)
        peer.send(Frame(RST_STREAM, 0, stream, CANCEL))
        peer.answer(peer.begin(ECHO, None))
        peer.is_served()
    assert served.lost == [1, 3]


# Windows, byte by byte.


@pytest.mark.parametrize("path", [*BOTH, CHAT])
@pytest.mark.parametrize("window", [1, 2, 5, 7, 12])
def test_answers_keep_to_windows(served: Served, path: bytes, window: int) -> None:
    with Peer(served.address, [(INITIAL_WINDOW, window)]) as peer:
        stream = peer.begin(path, b"0123456789")
        found = b""
        while len(found) < 15:
            frame = peer.frame()
            assert (frame.kind in (HEADERS, DATA) and len(frame.content) <= window) or frame.kind != DATA
            if frame.kind == DATA:
                found += frame.content
                peer.send(Frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", len(frame.content))))
        assert found == message(b"0123456789")
        assert peer.answer(stream).status == 0


@pytest.mark.parametrize("path", BOTH)
def test_a_negative_window(served: Served, path: bytes) -> None:
    """6.9.2: what was sent counts when the window is made smaller."""
    with Peer(served.address, [(INITIAL_WINDOW, 10)]) as peer:
        stream = peer.begin(path, b"x" * 20)
        assert len(peer.until(DATA, stream).content) == 10
        peer.set((INITIAL_WINDOW, 3))
        peer.send(Frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", 7)))
        peer.ping()
        peer.send(Frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", 2)))
        assert len(peer.until(DATA, stream).content) == 2
        peer.set((INITIAL_WINDOW, 4))
        peer.set((INITIAL_WINDOW, 100))
        assert len(peer.answer(stream).content) in (12, 13)


# Memory.


def test_memory_that_is_used_up_is_free_again(served: Served) -> None:
    """Messages that have not ended, and those that handlers have, also when they were compressed."""
    with serving(memory=4 * MIB) as scarce, Peer(scarce.address) as peer:
        packed = message(gzip.compress(b"x" * 400_000, mtime=0), 1)
        streams = [peer.call(fields(HOLD, GZIP), packed) for _ in range(6)]
        assert {answer.status for answer in peer.answers(streams[2:]).values()} == {8}
        assert 700_000 < scarce.drawn <= MIB
        for stream in streams[:2]:
            peer.send(Frame(RST_STREAM, 0, stream, CANCEL))
        peer.ping()
        assert scarce.drawn == 0


def test_long_messages_wait_for_memory() -> None:
    """The second gets room when the first is given up."""
    content = b"x" * 900_000
    with serving(memory=4 * MIB) as scarce, Peer(scarce.address, [(INITIAL_WINDOW, LARGEST_WINDOW)]) as peer:
        peer.send(Frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", MIB)))
        first, second = peer.open(), peer.open()
        peer.data(first, message(content)[:16_000])
        peer.until(WINDOW_UPDATE, first)
        peer.data(second, message(content)[:16_000])
        peer.ping()
        peer.send(Frame(RST_STREAM, 0, first, CANCEL))
        peer.until(WINDOW_UPDATE, second)
        peer.send_all(second, message(content)[16_000:])
        assert peer.answer(second).messages == [content]
        wait_until(lambda: scarce.drawn == 0, "memory that is given back")


def test_long_messages_do_not_wait_for_memory_for_ever() -> None:
    with serving(Limits(message_seconds=1), memory=4 * MIB) as scarce, Peer(scarce.address) as peer:
        peer.begin(HOLD, b"x" * 900_000)
        late = peer.open()
        peer.data(late, message(b"x" * 900_000)[:16_000])
        assert peer.answer(late).status == 8


# The end of a server.


def test_a_server_that_stops() -> None:
    """It says so, finishes what has begun, also when that fails, and refuses what is new."""
    with serving(grace=60) as served:
        with Peer(served.address) as peer, Peer(served.address) as idle:
            kept, failing = peer.begin(HOLD, b"kept"), peer.open(b"/t/Fail")
            peer.ping()
            stopping = threading.Thread(target=lambda: served.run(lambda: served.lane.stop(60)))
            stopping.start()
            assert idle.farewell() == (0, Code.NO_ERROR)
            assert peer.until_goaway() == (failing, Code.NO_ERROR)
            assert peer.reset_of(peer.begin(ECHO)) is Code.REFUSED_STREAM
            served.open()
            assert peer.answer(kept).messages == [b"kept"]
            peer.data(failing, message(b"told so"), end=True)
            answer = peer.answer(failing)
            assert (answer.status, answer.text) == (7, "told so")
            with pytest.raises(OSError, match="closed"):
                peer.frame()
        stopping.join()


def test_a_server_that_stops_never_says_a_higher_stream() -> None:
    with serving() as served, Peer(served.address) as peer:
        peer.begin(WAIT)
        peer.ping()
        (one,) = served.lane._shared.connections
        served.do(one.go_away)
        assert peer.until_goaway() == (1, Code.NO_ERROR)
        assert peer.reset_of(peer.begin(ECHO)) is Code.REFUSED_STREAM
        peer.send(Frame(RST_STREAM, 0, 0, CANCEL))
        assert peer.farewell() == (1, Code.PROTOCOL_ERROR)


def test_a_server_that_stops_does_not_wait_for_ever() -> None:
    with serving(Limits()) as served, Peer(served.address) as peer:
        peer.begin(WAIT)
        peer.ping()
        served.run(lambda: served.lane.stop(0))
        wait_until(lambda: served.cancelled == 1, "the end of the call")
