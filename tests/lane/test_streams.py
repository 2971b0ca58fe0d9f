"""RFC 9113, section 5, case by case: in which state of a stream which frames may come."""

import struct
from collections.abc import Callable

import pytest

from edgeclients.lane.frames import Code
from tests.lane.peers import CHAT, ECHO, HOLD, WAIT, Peer
from tests.lane.served import Served
from tests.support.http2 import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    PRIORITY,
    RST_STREAM,
    WINDOW_UPDATE,
    Frame,
    field,
    fields,
    message,
)
from tests.support.waiting import wait_until

CANCEL = struct.pack(">I", 8)
CALL = fields(ECHO)
TRAILERS = field(b"x", b"y")


# Idle.


@pytest.mark.parametrize(
    "sent",
    [
        Frame(DATA, END_STREAM, 1, b"test"),
        Frame(RST_STREAM, 0, 1, CANCEL),
        Frame(WINDOW_UPDATE, 0, 1, struct.pack(">I", 100)),
        Frame(CONTINUATION, END_HEADERS, 1, CALL),
        Frame(DATA, 0, 2, b"test"),
        Frame(WINDOW_UPDATE, 0, 2, struct.pack(">I", 100)),
        Frame(WINDOW_UPDATE, 0, 1, struct.pack(">I", 0)),
    ],
    ids=["data", "reset", "window_update", "continuation", "data_of_ours", "window_update_of_ours", "window_update_of_0"],
)
@pytest.mark.parametrize("before", [0, 1], ids=["at_first", "later"])
def test_5_1_idle(peer: Peer, sent: Frame, before: int) -> None:
    for _ in range(before):
        peer.is_served()
    stream = sent.stream + 2 * before
    peer.send(Frame(sent.kind, sent.flags, stream, sent.content))
    assert peer.goaway() is Code.PROTOCOL_ERROR


# Half closed by the peer.


@pytest.mark.parametrize("path", [HOLD, CHAT, b"/t/Idle"])
@pytest.mark.parametrize(
    "sent", [Frame(DATA, 0, 1, b"test"), Frame(DATA, END_STREAM, 1), Frame(HEADERS, 5, 1, TRAILERS), Frame(HEADERS, 5, 1, CALL)]
)
def test_5_1_half_closed(served: Served, path: bytes, sent: Frame) -> None:
    """In one packet, so that no handler has begun; its task is cancelled nevertheless."""
    with Peer(served.address) as peer:
        first = Frame(HEADERS, END_HEADERS, 1, fields(path))
        peer.send(first, Frame(DATA, END_STREAM, 1, message(b"")), sent)
        assert peer.reset_of(peer.next_stream()) is Code.STREAM_CLOSED
        peer.is_served()


def test_5_1_half_closed_bears_windows_priorities_and_resets(peer: Peer) -> None:
    stream = peer.begin(WAIT)
    peer.send(Frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", 1)), Frame(PRIORITY, 0, stream, bytes(5)))
    peer.send(Frame(RST_STREAM, 0, stream, CANCEL))
    peer.is_served()


def test_5_1_half_closed_continuation(peer: Peer) -> None:
    peer.send(Frame(CONTINUATION, END_HEADERS, peer.begin(HOLD), TRAILERS))
    assert peer.goaway() is Code.PROTOCOL_ERROR


# Closed: by a reset of the peer, by a reset of ours, by both ends.


def closed_by_the_peer(peer: Peer) -> int:
    stream = peer.open(HOLD)
    peer.send(Frame(RST_STREAM, 0, stream, CANCEL))
    return stream


def closed_by_both(peer: Peer) -> int:
    peer.answer(stream := peer.begin(ECHO))
    return stream


def closed_by_both_with_a_call_behind(peer: Peer) -> int:
    stream = closed_by_both(peer)
    peer.open(CHAT)
    return stream


CLOSED = [closed_by_the_peer, closed_by_both, closed_by_both_with_a_call_behind]


@pytest.mark.parametrize("close", CLOSED)
def test_5_1_closed_data(peer: Peer, close: Callable[[Peer], int]) -> None:
    stream = close(peer)
    peer.send(Frame(DATA, 0, stream, b"test"))
    assert peer.reset_of(stream) is Code.STREAM_CLOSED
    peer.is_served()


@pytest.mark.parametrize("close", CLOSED)
def test_5_1_closed_headers(peer: Peer, close: Callable[[Peer], int]) -> None:
    peer.send(Frame(HEADERS, 5, close(peer), TRAILERS))
    assert peer.goaway() is Code.STREAM_CLOSED


@pytest.mark.parametrize("close", CLOSED)
def test_5_1_closed_continuation(peer: Peer, close: Callable[[Peer], int]) -> None:
    peer.send(Frame(CONTINUATION, END_HEADERS, close(peer), TRAILERS))
    assert peer.goaway() is Code.PROTOCOL_ERROR


@pytest.mark.parametrize("close", CLOSED)
def test_5_1_closed_bears_what_was_under_way(peer: Peer, close: Callable[[Peer], int]) -> None:
    stream = close(peer)
    peer.send(
        Frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", 1)),
        Frame(PRIORITY, 0, stream, bytes(5)),
        Frame(RST_STREAM, 0, stream, CANCEL),
    )
    peer.is_served()


@pytest.mark.parametrize("path", [b"/t/Nope", b"/t/Early"])
def test_5_1_what_was_under_way_when_we_reset_is_borne(peer: Peer, path: bytes) -> None:
    """The answer is complete before the request is: the rest of it is not wanted, and its trailers are decoded."""
    stream = peer.open(path)
    answer = peer.answer(stream)
    assert answer.status == (12 if path == b"/t/Nope" else 0)
    assert peer.reset_of(stream) is Code.NO_ERROR
    peer.send(
        Frame(DATA, 0, stream, message(b"x" * 1000)),
        Frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", 1)),
        Frame(HEADERS, 5, stream, b"\x40\x01z\x01z"),
    )
    again = peer.next_stream()
    peer.send(Frame(HEADERS, END_HEADERS, again, CALL + b"\xbe"), Frame(DATA, END_STREAM, again, message(b"")))
    assert peer.answer(again).status == 0


def test_5_1_what_is_behind_a_reset_still_fills_the_window_of_the_connection(peer: Peer) -> None:
    """And is given back: more than all of it can be sent to calls that are not wanted."""
    sent = 0
    while sent < 3 * 1024 * 1024:
        stream = peer.open(b"/t/Nope")
        while room := min(peer.room(stream), 65535):
            peer.data(stream, b"x" * room)
            sent += room
        peer.ping()
    peer.is_served()


# Numbers.


def test_5_1_1_even_number(peer: Peer) -> None:
    peer.send(Frame(HEADERS, 5, 2, CALL))
    assert peer.goaway() is Code.PROTOCOL_ERROR


@pytest.mark.parametrize(("first", "second"), [(5, 3), (5, 1), (2**31 - 1, 2**31 - 3)])
def test_5_1_1_number_that_was_left_out(peer: Peer, first: int, second: int) -> None:
    peer.send(Frame(HEADERS, 5, first, CALL), Frame(HEADERS, 5, second, CALL))
    assert peer.goaway() is Code.PROTOCOL_ERROR


def test_5_1_1_number_that_was_left_out_is_closed(peer: Peer) -> None:
    peer.send(Frame(HEADERS, END_HEADERS, 5, fields(WAIT)), Frame(RST_STREAM, 0, 3, CANCEL), Frame(DATA, 0, 1, b"x"))
    assert peer.reset_of(1) is Code.STREAM_CLOSED


def test_5_1_1_numbers_may_be_left_out(peer: Peer) -> None:
    for stream in (7, 9, 1001, 2**31 - 1):
        peer.send(Frame(HEADERS, END_HEADERS, stream, CALL), Frame(DATA, END_STREAM, stream, message(b"%d" % stream)))
        assert peer.answer(stream).messages == [b"%d" % stream]


def test_5_1_2_more_streams_than_there_may_be(served: Served) -> None:
    """The one too many is refused; there is room again when another has ended."""
    with Peer(served.address) as peer:
        streams = [peer.begin(WAIT) for _ in range(served.limits.streams)]
        refused = peer.begin(ECHO)
        assert peer.reset_of(refused) is Code.REFUSED_STREAM
        peer.send(Frame(RST_STREAM, 0, streams[0], CANCEL))
        peer.is_served()
        wait_until(lambda: served.cancelled == 1, "the end of a call")
    wait_until(lambda: served.cancelled == served.begun == len(streams), "the end of calls")


def test_5_1_2_a_block_that_is_refused_is_decoded(served: Served) -> None:
    with Peer(served.address) as peer:
        streams = [peer.open(HOLD) for _ in range(served.limits.streams)]
        refused = peer.next_stream()
        peer.send(Frame(HEADERS, 5, refused, CALL + b"\x40\x01z\x01z"))
        assert peer.reset_of(refused) is Code.REFUSED_STREAM
        peer.send(Frame(RST_STREAM, 0, streams[0], CANCEL))
        again = peer.next_stream()
        peer.send(Frame(HEADERS, END_HEADERS, again, CALL + b"\xbe"), Frame(DATA, END_STREAM, again, message(b"")))
        assert peer.answer(again).status == 0


def test_5_streams_go_on_beside_each_other(served: Served) -> None:
    """Parts of many messages, one after the other; answers come in the order in which the messages end."""
    with Peer(served.address) as peer:
        streams = [peer.open() for _ in range(50)]
        contents = {stream: message(b"%d" % stream * 20) for stream in streams}
        for place in range(0, 100, 7):
            for stream in streams:
                part = contents[stream][place : place + 7]
                if part:
                    peer.data(stream, part, end=place + 7 >= len(contents[stream]))
        answers = peer.answers(streams)
        assert {stream: answer.content for stream, answer in answers.items()} == contents
