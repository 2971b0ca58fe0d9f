"""Each limit: what crosses it gets the error that it names, what stays below it is served. Rates are given small values."""

import contextlib
import socket
import struct
from collections.abc import Callable, Iterator, Sequence

import pytest

from edgeclients.lane.frames import Code
from edgeclients.lane.limits import Limits
from edgeclients.lane.streams import Stream
from tests.lane.peers import (
    BEGINNING,
    CHAT,
    ECHO,
    HOLD,
    INITIAL_WINDOW,
    LARGEST_WINDOW,
    TABLE_SIZE,
    WAIT,
    Peer,
    closed,
    farewell_in,
    raw,
)
from tests.lane.served import MIB, Served, serving
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
from tests.support.waiting import PATIENCE, wait_until

RATE = 30
SMALL = Limits(
    streams=20,
    connections=8,
    resets=RATE,
    pings=RATE,
    settings=RATE,
    tiny_frames=RATE,
    priorities=RATE,
    window_updates=RATE,
    unsent_bytes=64 * 1024,
)
CALL = fields(ECHO)
CANCEL = Frame(RST_STREAM, 0, 1, struct.pack(">I", 8)).content
ONE = struct.pack(">I", 1)


@pytest.fixture(scope="module")
def small() -> Iterator[Served]:
    """A server with small limits."""
    with serving(SMALL, kept=16 * 1024) as running:
        yield running


@pytest.fixture
def tight(small: Served) -> Iterator[Served]:
    """It; others are served before and afterwards, and what was taken from the budget is back."""
    small.do(small.gate.clear)
    small.begun = small.cancelled = 0
    with Peer(small.address) as honest:
        honest.is_served()
        yield small
        honest.is_served()
        wait_until(lambda: small.lane.connections == 1, "the end of other connections")
    small.settled()
    small.unlogged()


# Rates. All of a flood is one packet, which is read at one moment.


def resets(count: int) -> list[Frame]:
    """CVE-2023-44487: calls that are begun and reset at once."""
    found = []
    for stream in range(1, 2 * count, 2):
        found += [Frame(HEADERS, END_HEADERS, stream, fields(WAIT)), Frame(DATA, END_STREAM, stream, message(b""))]
        found.append(Frame(RST_STREAM, 0, stream, CANCEL))
    return found


def resets_of_closed(count: int) -> list[Frame]:
    return [Frame(HEADERS, END_HEADERS, 1, CALL), *(Frame(RST_STREAM, 0, 1, CANCEL) for _ in range(count))]


def made_resets(fault: Sequence[Frame]) -> list[Frame]:
    """CVE-2025-8671: calls that are begun, and then made to be reset by a fault."""
    return [Frame(HEADERS, END_HEADERS, 1, fields(WAIT)), Frame(DATA, END_STREAM, 1, message(b"")), *fault]


def many(count: int, frames: Sequence[Frame]) -> list[Frame]:
    return [Frame(one.kind, one.flags, one.stream + 2 * turn, one.content) for turn in range(count) for one in frames]


MADE = {
    "window_of_0": Frame(WINDOW_UPDATE, 0, 1, bytes(4)),
    "window_above_the_largest": Frame(WINDOW_UPDATE, 0, 1, struct.pack(">I", LARGEST_WINDOW)),
    "data_behind_the_end": Frame(DATA, 0, 1, b"x"),
    "headers_behind_the_end": Frame(HEADERS, 5, 1, field(b"x", b"y")),
    "priority_of_4_bytes": Frame(PRIORITY, 0, 1, bytes(4)),
}

Flood = Callable[[int], list[Frame]]


def ending(what: str) -> Flood:
    """Calls that wait, and are made to be reset."""
    return lambda count: many(count, made_resets([MADE[what]]))


FLOODS: dict[str, tuple[Flood, str]] = {
    "resets": (resets, "resets"),
    "resets_of_a_closed_stream": (resets_of_closed, "resets"),
    **{f"made_resets_by_{name}": (ending(name), "resets") for name in MADE},
    "malformed_requests": (lambda count: many(count, [Frame(HEADERS, 5, 1, b"\x83")]), "resets"),
    "data_of_a_closed_stream": (
        lambda count: many(count, [Frame(HEADERS, 5, 1, CALL), Frame(DATA, 0, 1, b"xxxxxx")]),
        "resets",
    ),
    "priorities": (lambda count: [Frame(PRIORITY, 0, 2 * turn + 1, bytes(5)) for turn in range(count)], "priorities"),
    "unknown_frames": (lambda count: [Frame(200, 0, 0)] * count, "priorities"),
    "empty_data": (lambda count: [Frame(HEADERS, END_HEADERS, 1, CALL)] + [Frame(DATA, 0, 1)] * count, "tiny frames"),
    "empty_data_of_a_call_that_was_answered": (
        lambda count: [Frame(HEADERS, END_HEADERS, 1, fields(b"/t/Nope"))] + [Frame(DATA, 0, 1)] * count,
        "tiny frames",
    ),
    "padding_alone": (
        lambda count: [Frame(HEADERS, END_HEADERS, 1, CALL)] + [Frame(DATA, PADDED, 1, b"\x09" + bytes(9))] * count,
        "tiny frames",
    ),
    "byte_by_byte": (
        lambda count: [Frame(HEADERS, END_HEADERS, 1, CALL), *(Frame(DATA, 0, 1, b"\0") for _ in range(count))],
        "tiny frames",
    ),
}


@pytest.mark.parametrize(("flood", "what"), FLOODS.values(), ids=FLOODS)
def test_a_flood_ends_the_connection(tight: Served, flood: Flood, what: str) -> None:
    with Peer(tight.address) as peer:
        peer.socket.sendall(b"".join(one.encoded() for one in flood(RATE + 1)))
        assert peer.goaway() is Code.ENHANCE_YOUR_CALM


@pytest.mark.parametrize(("flood", "what"), FLOODS.values(), ids=FLOODS)
def test_as_many_as_may_be_are_borne(tight: Served, flood: Flood, what: str) -> None:
    with Peer(tight.address) as peer:
        peer._last = 1001
        peer.socket.sendall(b"".join(one.encoded() for one in flood(RATE)))
        peer.is_served()


def test_resets_reach_the_calls(tight: Served) -> None:
    """Those of the first packet have not even begun; those that have are cancelled."""
    with Peer(tight.address) as peer:
        streams = [peer.begin(WAIT) for _ in range(RATE // 2)]
        wait_until(lambda: tight.begun == len(streams), "calls that wait")
        peer.send(*(Frame(RST_STREAM, 0, stream, CANCEL) for stream in streams))
        wait_until(lambda: tight.cancelled == len(streams), "their end")
        peer.is_served()


@pytest.mark.parametrize(
    "frame",
    [
        Frame(PING, 0, 0, bytes(8)),
        Frame(PING, ACK, 0, bytes(8)),
        settings([]),
        Frame(SETTINGS, ACK, 0),
        Frame(WINDOW_UPDATE, 0, 0, ONE),
    ],
    ids=["pings", "pongs", "settings", "acknowledgements", "windows"],
)
def test_a_flood_of_frames_about_the_connection_ends_it(tight: Served, frame: Frame) -> None:
    with Peer(tight.address) as peer:
        peer.send(*[frame] * (RATE - 4))  # in the same second there may have been two of these before
        peer.ping() if frame.kind != PING else peer.is_served()
        peer.send(*[frame] * 4 * RATE)
        assert peer.goaway() is Code.ENHANCE_YOUR_CALM


@pytest.mark.parametrize("frame", [Frame(PING, 0, 0, bytes(8)), Frame(WINDOW_UPDATE, 0, 0, ONE)], ids=["pings", "windows"])
def test_calls_allow_for_more_of_them(tight: Served, frame: Frame) -> None:
    with Peer(tight.address) as peer:
        for _ in range(5 * RATE):
            peer.send(frame, frame, frame)
            peer.is_served()


def test_numbers_of_streams_that_are_left_out_are_no_calls(tight: Served) -> None:
    with Peer(tight.address) as peer:
        peer.send(Frame(HEADERS, END_HEADERS, 99_999, CALL), *[Frame(PING, 0, 0, bytes(8))] * 4 * RATE)
        assert peer.goaway() is Code.ENHANCE_YOUR_CALM


def test_many_settings_in_one_frame_concern_streams_once(tight: Served) -> None:
    """What counts is the last of them; in between a window may have been of any size."""
    with Peer(tight.address, [(INITIAL_WINDOW, 0)]) as peer:
        streams = [peer.begin(HOLD, b"ab") for _ in range(SMALL.streams)]
        for _ in range(RATE // 2):
            peer.send(settings([(INITIAL_WINDOW, LARGEST_WINDOW), (INITIAL_WINDOW, 7)] * 1365))
        tight.open()
        answers = peer.answers(streams)
        assert {answer.content for answer in answers.values()} == {message(b"ab")}


# Header blocks.


def test_parts_of_a_block_without_end(tight: Served) -> None:
    """CONTINUATION flood: also of empty ones."""
    for part in (b"", b"x", field(b"x", b"y" * 7000)):
        with Peer(tight.address) as peer:
            parts = [Frame(CONTINUATION, 0, 1, part) for _ in range(SMALL.continuations + 1)]
            peer.send(Frame(HEADERS, 0, 1, CALL), *parts)
            assert peer.goaway() is Code.ENHANCE_YOUR_CALM


def test_a_block_that_is_too_long(tight: Served) -> None:
    with Peer(tight.address) as peer:
        part = field(b"x", b"y" * 16000)
        peer.send(Frame(HEADERS, 0, 1, CALL), *[Frame(CONTINUATION, 0, 1, part)] * 5)
        assert peer.goaway() is Code.ENHANCE_YOUR_CALM


@pytest.mark.parametrize("more", [0, 1])
def test_a_list_that_is_too_long(tight: Served, more: int) -> None:
    """A bomb: many references to one entry of 4,000 bytes."""
    entry = 8 + 3000 + 32
    with Peer(tight.address) as peer:
        stream = peer.next_stream()
        count = (SMALL.header_list_bytes - 500) // entry
        block = CALL + b"\x40\x08x-longer" + b"\x7f\xb9\x16" + b"y" * 3000 + b"\xbe" * (count - 1 + more)
        peer.send(Frame(HEADERS, END_HEADERS, stream, block), Frame(DATA, END_STREAM, stream, message(b"")))
        if more:
            assert peer.goaway() is Code.ENHANCE_YOUR_CALM
        else:
            assert peer.answer(stream).status == 0
            for _ in range(5):
                assert peer.answer(peer.call(CALL + b"\xbe" * count, message(b""))).status == 0


def test_long_lists_of_calls_that_wait_are_memory(tight: Served) -> None:
    """Of all of them together there is only so much; when they end it is back."""
    with serving(memory=2 * MIB) as served, Peer(served.address) as peer:
        peer.call(CALL + b"\x40\x08x-longer" + b"\x7f\xb9\x16" + b"y" * 3000, message(b""))
        block = fields(HOLD) + b"\xbe" * 19
        streams = [peer.call(block, message(b"")) for _ in range(100)]
        (one,) = served.lane._shared.connections
        wait_until(lambda: one._exchange.last == streams[-1], "all calls")
        served.open()
        statuses = [answer.status for answer in peer.answers(streams).values()]
        assert set(statuses) == {0, 8}
        assert statuses.count(0) < 20
        assert peer.answer(peer.call(block, message(b""))).status == 0


# Windows of requests.


def test_more_than_the_window_of_a_stream(tight: Served) -> None:
    with Peer(tight.address) as peer:
        stream = peer.open(b"/t/Idle")
        peer.send(*[Frame(DATA, 0, stream, bytes(16000))] * 4, Frame(DATA, 0, stream, bytes(1535)))
        peer.ping()
        peer.send(Frame(DATA, 0, stream, b"x"))
        assert peer.reset_of(stream) is Code.FLOW_CONTROL_ERROR
        peer.is_served()


def test_more_than_the_window_of_a_stream_by_padding(tight: Served) -> None:
    """What is padding is given back at once, so it can go on for ever; one frame too large cannot."""
    with Peer(tight.address) as peer:
        stream = peer.open(b"/t/Idle")
        peer.send(*[Frame(DATA, PADDED, stream, b"\xff" + message(b"z" * 300) + bytes(255))] * 100)
        peer.ping()
        peer.send(*[Frame(DATA, PADDED, stream, b"\xff" + message(b"z" * 16000) + bytes(255))] * 3)
        assert peer.reset_of(stream) is Code.FLOW_CONTROL_ERROR
        peer.is_served()


def test_more_than_the_window_of_the_connection() -> None:
    """Not more than what is given back can be sent to many streams."""
    with serving(Limits(window_bytes=MIB, connection_window_bytes=65_535)) as served, Peer(served.address) as peer:
        streams = [peer.open(b"/t/Idle") for _ in range(3)]
        frames = [Frame(DATA, 0, stream, bytes(16384)) for stream in streams for _ in range(20)]
        peer.send(*frames)
        peer.is_served()
        assert served.streams == 3


def test_a_window_that_is_not_given_back_yet() -> None:
    """A frame that is larger than what is left of the window of the connection, which its server does not read meanwhile."""
    limits = Limits(frame_bytes=2**20, window_bytes=MIB, connection_window_bytes=65_535)
    with serving(limits) as served, Peer(served.address) as peer:
        peer.send(Frame(DATA, 0, peer.open(b"/t/Idle"), bytes(65_536)))
        assert peer.goaway() is Code.FLOW_CONTROL_ERROR


# Windows of answers, and peers that do not read.


def test_answers_wait_for_windows_and_memory_comes_back(tight: Served) -> None:
    """Bounded: of what waits each connection has a share, a call beyond it is told so."""
    with Peer(tight.address, [(INITIAL_WINDOW, 0)]) as peer:
        streams = [peer.begin(b"/t/Large", b"%d" % MIB) for _ in range(8)]
        refused = peer.answers(streams[4:])
        assert {answer.status for answer in refused.values()} == {8}
        assert 3 * MIB < tight.drawn <= tight.memory // 4
        peer.send(*(Frame(RST_STREAM, 0, stream, CANCEL) for stream in streams[:2]))
        peer.ping()
        assert tight.drawn <= 2 * MIB
        peer.send(Frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 8 * MIB)))
        peer.send(settings([(INITIAL_WINDOW, 2 * MIB)]))
        answers = peer.answers(streams[2:4])
        assert {len(answer.content) for answer in answers.values()} == {MIB + 5}
        assert tight.drawn == 0


def test_answers_that_are_not_taken_are_cancelled(tight: Served) -> None:
    with Peer(tight.address, [(INITIAL_WINDOW, 0)]) as peer:
        stream = peer.begin(b"/t/Large", b"%d" % MIB)
        assert peer.until(HEADERS, stream)
        tight.check(SMALL.stalled_seconds - 5)
        peer.ping()
        tight.check(SMALL.stalled_seconds + 1)
        assert peer.reset_of(stream) is Code.CANCEL
        assert tight.drawn == 0
        peer.ping()


@pytest.mark.parametrize("path", [b"/t/Talk", b"/t/Early"])
def test_answers_of_a_stream_wait_though_its_request_has_no_end(tight: Served, path: bytes) -> None:
    """A handler that has returned is not late with its message."""
    with Peer(tight.address, [(INITIAL_WINDOW, 3)]) as peer:
        stream = peer.begin(path, b"1 5", end=False)
        assert peer.until(DATA, stream).content == b"\0\0\0"
        tight.check(SMALL.message_seconds + 1)
        peer.send(Frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", 100)))
        assert peer.answer(stream).status == 0
        assert peer.reset_of(stream) is Code.NO_ERROR


def unread(peer: Peer, path: bytes, size: int, count: int) -> None:
    """Ask for much, and read nothing of it."""
    peer.send(Frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", LARGEST_WINDOW - 65535)))
    for _ in range(count):
        peer.begin(path, b"%d" % size)


@pytest.mark.parametrize(
    ("path", "size", "count"),
    [(b"/t/LargeAtOnce", 3 * MIB, 20), (b"/t/Large", 3 * MIB, 20), (b"/t/LargeAtOnce", 16_000, 2000), (b"/t/Talk", 0, 0)],
    ids=["at_once", "later", "many_small_ones", "stream"],
)
def test_whoever_does_not_read_holds_little(tight: Served, path: bytes, size: int, count: int) -> None:
    """What the transport holds is bounded, the rest is of the budget; after a while the connection ends."""
    with Peer(tight.address, [(INITIAL_WINDOW, LARGEST_WINDOW)]) as peer:
        peer.socket.settimeout(2)
        with contextlib.suppress(TimeoutError):  # as nothing more is read of what it sends
            if count:
                unread(peer, path, size, count)
            else:
                peer.send(Frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", LARGEST_WINDOW - 65535)))
                for _ in range(10):
                    peer.begin(path, b"100 1000000")
        wait_until(lambda: max(tight.unsent) >= SMALL.unsent_bytes, "a full transport")
        assert max(tight.unsent) < 2 * SMALL.unsent_bytes + 32 * 1024
        assert tight.drawn <= tight.memory // 4
        peer.socket.settimeout(PATIENCE)
        tight.check(SMALL.stalled_seconds + 1)
        wait_until(lambda: tight.lane.connections == 1, "the end of the connection")


@pytest.mark.parametrize("path", [b"/t/LargeAtOnce", b"/t/Large"])
def test_whoever_reads_late_gets_everything(tight: Served, path: bytes) -> None:
    """Also of what he has asked for while nothing was read of him."""
    with Peer(tight.address, [(INITIAL_WINDOW, LARGEST_WINDOW)]) as peer:
        unread(peer, path, 200_000, 10)
        first = peer.begin(ECHO, b"first")
        wait_until(lambda: max(tight.unsent) >= SMALL.unsent_bytes, "a full transport")
        peer.send(*(Frame(PING, 0, 0, bytes(8)) for _ in range(3)))
        last = peer.begin(ECHO, b"last")
        answers = peer.answers([*range(1, 21, 2), first, last])
        assert [len(answers[stream].content) for stream in range(1, 21, 2)] == [200_005] * 10
        assert (answers[first].messages, answers[last].messages) == ([b"first"], [b"last"])


# Time.


def test_a_preface_that_never_comes(tight: Served) -> None:
    host, _, port = tight.address.rpartition(":")
    for said in (b"", PREFACE[:9], PREFACE):
        with socket.create_connection((host, int(port)), PATIENCE) as silent:
            silent.sendall(said)
            wait_until(lambda: tight.lane.connections == 2, "a connection")
            tight.check(SMALL.settings_seconds - 3)
            assert tight.lane.connections == 2
            tight.check(SMALL.settings_seconds + 1)
            received = b""
            while more := silent.recv(65536):
                received += more
            assert received[-25 - len("settings were not acknowledged") + 8 :].endswith(b"settings were not acknowledged")


def test_settings_that_are_not_acknowledged(tight: Served) -> None:
    """Though there are calls."""
    with Peer.__new__(Peer) as peer:
        peer.acknowledges = False
        Peer.__init__(peer, tight.address)
        peer.begin(WAIT)
        peer.is_served()
        tight.check(SMALL.settings_seconds - 3)
        peer.is_served()
        tight.check(SMALL.settings_seconds + 1)
        assert peer.goaway() is Code.SETTINGS_TIMEOUT


def test_idle_connections(tight: Served) -> None:
    with Peer(tight.address) as peer, Peer(tight.address) as busy:
        peer.is_served()
        busy.begin(WAIT)
        busy.ping()
        tight.check(SMALL.idle_seconds - 10)
        busy.ping()
        peer.ping()
        tight.do(lambda: _check_idle(tight, peer))
        assert peer.goaway() is Code.NO_ERROR
        busy.is_served()


def _check_idle(served: Served, peer: Peer) -> None:
    """Only that one: the honest caller is idle as well."""
    name = ":".join(map(str, peer.socket.getsockname()))
    for one in list(served.lane._shared.connections):
        if one._exchange.peer == name:
            one.check(served.loop.time() + SMALL.idle_seconds + 1)


def test_dead_peers_are_probed_and_given_up(tight: Served) -> None:
    with Peer.__new__(Peer) as peer:
        Peer.__init__(peer, tight.address)
        peer.begin(WAIT)
        peer.ping()
        tight.check(SMALL.silent_seconds + 1)
        assert peer.until(PING) == Frame(PING, 0, 0, b"present?")
        peer.ping()
        tight.check(2)
        tight.check(SMALL.silent_seconds + 1)
        peer.acknowledges = False
        assert peer.until(PING) == Frame(PING, 0, 0, b"present?")
        tight.check(2 * SMALL.silent_seconds + 5)
        closed(peer)
    wait_until(lambda: tight.cancelled == tight.begun == 1, "the end of its call")


@pytest.mark.parametrize("path", [ECHO, b"/t/Later", CHAT])
@pytest.mark.parametrize("content", [b"", b"\0", message(b"abc")[:7]], ids=["none", "flag", "half"])
def test_messages_that_do_not_come(tight: Served, path: bytes, content: bytes) -> None:
    with Peer(tight.address) as peer:
        stream = peer.open(path)
        peer.data(stream, content)
        peer.ping()
        tight.check(SMALL.message_seconds - 3)
        assert tight.streams == 1
        tight.check(SMALL.message_seconds + 1)
        assert peer.answer(stream).status == 4
        assert peer.reset_of(stream) is Code.NO_ERROR
        peer.is_served()


def test_a_message_that_comes_byte_by_byte_is_late_as_well(tight: Served) -> None:
    """What counts is since when a message is waited for, not when there was the last part of it."""
    with Peer(tight.address) as peer:
        stream = peer.open(CHAT)
        peer.ping()
        waits = _streams(tight)[0].waits_since
        for byte in message(b"abc")[:7]:
            peer.data(stream, bytes((byte,)))
            peer.ping()
        assert [one.waits_since for one in _streams(tight)] == [waits]


def _streams(served: Served) -> list[Stream]:
    return served.do(lambda: [one for each in served.lane._shared.connections for one in each._exchange.streams.values()])


# Connections.


def test_more_connections_than_there_may_be(tight: Served) -> None:
    """One too many is closed at once, without a word; there is room again when another has ended."""
    with contextlib.ExitStack() as stack:
        peers = [stack.enter_context(Peer(tight.address)) for _ in range(SMALL.connections - 1)]
        assert raw(tight.address, PREFACE) == []
        for peer in peers:
            peer.is_served()
        peers[0].socket.close()
        wait_until(lambda: tight.lane.connections < SMALL.connections, "room for another")
        with Peer(tight.address) as another:
            another.is_served()


def test_whoever_does_not_read_the_last_words_is_closed(tight: Served) -> None:
    with Peer(tight.address, [(INITIAL_WINDOW, LARGEST_WINDOW)]) as peer:
        unread(peer, b"/t/LargeAtOnce", 2 * MIB, 1)
        wait_until(lambda: max(tight.unsent) >= SMALL.unsent_bytes, "a full transport")
        mine = ":".join(map(str, peer.socket.getsockname()))
        one = next(one for one in tight.do(lambda: list(tight.lane._shared.connections)) if one._exchange.peer == mine)
        tight.do(lambda: one._end(Code.NO_ERROR))
        assert tight.lane.connections == 2
        tight.check(SMALL.closing_seconds + 1)
        wait_until(lambda: tight.lane.connections == 1, "the end of the connection")


def test_a_peer_that_is_gone_cancels_its_calls(tight: Served) -> None:
    for close in (Peer.half_close, lambda peer: peer.socket.close()):
        tight.begun = tight.cancelled = 0
        with Peer(tight.address) as peer:
            for path in (WAIT, HOLD, CHAT, b"/t/Idle"):
                peer.begin(path, end=False)
                peer.begin(path)
            peer.ping()
            wait_until(lambda: tight.begun >= 5, "calls that have begun")
            close(peer)
            wait_until(lambda: tight.cancelled >= 4, "their end")


def test_the_table_of_the_server_is_of_the_usual_size(tight: Served) -> None:
    assert TABLE_SIZE not in dict(struct.iter_unpack(">HI", raw(tight.address, BEGINNING + b"\xff" * 9)[0].content))
    assert farewell_in(raw(tight.address, b"x")) is Code.PROTOCOL_ERROR
