"""RFC 9113, sections 3, 4, 6 and 7, case by case: what breaks a rule, and what must be borne."""

import itertools
import struct

import pytest

from edgeclients.lane.frames import Code
from tests.lane.peers import (
    BEGINNING,
    ECHO,
    ENABLE_PUSH,
    HOLD,
    INITIAL_WINDOW,
    LARGEST_WINDOW,
    MAX_FRAME,
    MAX_LIST,
    MAX_STREAMS,
    TABLE_SIZE,
    Peer,
    closed,
    farewell_in,
    frames_in,
    raw,
)
from tests.lane.served import Served
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
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    WITH_PRIORITY,
    Frame,
    field,
    fields,
    message,
    settings,
)

UNKNOWN = 0x16
CALL = fields(ECHO)
WHOLE = Frame(HEADERS, END_HEADERS, 1, CALL)


def word(value: int) -> bytes:
    return struct.pack(">I", value)


# Section 3.


@pytest.mark.parametrize(
    "sent",
    [
        [PREFACE[:-1] + b"x"],
        [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"],
        [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"],
        [b"\xff" * 3],
        [b"PRI * HTTP/2.0\r\n", b"\r\nSM\r\n\r\r" + settings([]).encoded()],
    ],
    ids=["last_byte", "http_1", "tls", "short", "in_two_parts"],
)
def test_3_4_preface_that_is_none(served: Served, sent: list[bytes]) -> None:
    assert farewell_in(raw(served.address, *sent)) is Code.PROTOCOL_ERROR


def test_3_4_the_server_speaks_first_and_with_settings(peer: Peer) -> None:
    """They are what the limits say (6.5.2); `Peer` has read them as the first frame."""
    assert peer.room(1) == 16384
    assert peer._initial == 65535


@pytest.mark.parametrize(
    "first",
    [Frame(PING, 0, 0, bytes(8)), WHOLE, Frame(WINDOW_UPDATE, 0, 0, word(1)), Frame(SETTINGS, ACK, 0), Frame(UNKNOWN, 0, 0)],
    ids=["ping", "headers", "window_update", "settings_ack", "unknown"],
)
def test_3_4_first_frame_that_is_not_settings(served: Served, first: Frame) -> None:
    assert farewell_in(raw(served.address, PREFACE, first.encoded())) is Code.PROTOCOL_ERROR


def test_3_4_preface_byte_by_byte(served: Served) -> None:
    said = raw(served.address, *(bytes((byte,)) for byte in BEGINNING + Frame(PING, 0, 1, bytes(8)).encoded()))
    assert [frame.kind for frame in said] == [SETTINGS, WINDOW_UPDATE, SETTINGS, GOAWAY]
    assert farewell_in(said) is Code.PROTOCOL_ERROR


# What ends the connection, with the code that the section names.

CONNECTION_ERRORS = {
    "4_2_data_longer_than_the_largest": ([WHOLE, Frame(DATA, 0, 1, bytes(16385))], Code.FRAME_SIZE_ERROR),
    "4_2_headers_longer_than_the_largest": (
        [Frame(HEADERS, 5, 1, fields(ECHO, {b"x": bytes(16385)}))],
        Code.FRAME_SIZE_ERROR,
    ),
    "4_2_unknown_frame_longer_than_the_largest": ([Frame(UNKNOWN, 0, 0, bytes(16385))], Code.FRAME_SIZE_ERROR),
    "4_3_block_that_is_none": ([Frame(HEADERS, 5, 1, b"\x00\xff")], Code.COMPRESSION_ERROR),
    "4_3_priority_inside_a_block": (
        [Frame(HEADERS, 1, 1, CALL), Frame(PRIORITY, 0, 1, bytes(5))],
        Code.PROTOCOL_ERROR,
    ),
    "4_3_headers_of_another_stream_inside_a_block": (
        [Frame(HEADERS, 1, 1, CALL), Frame(HEADERS, 5, 3, CALL)],
        Code.PROTOCOL_ERROR,
    ),
    "5_5_unknown_frame_inside_a_block": ([Frame(HEADERS, 1, 1, CALL), Frame(UNKNOWN, 0, 0)], Code.PROTOCOL_ERROR),
    "6_1_data_on_stream_0": ([Frame(DATA, 0, 0, b"x")], Code.PROTOCOL_ERROR),
    "6_1_padding_as_long_as_the_frame": ([WHOLE, Frame(DATA, PADDED, 1, b"\x05abcd")], Code.PROTOCOL_ERROR),
    "6_1_padding_longer_than_the_frame": ([WHOLE, Frame(DATA, PADDED, 1, b"\xffabcd")], Code.PROTOCOL_ERROR),
    "6_1_padding_without_its_length": ([WHOLE, Frame(DATA, PADDED, 1)], Code.FRAME_SIZE_ERROR),
    "6_2_headers_on_stream_0": ([Frame(HEADERS, 5, 0, CALL)], Code.PROTOCOL_ERROR),
    "6_2_padding_longer_than_the_block": (
        [Frame(HEADERS, 5 | PADDED, 1, bytes((len(CALL) + 1,)) + CALL)],
        Code.PROTOCOL_ERROR,
    ),
    "6_2_padding_without_its_length": ([Frame(HEADERS, 5 | PADDED, 1)], Code.FRAME_SIZE_ERROR),
    "6_2_priority_that_is_cut_short": ([Frame(HEADERS, 5 | WITH_PRIORITY, 1, bytes(4))], Code.FRAME_SIZE_ERROR),
    "6_3_priority_on_stream_0": ([Frame(PRIORITY, 0, 0, bytes(5))], Code.PROTOCOL_ERROR),
    "6_3_priority_of_4_bytes_on_an_idle_stream": ([Frame(PRIORITY, 0, 9, bytes(4))], Code.FRAME_SIZE_ERROR),
    "6_3_idle_stream_that_depends_on_itself": ([Frame(PRIORITY, 0, 9, word(9) + b"\x10")], Code.PROTOCOL_ERROR),
    "6_3_stream_of_the_server_that_depends_on_itself": ([Frame(PRIORITY, 0, 2, word(2) + b"\x10")], Code.PROTOCOL_ERROR),
    "6_4_reset_of_stream_0": ([Frame(RST_STREAM, 0, 0, word(8))], Code.PROTOCOL_ERROR),
    "6_4_reset_of_an_idle_stream": ([Frame(RST_STREAM, 0, 1, word(8))], Code.PROTOCOL_ERROR),
    "6_4_reset_of_a_stream_of_the_server": ([WHOLE, Frame(RST_STREAM, 0, 2, word(8))], Code.PROTOCOL_ERROR),
    "6_4_reset_of_3_bytes": ([WHOLE, Frame(RST_STREAM, 0, 1, bytes(3))], Code.FRAME_SIZE_ERROR),
    "6_5_acknowledgement_with_content": ([Frame(SETTINGS, ACK, 0, bytes(6))], Code.FRAME_SIZE_ERROR),
    "6_5_settings_on_a_stream": ([WHOLE, Frame(SETTINGS, 0, 1)], Code.PROTOCOL_ERROR),
    "6_5_settings_of_5_bytes": ([Frame(SETTINGS, 0, 0, bytes(5))], Code.FRAME_SIZE_ERROR),
    "6_5_2_enable_push_of_2": ([settings([(ENABLE_PUSH, 2)])], Code.PROTOCOL_ERROR),
    "6_5_2_initial_window_above_the_largest_is_flow_control_error": (
        [settings([(INITIAL_WINDOW, 2**31)])],
        Code.FLOW_CONTROL_ERROR,
    ),
    "6_5_2_initial_window_above_the_largest_though_a_right_one_follows": (
        [settings([(INITIAL_WINDOW, 2**31), (INITIAL_WINDOW, 65535)])],
        Code.FLOW_CONTROL_ERROR,
    ),
    "6_5_2_max_frame_size_below_the_least": ([settings([(MAX_FRAME, 16383)])], Code.PROTOCOL_ERROR),
    "6_5_2_max_frame_size_above_the_largest": ([settings([(MAX_FRAME, 2**24)])], Code.PROTOCOL_ERROR),
    "6_6_push_promise": ([Frame(PUSH_PROMISE, END_HEADERS, 1, word(2) + CALL)], Code.PROTOCOL_ERROR),
    "6_7_ping_on_a_stream": ([Frame(PING, 0, 1, bytes(8))], Code.PROTOCOL_ERROR),
    "6_7_ping_of_6_bytes": ([Frame(PING, 0, 0, bytes(6))], Code.FRAME_SIZE_ERROR),
    "6_7_ping_acknowledged_with_9_bytes": ([Frame(PING, ACK, 0, bytes(9))], Code.FRAME_SIZE_ERROR),
    "6_8_goaway_on_a_stream": ([Frame(GOAWAY, 0, 1, bytes(8))], Code.PROTOCOL_ERROR),
    "6_8_goaway_of_7_bytes": ([Frame(GOAWAY, 0, 0, bytes(7))], Code.FRAME_SIZE_ERROR),
    "6_9_increment_of_0_for_the_connection": ([Frame(WINDOW_UPDATE, 0, 0, word(0))], Code.PROTOCOL_ERROR),
    "6_9_window_update_of_3_bytes": ([Frame(WINDOW_UPDATE, 0, 0, bytes(3))], Code.FRAME_SIZE_ERROR),
    "6_9_window_update_of_a_stream_of_5_bytes": ([WHOLE, Frame(WINDOW_UPDATE, 0, 1, bytes(5))], Code.FRAME_SIZE_ERROR),
    "6_9_1_window_of_the_connection_above_the_largest": (
        [Frame(WINDOW_UPDATE, 0, 0, word(LARGEST_WINDOW - 65535 + 1))],
        Code.FLOW_CONTROL_ERROR,
    ),
    "6_9_1_window_of_the_connection_above_the_largest_in_two_steps": (
        [Frame(WINDOW_UPDATE, 0, 0, word(LARGEST_WINDOW - 65535)), Frame(WINDOW_UPDATE, 0, 0, word(1))],
        Code.FLOW_CONTROL_ERROR,
    ),
    "6_9_2_initial_window_that_makes_a_window_too_large": (
        [
            Frame(HEADERS, END_HEADERS, 1, fields(HOLD)),
            Frame(WINDOW_UPDATE, 0, 1, word(LARGEST_WINDOW - 65535)),
            settings([(INITIAL_WINDOW, 65536)]),
        ],
        Code.FLOW_CONTROL_ERROR,
    ),
    "6_10_continuation_of_another_stream": (
        [Frame(HEADERS, 1, 1, CALL[:9]), Frame(CONTINUATION, END_HEADERS, 3, CALL[9:])],
        Code.PROTOCOL_ERROR,
    ),
    "6_10_continuation_on_stream_0": (
        [Frame(HEADERS, 1, 1, CALL[:9]), Frame(CONTINUATION, END_HEADERS, 0, CALL[9:])],
        Code.PROTOCOL_ERROR,
    ),
    "6_10_continuation_and_no_block_at_all": ([Frame(CONTINUATION, END_HEADERS, 1, CALL)], Code.PROTOCOL_ERROR),
    "6_10_continuation_behind_complete_headers": (
        [WHOLE, Frame(CONTINUATION, END_HEADERS, 1, field(b"x", b"y"))],
        Code.PROTOCOL_ERROR,
    ),
    "6_10_continuation_behind_the_last_one": (
        [
            Frame(HEADERS, 0, 1, CALL[:9]),
            Frame(CONTINUATION, END_HEADERS, 1, CALL[9:]),
            Frame(CONTINUATION, END_HEADERS, 1, field(b"x", b"y")),
        ],
        Code.PROTOCOL_ERROR,
    ),
    "6_10_continuation_behind_data": (
        [WHOLE, Frame(DATA, 0, 1, b"\0"), Frame(CONTINUATION, END_HEADERS, 1, field(b"x", b"y"))],
        Code.PROTOCOL_ERROR,
    ),
    "6_10_data_inside_a_block": ([Frame(HEADERS, 0, 1, CALL[:9]), Frame(DATA, 0, 1, b"\0")], Code.PROTOCOL_ERROR),
}


@pytest.mark.parametrize(("sent", "code"), CONNECTION_ERRORS.values(), ids=CONNECTION_ERRORS)
def test_connection_error(peer: Peer, sent: list[Frame], code: Code) -> None:
    peer.send(*sent)
    assert peer.goaway() is code


MOVABLE = {name: case for name, case in CONNECTION_ERRORS.items() if "depends" not in name}


@pytest.mark.parametrize(("sent", "code"), MOVABLE.values(), ids=MOVABLE)
def test_connection_error_with_calls_under_way(served: Served, sent: list[Frame], code: Code) -> None:
    """They are cancelled; of what follows the fault nothing is looked at."""
    with Peer(served.address) as peer:
        shifted = [Frame(one.kind, one.flags, one.stream + 6 if one.stream else 0, one.content) for one in sent]
        calls = [Frame(HEADERS, END_HEADERS, stream, fields(b"/t/Wait")) for stream in (1, 3)]
        begun = [Frame(DATA, END_STREAM, stream, message(b"")) for stream in (1, 3)]
        peer.send(*calls, Frame(HEADERS, END_HEADERS, 5, fields(b"/t/Chat")), *begun, *shifted, *calls, Frame(99, 9, 9, b"9"))
        assert peer.goaway() is code


# What ends one stream.

STREAM_ERRORS = {
    "6_2_headers_that_depend_on_themselves": (
        [Frame(HEADERS, 5 | WITH_PRIORITY, 1, word(1) + b"\x10" + CALL)],
        Code.PROTOCOL_ERROR,
    ),
    "6_2_headers_that_depend_on_themselves_in_two_parts": (
        [
            Frame(HEADERS, WITH_PRIORITY, 1, word(1) + b"\x10" + CALL[:9]),
            Frame(CONTINUATION, END_HEADERS, 1, CALL[9:]),
        ],
        Code.PROTOCOL_ERROR,
    ),
    "6_3_priority_of_4_bytes": ([WHOLE, Frame(PRIORITY, 0, 1, bytes(4))], Code.FRAME_SIZE_ERROR),
    "6_3_stream_that_depends_on_itself": ([WHOLE, Frame(PRIORITY, 0, 1, word(1) + b"\x10")], Code.PROTOCOL_ERROR),
    "6_9_increment_of_0": ([WHOLE, Frame(WINDOW_UPDATE, 0, 1, word(0))], Code.PROTOCOL_ERROR),
    "6_9_1_window_above_the_largest": (
        [WHOLE, Frame(WINDOW_UPDATE, 0, 1, word(LARGEST_WINDOW - 65535 + 1))],
        Code.FLOW_CONTROL_ERROR,
    ),
    "6_9_1_window_above_the_largest_in_two_steps": (
        [WHOLE, Frame(WINDOW_UPDATE, 0, 1, word(LARGEST_WINDOW - 65535)), Frame(WINDOW_UPDATE, 0, 1, word(1))],
        Code.FLOW_CONTROL_ERROR,
    ),
}


@pytest.mark.parametrize(("sent", "code"), STREAM_ERRORS.values(), ids=STREAM_ERRORS)
def test_stream_error(served: Served, sent: list[Frame], code: Code) -> None:
    """The other streams of the connection go on; nothing else is said on this one."""
    with Peer(served.address) as peer:
        assert peer.next_stream() == 1
        peer.send(*sent)
        answer = peer.answer(1)
        assert answer == ({}, b"", {}, code)
        peer.is_served()
        assert len(served.seen) == 2  # the honest caller's, and that one


# What is borne.


def test_4_1_undefined_flags_and_the_reserved_bit_are_ignored(peer: Peer) -> None:
    peer.send(
        Frame(HEADERS, 0x94 | END_HEADERS, 0x8000_0001, CALL),
        Frame(PING, 0x92, 0x8000_0000, b"12345678"),
        Frame(DATA, 0xF6 & ~PADDED | END_STREAM, 0x8000_0001, message(b"a")),
        Frame(WINDOW_UPDATE, 0xFF, 0x8000_0000, word(0x8000_0001)),
        Frame(PRIORITY, 0xFF, 0x8000_0005, bytes(5)),
    )
    assert peer.next_stream() == 1
    assert peer.until(PING) == Frame(PING, ACK, 0, b"12345678")
    assert peer.answer(1).messages == [b"a"]
    peer.is_served()


@pytest.mark.parametrize("stream", [0, 1, 2, 77])
def test_5_5_unknown_frames_are_ignored(peer: Peer, stream: int) -> None:
    peer.send(*(Frame(kind, 0xFF, stream, b"?" * size) for kind in (10, UNKNOWN, 255) for size in (0, 1, 16384)))
    peer.is_served()


def test_4_2_frames_of_the_largest_size(peer: Peer) -> None:
    content = b"x" * 40_000
    parts = [message(content)[place : place + 16384] for place in range(0, 40_005, 16384)]
    stream = peer.next_stream()
    padding = field(b"x-padding", b"p" * (16384 - len(CALL) - 14))
    assert len(CALL + padding) == 16384
    peer.send(Frame(HEADERS, END_HEADERS, stream, CALL + padding), *(Frame(DATA, 0, stream, one) for one in parts))
    peer.send(Frame(DATA, END_STREAM, stream))
    assert peer.answer(stream).messages == [content]


@pytest.mark.parametrize("padding", [0, 1, 200, 255])
def test_6_1_6_2_padding_is_no_content(peer: Peer, padding: int) -> None:
    """Of headers, also with a priority, and of data; a frame that is padding only is none of the message."""
    stream = peer.next_stream()
    pad, zeros = bytes((padding,)), bytes(padding)
    peer.send(
        Frame(HEADERS, END_HEADERS | PADDED | WITH_PRIORITY, stream, pad + word(0x8000_0000) + b"\xff" + CALL + zeros),
        Frame(DATA, PADDED, stream, pad + message(b"abc")[:6] + zeros),
        Frame(DATA, PADDED, stream, pad + zeros),
        Frame(DATA, PADDED | END_STREAM, stream, pad + message(b"abc")[6:] + zeros),
    )
    assert peer.answer(stream).messages == [b"abc"]


def test_6_3_priority_at_any_time(peer: Peer) -> None:
    for stream in (1, 3, 99, 2, 2**31 - 1):
        peer.send(Frame(PRIORITY, 0, stream, word(0) + b"\x10"))
    peer.is_served()
    peer.send(Frame(PRIORITY, 0, 1, word(0) + b"\x10"))
    peer.is_served()


def test_6_5_3_settings_are_acknowledged_in_their_order(peer: Peer) -> None:
    """Also those that are not known, and those that do not concern the server."""
    peer.send(
        settings([(MAX_STREAMS, 0), (MAX_LIST, 0), (0, 1), (0xFFFF, 2**32 - 1), (ENABLE_PUSH, 0), (ENABLE_PUSH, 1)]),
        Frame(PING, 0, 0, b"between!"),
        settings([(MAX_FRAME, 2**24 - 1), (MAX_FRAME, 16384), (TABLE_SIZE, 2**32 - 1)]),
    )
    kinds: list[int] = []
    while len(kinds) < 3:
        if (frame := peer.frame()).flags & ACK:
            kinds.append(frame.kind)
    assert kinds == [SETTINGS, PING, SETTINGS]
    peer.is_served()


def test_6_5_3_the_last_of_several_values_holds(served: Served) -> None:
    with Peer(served.address, [(INITIAL_WINDOW, 0), (INITIAL_WINDOW, 9), (INITIAL_WINDOW, 6)]) as peer:
        stream = peer.begin(ECHO, b"12")
        assert peer.until(DATA, stream).content == message(b"12")[:6]


def test_6_7_pings_are_answered_with_their_content(peer: Peer) -> None:
    peer.send(*(Frame(PING, 0, 0, bytes((number,)) * 8) for number in range(5)))
    assert [peer.until(PING) for _ in range(5)] == [Frame(PING, ACK, 0, bytes((number,)) * 8) for number in range(5)]


def test_6_7_acknowledged_pings_are_not_answered(peer: Peer) -> None:
    peer.send(Frame(PING, ACK, 0, b"nobody's"), Frame(PING, 0, 0, b"somebody"))
    assert peer.until(PING).content == b"somebody"


@pytest.mark.parametrize("code", [*Code, 0xFF, 2**32 - 1])
def test_7_any_code_of_a_reset(peer: Peer, code: int) -> None:
    stream = peer.open()
    peer.send(Frame(RST_STREAM, 0, stream, word(code)))
    peer.is_served()


@pytest.mark.parametrize("code", [Code.NO_ERROR, Code.ENHANCE_YOUR_CALM, 0xFF])
def test_6_8_whoever_goes_away_gets_what_he_has_asked_for(served: Served, code: int) -> None:
    with Peer(served.address) as peer:
        stream = peer.begin(HOLD, b"kept")
        peer.send(Frame(GOAWAY, 0, 0, word(0) + word(code) + b"because"))
        peer.ping()
        served.open()
        assert peer.answer(stream).messages == [b"kept"]
        with pytest.raises(ConnectionError, match="closed"):
            peer.frame()


def test_6_8_whoever_goes_away_without_calls_is_let_go(peer: Peer) -> None:
    peer.is_served()
    peer.send(Frame(GOAWAY, 0, 0, bytes(8)))
    closed(peer)


def test_6_8_the_last_stream_is_the_last_that_was_looked_at(peer: Peer) -> None:
    for _ in range(3):
        peer.is_served()
    peer.send(Frame(PING, 0, 1, bytes(8)), Frame(HEADERS, 5, 99, CALL))
    assert peer.farewell() == (5, Code.PROTOCOL_ERROR)


def test_6_9_windows_of_closed_streams_are_ignored(peer: Peer) -> None:
    peer.is_served()
    peer.send(Frame(WINDOW_UPDATE, 0, 1, word(1)), Frame(WINDOW_UPDATE, 0, 1, word(LARGEST_WINDOW)))
    peer.is_served()


def test_6_10_any_number_of_parts(peer: Peer) -> None:
    """As many as are allowed, some of them empty."""
    stream = peer.next_stream()
    peer.send(Frame(HEADERS, 0, stream))
    places = [0, 1, 1, 2, 30, 31, len(CALL)]
    for start, end in itertools.pairwise(places):
        peer.send(Frame(CONTINUATION, END_HEADERS if end == len(CALL) else 0, stream, CALL[start:end]))
    peer.send(Frame(DATA, END_STREAM, stream, message(b"in parts")))
    assert peer.answer(stream).messages == [b"in parts"]


def test_what_is_behind_a_fault_is_not_looked_at(served: Served) -> None:
    said = raw(served.address, BEGINNING + Frame(PING, 0, 1, bytes(8)).encoded() + Frame(PING, 0, 0, bytes(8)).encoded() * 9)
    assert [frame.kind for frame in said] == [SETTINGS, WINDOW_UPDATE, SETTINGS, GOAWAY]
    assert frames_in(b"") == []
