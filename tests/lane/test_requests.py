"""RFC 9113, section 8, case by case: the fields of a request, its content and its trailers."""

import pytest

from edgeclients.lane.frames import Code
from tests.lane.peers import CHAT, ECHO, Peer
from tests.lane.served import Served
from tests.support.http2 import DATA, END_HEADERS, END_STREAM, HEADERS, RST_STREAM, Frame, field, fields, message

Others = dict[bytes, bytes | None]

MALFORMED: dict[str, bytes] = {
    "8_2_1_name_in_upper_case": fields(ECHO, {b"X-Test": b"ok"}),
    "8_2_1_name_with_a_space": fields(ECHO, {b"x test": b"ok"}),
    "8_2_1_name_with_a_colon": fields(ECHO, {b"x:test": b"ok"}),
    "8_2_1_name_with_a_control": fields(ECHO, {b"x\x7f": b"ok"}),
    "8_2_1_name_that_is_no_ascii": fields(ECHO, {b"x\xff": b"ok"}),
    "8_2_1_empty_name": fields(ECHO, {b"": b"ok"}),
    "8_2_1_value_with_nul": fields(ECHO, {b"x": b"a\0b"}),
    "8_2_1_value_with_cr": fields(ECHO, {b"x": b"a\rb"}),
    "8_2_1_value_with_lf": fields(ECHO, {b"x": b"a\nb"}),
    "8_2_1_value_that_ends_with_lf": fields(ECHO, {b"x": b"a\n"}),
    "8_2_1_value_that_begins_with_a_space": fields(ECHO, {b"x": b" a"}),
    "8_2_1_value_that_ends_with_a_tab": fields(ECHO, {b"x": b"a\t"}),
    "8_2_1_path_with_lf": fields(ECHO + b"\n"),
    "8_2_2_connection": fields(ECHO, {b"connection": b"keep-alive"}),
    "8_2_2_keep_alive": fields(ECHO, {b"keep-alive": b"1"}),
    "8_2_2_proxy_connection": fields(ECHO, {b"proxy-connection": b"close"}),
    "8_2_2_transfer_encoding": fields(ECHO, {b"transfer-encoding": b"chunked"}),
    "8_2_2_upgrade": fields(ECHO, {b"upgrade": b"h2c"}),
    "8_2_2_te_other_than_trailers": fields(ECHO, {b"te": b"trailers, deflate"}),
    "8_3_unknown_pseudo_header": fields(ECHO, {b":test": b"ok"}),
    "8_3_pseudo_header_of_responses": field(b":status", b"200") + fields(ECHO),
    "8_3_pseudo_header_behind_the_others": fields(ECHO, {b":authority": None}) + field(b":authority", b"x"),
    "8_3_1_no_method": fields(ECHO, {b":method": None}),
    "8_3_1_no_scheme": fields(ECHO, {b":scheme": None}),
    "8_3_1_no_path": fields(ECHO, {b":path": None}),
    "8_3_1_empty_path": fields(b""),
    "8_3_1_two_methods": field(b":method", b"POST") + fields(ECHO),
    "8_3_1_two_schemes": field(b":scheme", b"http") + fields(ECHO),
    "8_3_1_two_paths": field(b":path", ECHO) + fields(ECHO),
    "8_3_1_two_authorities": field(b":authority", b"x") + fields(ECHO),
    "8_5_connect": field(b":method", b"CONNECT") + field(b":authority", b"x:1"),
    "8_1_1_content_length_that_is_none": fields(ECHO, {b"content-length": b"five"}),
    "8_1_1_negative_content_length": fields(ECHO, {b"content-length": b"-5"}),
    "8_1_1_content_length_without_end": fields(ECHO, {b"content-length": b"1" * 500}),
    "8_1_1_two_content_lengths": field(b":method", b"POST")
    + fields(ECHO, {b":method": None, b"content-length": b"5"})
    + field(b"content-length", b"6"),
    "8_1_no_fields_at_all": b"",
}


@pytest.mark.parametrize("block", MALFORMED.values(), ids=MALFORMED)
def test_malformed(served: Served, block: bytes) -> None:
    """No handler hears of it; the connection goes on, also when the same comes again and again."""
    with Peer(served.address) as peer:
        for _ in range(3):
            stream = peer.next_stream()
            peer.send(Frame(HEADERS, END_HEADERS, stream, block), Frame(DATA, END_STREAM, stream, message(b"")))
            assert peer.answer(stream) == ({}, b"", {}, Code.PROTOCOL_ERROR)
        peer.is_served()
        assert len(served.seen) == 2


@pytest.mark.parametrize("path", [ECHO, b"/t/Later", CHAT])
@pytest.mark.parametrize(
    ("said", "parts"),
    [(0, []), (1, []), (4, [b"\0\0", b"\0\0\0"]), (6, [b"\0\0", b"\0\0\0"]), (0, [b"", b"\0\0\0\0\0"]), (10, [message(b"")])],
    ids=["none_said_to_be_none", "none", "too_many", "too_few", "some_said_to_be_none", "half"],
)
def test_8_1_1_content_length(served: Served, path: bytes, said: int, parts: list[bytes]) -> None:
    with Peer(served.address) as peer:
        stream = peer.next_stream()
        block = fields(path, {b"content-length": b"%d" % said})
        sent = [Frame(DATA, END_STREAM if place == len(parts) - 1 else 0, stream, part) for place, part in enumerate(parts)]
        peer.send(Frame(HEADERS, END_HEADERS | (0 if parts else END_STREAM), stream, block), *sent)
        if said or parts:
            assert peer.reset_of(stream) is Code.PROTOCOL_ERROR
        else:
            assert peer.answer(stream).status == (0 if path == CHAT else 3)
        peer.is_served()


@pytest.mark.parametrize("path", [ECHO, b"/t/Later", CHAT])
def test_8_1_1_content_length_that_is_right(peer: Peer, path: bytes) -> None:
    """Padding does not count."""
    stream = peer.next_stream()
    peer.send(Frame(HEADERS, END_HEADERS, stream, fields(path, {b"content-length": b"8"})))
    peer.send(Frame(DATA, 8, stream, b"\x09" + message(b"abc")[:3] + bytes(9)), Frame(DATA, 1, stream, message(b"abc")[3:]))
    assert peer.answer(stream).messages == [b"abc"]


@pytest.mark.parametrize("path", [ECHO, b"/t/Later", CHAT])
def test_8_1_trailers_end_a_request(served: Served, path: bytes) -> None:
    with Peer(served.address) as peer:
        stream = peer.begin(path, b"abc", end=False)
        peer.send(Frame(HEADERS, 5, stream, field(b"x-checksum", b"1")))
        assert peer.answer(stream).messages == [b"abc"]


@pytest.mark.parametrize("path", [ECHO, CHAT])
@pytest.mark.parametrize(
    ("flags", "block"),
    [
        (END_HEADERS, field(b"x", b"y")),
        (END_HEADERS, b""),
        (5, field(b":path", b"/")),
        (5, field(b":status", b"200")),
        (5, field(b"X", b"y")),
        (5, field(b"x", b"a\0")),
        (5, field(b"connection", b"close")),
    ],
    ids=[
        "no_end",
        "no_end_nor_field",
        "8_1_pseudo_header",
        "8_1_response",
        "8_2_1_upper_case",
        "8_2_1_nul",
        "8_2_2_connection",
    ],
)
def test_8_1_trailers_that_break_a_rule(served: Served, path: bytes, flags: int, block: bytes) -> None:
    with Peer(served.address) as peer:
        stream = peer.begin(path, b"abc", end=False)
        peer.send(Frame(HEADERS, flags, stream, block))
        assert peer.reset_of(stream) is Code.PROTOCOL_ERROR
        peer.is_served()


@pytest.mark.parametrize("end", [True, False])
@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"PUT", b"OPTIONS", b"post"])
def test_8_3_1_another_method(peer: Peer, method: bytes, end: bool) -> None:
    answer = peer.answer(peer.call(fields(ECHO, {b":method": method}), end=end))
    assert answer == ({":status": "405"}, b"", {}, None)
    peer.is_served()


@pytest.mark.parametrize("kind", [None, b"text/html", b"application/json", b"application/grpc-web", b"application/grpcx", b""])
def test_another_content_type(peer: Peer, kind: bytes | None) -> None:
    answer = peer.answer(peer.call(fields(ECHO, {b"content-type": kind}), message(b"")))
    assert answer == ({":status": "415"}, b"", {}, None)


@pytest.mark.parametrize("kind", [b"application/grpc", b"application/grpc+proto", b"application/grpc;charset=utf-8"])
def test_content_types_of_grpc(peer: Peer, kind: bytes) -> None:
    answer = peer.answer(peer.call(fields(ECHO, {b"content-type": kind}), message(b"")))
    assert answer.headers[":status"] == "200"
    assert answer.headers["content-type"] == "application/grpc"


@pytest.mark.parametrize(
    "others",
    [
        {b":authority": None},
        {b":authority": b"\xff"},
        {b":scheme": b"https"},
        {b"te": None},
        {b"x": b""},
        {b"x": b"\xff\xfe"},
        {b"x": b"a b\tc"},
        {b"x-bin": b"!!!!"},
        {b"user-agent": b"\xff"},
        {b"host": b"elsewhere"},
        {b"cookie": b"a=b"},
        {b"expect": b"100-continue"},
        {b"grpc-encoding": b"zzz"},
    ],
    ids=str,
)
def test_what_a_request_may_say(served: Served, others: Others) -> None:
    """Values are bytes; the handler gets them as they are."""
    with Peer(served.address) as peer:
        assert peer.answer(peer.call(fields(ECHO, others), message(b"a"))).messages == [b"a"]
        found = dict(served.seen[-1].fields)
        assert {name: found.get(name) for name in others} == others


def test_fields_are_kept_in_their_order_and_number(served: Served) -> None:
    with Peer(served.address) as peer:
        more = [(b"x", b"1"), (b"y", b"2"), (b"x", b"3")]
        peer.answer(peer.call(fields(ECHO) + b"".join(field(*one) for one in more), message(b"")))
        assert served.seen[-1].fields[-3:] == more


def test_a_malformed_request_that_is_not_complete_is_cancelled_by_its_peer(peer: Peer) -> None:
    stream = peer.next_stream()
    peer.send(Frame(HEADERS, END_HEADERS, stream, MALFORMED["8_3_1_no_path"]), Frame(RST_STREAM, 0, stream, bytes(4)))
    assert peer.reset_of(stream) is Code.PROTOCOL_ERROR
    peer.is_served()
