"""RFC 7541, case by case: every form of a field that a client may choose, and what is no header block."""

import pytest
from jh2.hpack import Encoder

from edgeclients.lane.frames import Code
from tests.lane.peers import ECHO, TABLE_SIZE, Peer
from tests.lane.served import Served
from tests.support.http2 import DATA, END_HEADERS, END_STREAM, HEADERS, Frame, field, fields, message, settings

CALL = fields(ECHO)


def number(value: int, prefix: int, first: int = 0) -> bytes:
    """An integer (section 5.1)."""
    most = 2**prefix - 1
    if value < most:
        return bytes((first | value,))
    found, value = [first | most], value - most
    while value >= 128:
        found.append(value % 128 + 128)
        value //= 128
    return bytes((*found, value))


def text(value: bytes) -> bytes:
    """A string, as it is (section 5.2)."""
    return number(len(value), 7) + value


# What each of these says is "x-test: ok", or what is named.
ACCEPTED = {
    "6_1_indexed": (b"\x90", (b"accept-encoding", b"gzip, deflate")),
    "6_2_1_inserted_with_an_indexed_name": (number(58, 6, 0x40) + text(b"ok"), (b"user-agent", b"ok")),
    "6_2_1_inserted_with_a_new_name": (b"\x40" + text(b"x-test") + text(b"ok"), (b"x-test", b"ok")),
    "6_2_2_not_indexed_with_an_indexed_name": (number(58, 4) + text(b"ok"), (b"user-agent", b"ok")),
    "6_2_2_not_indexed_with_a_new_name": (b"\x00" + text(b"x-test") + text(b"ok"), (b"x-test", b"ok")),
    "6_2_3_never_indexed_with_an_indexed_name": (number(58, 4, 0x10) + text(b"ok"), (b"user-agent", b"ok")),
    "6_2_3_never_indexed_with_a_new_name": (b"\x10" + text(b"x-test") + text(b"ok"), (b"x-test", b"ok")),
    "5_2_huffman": (b"\x00\x85\xf2\xb2\x4a\x84\xff\x82\x3f\x5f", (b"x-test", b"ok")),
    "5_2_huffman_of_nothing": (b"\x00" + text(b"x-test") + b"\x80", (b"x-test", b"")),
    "5_1_number_that_is_longer_than_it_must_be": (
        b"\x00" + text(b"x-test") + b"\x7f\x81\x00" + b"k" * 128,
        (b"x-test", b"k" * 128),
    ),
    "2_3_2_inserted_and_then_indexed": (b"\x40" + text(b"x-test") + text(b"ok") + b"\xbe", (b"x-test", b"ok")),
    "2_3_2_inserted_and_then_the_name_indexed": (
        b"\x40" + text(b"x-test") + text(b"no") + number(62, 6, 0x40) + text(b"ok"),
        (b"x-test", b"ok"),
    ),
    "4_4_entry_larger_than_the_table": (
        b"\x40" + text(b"x-test") + text(b"k" * 5000),
        (b"x-test", b"k" * 5000),
    ),
}


@pytest.mark.parametrize(("block", "said"), ACCEPTED.values(), ids=ACCEPTED)
def test_accepted(served: Served, block: bytes, said: tuple[bytes, bytes]) -> None:
    """Twice, and again: blocks that come again are looked up."""
    with Peer(served.address) as peer:
        for _ in range(4):
            assert peer.answer(peer.call(CALL + block, message(b"a"))).messages == [b"a"]
            assert served.seen[-1].fields[-1] == said


@pytest.mark.parametrize(
    "sizes", [[0], [4096], [0, 4096], [100, 50, 60], [31, 0, 4096]], ids=lambda sizes: "_".join(map(str, sizes))
)
def test_6_3_table_size_at_the_beginning(peer: Peer, sizes: list[int]) -> None:
    block = b"".join(number(size, 5, 0x20) for size in sizes)
    for _ in range(3):
        assert peer.answer(peer.call(block + CALL, message(b"a"))).messages == [b"a"]


def test_4_3_a_smaller_table_forgets_what_it_held(peer: Peer) -> None:
    peer.answer(peer.call(CALL + b"\x40" + text(b"x-test") + text(b"ok"), message(b"")))
    peer.answer(peer.call(CALL + b"\xbe", message(b"")))
    peer.call(b"\x20" + CALL + b"\xbe", message(b""))
    assert peer.goaway() is Code.COMPRESSION_ERROR


def test_4_4_what_does_not_fit_is_forgotten(peer: Peer) -> None:
    """Of two entries that are together too large for the table the older one is gone."""
    for letter in b"ab":
        peer.answer(peer.call(CALL + b"\x40" + text(b"x-test") + text(bytes((letter,)) * 3000), message(b"")))
    peer.answer(peer.call(CALL + b"\xbe", message(b"")))
    peer.call(CALL + b"\xbf", message(b""))
    assert peer.goaway() is Code.COMPRESSION_ERROR


def test_what_a_block_means_changes_with_the_table(served: Served) -> None:
    """The same bytes, after another field has been inserted; blocks that were looked up are decoded again."""
    with Peer(served.address) as peer:
        for value in (b"1", b"2", b"3"):
            peer.answer(peer.call(CALL + b"\x40" + text(b"x-test") + text(value), message(b"")))
            for _ in range(4):
                peer.answer(peer.call(CALL + b"\xbe", message(b"")))
                assert served.seen[-1].fields[-1] == (b"x-test", value)


@pytest.mark.parametrize("kind", ["trailers", "malformed", "unknown method"])
def test_what_a_block_means_changes_with_blocks_that_are_no_call(served: Served, kind: str) -> None:
    with Peer(served.address) as peer:
        for value in (b"1", b"2", b"3"):
            inserted = b"\x40" + text(b"x-test") + text(value)
            if kind == "trailers":
                stream = peer.begin(ECHO, end=False)
                peer.send(Frame(HEADERS, 5, stream, inserted))
            else:
                stream = peer.call((b"" if kind == "malformed" else fields(b"/t/Nope")) + inserted)
            peer.answer(stream)
            for _ in range(4):
                peer.answer(peer.call(CALL + b"\xbe", message(b"")))
                assert served.seen[-1].fields[-1] == (b"x-test", value)


def test_an_encoder_that_uses_everything(served: Served) -> None:
    """Huffman codes, and a table that overflows many times."""
    encoder = Encoder()
    with Peer(served.address) as peer:
        for turn in range(200):
            said = [
                (b":method", b"POST"),
                (b":scheme", b"http"),
                (b":path", ECHO),
                (b"content-type", b"application/grpc"),
                (b"x-%d" % (turn % 7), bytes(range(33, 33 + turn % 90)) * 2),
                (b"x-same", b"same"),
            ]
            if turn % 50 == 49:
                encoder.header_table_size = 4096 - turn
            assert peer.answer(peer.call(encoder.encode(said, huffman=turn % 3 > 0), message(b""))).status == 0
            assert served.seen[-1].fields == said


BROKEN = {
    "2_3_3_index_behind_the_table": CALL + b"\xbe",
    "2_3_3_index_far_behind_the_table": CALL + number(10_000, 7, 0x80),
    "2_3_3_name_behind_the_table": CALL + number(62, 6, 0x40) + text(b"x"),
    "4_2_table_size_at_the_end": CALL + b"\x20",
    "4_2_table_size_between_fields": CALL[:9] + b"\x3f\xe1\x1f" + CALL[9:],
    "5_1_number_without_end": CALL + b"\xff" + b"\xff" * 20,
    "5_1_number_of_64_bits": CALL + b"\x00\x01x\x7f" + b"\xff" * 9 + b"\x01",
    "5_1_number_that_is_cut_short": CALL + b"\xff",
    "5_2_string_that_is_cut_short": CALL + b"\x00\x01x\x05abcd",
    "5_2_string_length_that_is_cut_short": CALL + b"\x00\x01x\x7f",
    "5_2_name_that_is_cut_short": CALL + b"\x00\x05x",
    "5_2_value_that_is_left_out": CALL + b"\x00\x01x",
    "5_2_name_that_is_left_out": CALL + b"\x40",
    "5_2_huffman_padding_longer_than_7_bits": CALL + b"\x00\x85\xf2\xb2\x4a\x84\xff\x84\x49\x50\x9f\xff",
    "5_2_huffman_end_of_string": CALL + b"\x00\x85\xf2\xb2\x4a\x84\xff\x87\x49\x51\xff\xff\xff\xfa\x7f",
    "6_1_index_0": CALL + b"\x80",
    "6_3_table_size_above_the_largest": b"\x3f\xe2\x1f" + CALL,
    "6_3_table_size_far_above_the_largest": number(2**27, 5, 0x20) + CALL,
}


@pytest.mark.parametrize("block", BROKEN.values(), ids=BROKEN)
def test_broken(peer: Peer, block: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    """Nor does the decoder print anything."""
    peer.send(Frame(HEADERS, 5, 1, block))
    assert peer.goaway() is Code.COMPRESSION_ERROR
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("block", BROKEN.values(), ids=BROKEN)
def test_broken_trailers(peer: Peer, block: bytes) -> None:
    stream = peer.open()
    peer.send(Frame(HEADERS, 5, stream, block.replace(CALL, field(b"x", b"y"))))
    assert peer.goaway() is Code.COMPRESSION_ERROR


@pytest.mark.parametrize("block", BROKEN.values(), ids=BROKEN)
def test_broken_block_of_a_stream_that_was_reset(peer: Peer, block: bytes) -> None:
    stream = peer.open(b"/t/Nope")
    peer.send(Frame(HEADERS, 5, stream, block.replace(CALL, field(b"x", b"y"))))
    assert peer.goaway() is Code.COMPRESSION_ERROR


@pytest.mark.parametrize("size", [0, 1, 4095])
@pytest.mark.parametrize("path", [ECHO, b"/t/Later", b"/t/Nope", b"/t/Fail", b"/t/Chat"])
def test_4_2_a_smaller_table_is_acknowledged(served: Served, size: int, path: bytes) -> None:
    """The next block that we send, whichever that is, begins with a table of no size, and only that."""
    with Peer(served.address) as peer:
        for _ in range(2):
            peer.set((TABLE_SIZE, size), (TABLE_SIZE, 4096))
            for expected in (True, False):
                peer.begin(path, b"a")
                frame = peer.frame()
                while frame.kind != HEADERS:
                    frame = peer.frame()
                assert (frame.content[0] == 0x20) is expected
                while not (frame.kind == HEADERS and frame.flags & END_STREAM):
                    frame = peer.frame()
                    assert frame.kind != HEADERS or frame.content[0] != 0x20


@pytest.mark.parametrize("size", [4096, 4097, 2**32 - 1])
def test_4_2_a_larger_table_is_not_used(peer: Peer, size: int) -> None:
    peer.set((TABLE_SIZE, size))
    peer.begin(ECHO)
    assert peer.until(HEADERS, 1).content[0] == 0x88


def test_4_2_a_smaller_table_in_the_same_packet_as_calls(served: Served) -> None:
    """Blocks before it are sent without the change, those behind it with it."""
    with Peer(served.address) as peer:
        call = [Frame(HEADERS, END_HEADERS, 1, CALL), Frame(DATA, END_STREAM, 1, message(b"a"))]
        again = [Frame(one.kind, one.flags, 3, one.content) for one in call]
        peer.send(*call, settings([(TABLE_SIZE, 0)]), *again)
        answers = peer.answers([1, 3])
        assert [answer.messages for answer in answers.values()] == [[b"a"], [b"a"]]
