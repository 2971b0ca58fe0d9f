"""Conversations of all kinds, also damaged and cut anywhere: nothing is left of any, and nothing is logged."""

import itertools
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.lane.fuzzing import Conversation, converse, had
from tests.lane.peers import frames_in
from tests.support.http2 import (
    ACK,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    PADDED,
    PING,
    PREFACE,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    Frame,
    field,
    fields,
    message,
)
from tests.support.http2 import settings as settings_frame

SEEDS = 400
BLOCK = fields(b"/chat", {b"x": b"y" * 50})
RECORDED = PREFACE + b"".join(
    frame.encoded()
    for frame in (
        settings_frame([(4, 30), (1, 0)]),
        Frame(SETTINGS, ACK, 0),
        Frame(HEADERS, END_HEADERS, 1, fields(b"/echo") + b"\x40\x01a\x01b"),
        Frame(DATA, END_STREAM, 1, message(b"lone")),
        Frame(HEADERS, 0, 3, BLOCK[:20]),
        Frame(CONTINUATION, 0, 3),
        Frame(CONTINUATION, END_HEADERS, 3, BLOCK[20:] + b"\xbe"),
        Frame(DATA, 0, 3, message(b"first") + message(b"second")[:4]),
        Frame(HEADERS, END_HEADERS, 5, fields(b"/nope")),
        Frame(DATA, PADDED, 3, b"\x05" + message(b"second")[4:] + bytes(5)),
        Frame(PING, 0, 0, b"12345678"),
        Frame(WINDOW_UPDATE, 0, 3, (40).to_bytes(4)),
        Frame(HEADERS, END_HEADERS | END_STREAM, 3, field(b"x", b"y")),
        Frame(HEADERS, END_HEADERS, 7, fields(b"/wait")),
        Frame(DATA, END_STREAM, 7, message(b"")),
        Frame(RST_STREAM, 0, 7, bytes(4)),
        Frame(HEADERS, END_HEADERS, 9, fields(b"/echo")),
        Frame(DATA, END_STREAM, 9, message(b"!")),
        Frame(WINDOW_UPDATE, 0, 1, (1000).to_bytes(4)),
    )
)


def gist(said: bytes) -> dict[int, list[tuple[int, bytes]]]:
    """What is said of each stream, however its data are cut; first of all the room that is given."""
    found: dict[int, list[tuple[int, bytes]]] = {}
    for frame in frames_in(said):
        parts = found.setdefault(frame.stream, [(WINDOW_UPDATE, bytes(4))])
        if frame.kind == WINDOW_UPDATE:
            parts[0] = (WINDOW_UPDATE, (int.from_bytes(parts[0][1]) + int.from_bytes(frame.content)).to_bytes(4))
        elif frame.kind == DATA and parts[-1][0] == DATA:
            parts[-1] = (DATA, parts[-1][1] + frame.content)
        elif frame.kind == HEADERS:
            parts.append((HEADERS, frame.content.removeprefix(b"\x20")))
        else:
            parts.append((frame.kind, frame.content))
    return found


WHOLE = gist(converse(Conversation(RECORDED, [], {})))


def test_the_recorded_conversation_is_one() -> None:
    assert [kind for kind, _ in WHOLE[1][1:]] == [HEADERS, DATA, HEADERS]
    assert WHOLE[3][2] == (DATA, message(b"firstfirst") + message(b"secondsecond"))
    assert [kind for kind, _ in WHOLE[5][1:]] == [HEADERS, RST_STREAM]
    assert 7 not in WHOLE
    assert b"grpc-status\x015" in WHOLE[9][1][1]


def test_it_is_the_same_cut_at_any_byte() -> None:
    for place in range(len(RECORDED)):
        assert gist(converse(Conversation(RECORDED, [place], {}))) == WHOLE


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 9, 10, 64])
def test_it_is_the_same_in_parts_of_any_size(size: int) -> None:
    assert gist(converse(Conversation(RECORDED, list(range(0, len(RECORDED), size)), {}))) == WHOLE


def test_it_may_end_anywhere() -> None:
    for place in range(len(RECORDED)):
        converse(Conversation(RECORDED[:place], [], {}))


def test_any_bit_of_it_may_be_wrong() -> None:
    for place, bit in itertools.product(range(len(PREFACE), len(RECORDED)), (0, 1, 2, 7)):
        damaged = bytearray(RECORDED)
        damaged[place] ^= 1 << bit
        converse(Conversation(bytes(damaged), [place], {}))


@settings(max_examples=300, derandomize=True)
@given(st.lists(st.tuples(st.integers(0, len(RECORDED)), st.integers(0, 60), st.binary(max_size=12)), max_size=5))
def test_parts_of_it_may_be_anything(changes: list[tuple[int, int, bytes]]) -> None:
    """Left out, put in, or changed."""
    said = RECORDED
    for place, left_out, put_in in changes:
        said = said[:place] + put_in + said[place + left_out :]
    converse(Conversation(said, [place for place, _, _ in changes], {}))


@settings(max_examples=200, derandomize=True)
@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=4))
def test_anything_may_follow_the_beginning(said: bytes, cuts: list[int]) -> None:
    converse(Conversation(RECORDED[: len(PREFACE) + 21] + said, cuts, {}))


@pytest.mark.parametrize("part", range(8))
def test_conversations_of_all_kinds(part: int) -> None:
    """`python -m tests.lane.fuzzing SECONDS` has more of them."""
    for seed in range(part, SEEDS, 8):
        converse(had(zlib.crc32(b"%d" % seed)))


@pytest.mark.parametrize("seed", [1795735388950737250])
def test_conversations_that_once_found_a_fault(seed: int) -> None:
    """The numbers that `fuzzing` has printed."""
    converse(had(seed))
