"""Whoever reaches the gRPC port sends what he likes: he gets an answer or an end, and nobody else hears of it."""

import contextlib
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import psutil
import pytest

from edgeclients._pb.clients.v1 import clients_pb2, clients_pb2_grpc
from edgeclients._pb.common.v1 import common_pb2
from edgeclients.rpc.grpcio.receiving import EACH, LARGE_EACH
from edgeclients.rpc.health import WATCHERS, WATCHERS_EACH
from tests.support import asking, http2
from tests.support.api import Api, basic
from tests.support.http2 import (
    DATA,
    END_HEADERS,
    HEADERS,
    RST_STREAM,
    Frame,
    Http2,
    fields,
    message,
    status_in,
)
from tests.support.service import Service, started
from tests.support.waiting import PATIENCE, wait_until

MIB = 1024 * 1024
REQUEST = clients_pb2.AuthnReq(token="nobody").SerializeToString()
HEALTH = b"/grpc.health.v1.Health/"
REFLECTION = b"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
RETRIEVE = b"/clients.v1.ClientsService/RetrieveEntities"
WATCH = HEALTH + b"Watch"
IMPATIENT = """
import sys
from edgeclients.cli.main import main
from edgeclients.rpc.grpcio import limits
limits._IDLE_MILLISECONDS = 1500
sys.exit(main(["serve"]))
"""
ATTACKERS = 4
STREAMS = 200

Code = grpc.StatusCode


def number(code: grpc.StatusCode) -> int:
    return int(code.value[0])


def on_both(code: grpc.StatusCode | None) -> dict[str, grpc.StatusCode | None]:
    return {"grpcio": code, "lane": code}


class Honest:
    """A broker that goes on calling, whatever others do."""

    def __init__(self, service: Service) -> None:
        with Api(service) as api:
            client = api.create()
        self.id = client["id"]
        self._request = clients_pb2.AuthnReq(token=basic(client["id"], client["credentials"]["secret"]))
        self._channel = grpc.insecure_channel(service.grpc)
        self._stub = clients_pb2_grpc.ClientsServiceStub(self._channel)  # type: ignore[no-untyped-call]

    def call(self) -> None:
        """Be let in, over the one connection there is; a call that is lost is an error."""
        assert self._stub.Authenticate(self._request, timeout=PATIENCE).id == self.id

    def close(self) -> None:
        self._channel.close()


@pytest.fixture(scope="module")
def victim(grpc_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with started(tmp_path_factory.mktemp("victim") / "data") as running:
        yield running


@pytest.fixture(autouse=True)
def honest(victim: Service) -> Iterator[Honest]:
    """Somebody who is served before, during and after; and the log says nothing of what the others do."""
    lines, caller = len(victim.lines), Honest(victim)
    caller.call()
    yield caller
    caller.call()
    caller.close()
    assert asking.get(f"{victim.http}/ready").json()["grpc"] == "serving"
    assert [line for line in victim.lines[lines:] if line.get("level") != "INFO"] == []


def test_paths_that_are_no_text(victim: Service, honest: Honest) -> None:
    """A thousand, over several connections, while another goes on."""
    for start in range(10):
        with Http2(victim.grpc) as hostile:
            streams = [
                hostile.call(fields(path), message(REQUEST))
                for path in (
                    b"/\xff\xfe",
                    b"\xff",
                    b"/clients.v1.ClientsService/\xc3",
                    b"/\xed\xa0\x80/x",
                    bytes((start + 128,)),
                )
                for _ in range(20)
            ]
            honest.call()
            assert {status_in(end) for end in hostile.ends_of(streams)} == {number(Code.UNIMPLEMENTED)}


@pytest.mark.parametrize(
    "path", [b"", b"x", b"/", b"/x/Nope", b"/clients.v1.ClientsService/Nope", b"/clients.v1.ClientsService/"]
)
def test_methods_that_there_are_not(victim: Service, path: bytes, grpc_server: str) -> None:
    with Http2(victim.grpc) as hostile:
        code = status_in(hostile.end_of(hostile.call(fields(path), message(REQUEST))))
    reset = grpc_server == "lane" and not path  # RFC 9113, section 8.3.1
    assert code == (None if reset else number(Code.UNIMPLEMENTED))


@pytest.mark.parametrize("path", [http2.AUTHENTICATE, RETRIEVE, HEALTH + b"Check", HEALTH + b"List", WATCH])
@pytest.mark.parametrize("content", [None, b"\0", b"\0\0\0\0", b"\0\0\0\0\x08abc"], ids=["none", "flag", "head", "half"])
def test_a_call_that_ends_before_its_message_is_told_so(victim: Service, path: bytes, content: bytes | None) -> None:
    with Http2(victim.grpc) as hostile:
        assert status_in(hostile.end_of(hostile.call(fields(path), content))) == number(Code.INVALID_ARGUMENT)


@pytest.mark.parametrize("path", [http2.AUTHENTICATE, RETRIEVE, HEALTH + b"Check", WATCH, REFLECTION])
def test_bytes_that_are_no_message(victim: Service, path: bytes) -> None:
    with Http2(victim.grpc) as hostile:
        assert status_in(hostile.end_of(hostile.call(fields(path), message(b"\xff\xff")))) == number(Code.INVALID_ARGUMENT)


def test_a_message_that_does_not_come_is_not_waited_for_for_ever(victim: Service) -> None:
    with Http2(victim.grpc, window=0) as hostile:
        streams = [
            hostile.call(fields(path), content, end=False)
            for path in (http2.AUTHENTICATE, RETRIEVE, HEALTH + b"Check", WATCH, REFLECTION)
            for content in (None, b"\0\0\0\0\x08abc")
        ]
        assert {status_in(end) for end in hostile.ends_of(streams)} == {number(Code.DEADLINE_EXCEEDED)}


# None: the call is reset, or is none of gRPC and gets a status of HTTP.
ODD: list[tuple[dict[bytes, bytes | None], bytes, dict[str, grpc.StatusCode | None]]] = [
    ({b"x": b"\xff\xfe"}, message(REQUEST), on_both(Code.PERMISSION_DENIED)),
    ({b"user-agent": b"\xff"}, message(REQUEST), on_both(Code.PERMISSION_DENIED)),
    ({b"traceparent": b"\xff"}, message(REQUEST), on_both(Code.PERMISSION_DENIED)),
    ({b":authority": b"\xff"}, message(REQUEST), on_both(Code.PERMISSION_DENIED)),
    ({b"content-type": b"text/html"}, message(REQUEST), {"grpcio": Code.PERMISSION_DENIED, "lane": None}),
    ({b"x\xff": b"v"}, message(REQUEST), {"grpcio": Code.INTERNAL, "lane": None}),
    ({b"x-bin": b"!!!!"}, message(REQUEST), {"grpcio": Code.INTERNAL, "lane": Code.PERMISSION_DENIED}),
    ({b"x-bin": b"\xff"}, message(REQUEST), {"grpcio": Code.INTERNAL, "lane": Code.PERMISSION_DENIED}),
    ({b"grpc-timeout": b"soon"}, message(REQUEST), on_both(Code.INTERNAL)),
    ({b"grpc-timeout": b"-1S"}, message(REQUEST), on_both(Code.INTERNAL)),
    ({b"grpc-encoding": b"zzz"}, message(REQUEST), {"grpcio": Code.INTERNAL, "lane": Code.PERMISSION_DENIED}),
    ({b"grpc-encoding": b"zzz"}, message(REQUEST, 1), {"grpcio": Code.INTERNAL, "lane": Code.UNIMPLEMENTED}),
    ({}, message(REQUEST, 1), on_both(Code.INTERNAL)),
    ({b"grpc-encoding": b"gzip"}, message(REQUEST, 1), on_both(Code.INTERNAL)),
    ({}, b"\0\xff\xff\xff\xff", on_both(Code.RESOURCE_EXHAUSTED)),
    ({}, message(REQUEST) * 2, {"grpcio": Code.PERMISSION_DENIED, "lane": Code.INTERNAL}),
    ({b":method": b"GET"}, message(REQUEST), on_both(None)),
    ({b"te": None}, message(REQUEST), {"grpcio": None, "lane": Code.PERMISSION_DENIED}),
]


@pytest.mark.parametrize("odd", range(len(ODD)))
def test_whatever_is_sent_has_an_answer_or_an_end(victim: Service, odd: int, grpc_server: str) -> None:
    others, content, codes = ODD[odd]
    code = codes[grpc_server]
    with Http2(victim.grpc) as hostile:
        assert status_in(hostile.end_of(hostile.call(fields(others=others), content))) == (number(code) if code else None)


def test_metadata_without_end(victim: Service, honest: Honest, grpc_server: str) -> None:
    """More than the server has said it takes is refused, and not kept."""
    with Http2(victim.grpc) as hostile:
        if grpc_server == "lane":
            with pytest.raises(OSError, match=r"GOAWAY|closed|reset|Broken"):
                _send_metadata(hostile)
        else:
            assert status_in(_send_metadata(hostile)) == number(Code.RESOURCE_EXHAUSTED)
    honest.call()


def _send_metadata(hostile: Http2) -> bytes:
    """Send 1 MB of it; what ends the call."""
    hostile.send(Frame(HEADERS, 0, 99, fields()))
    for place in range(64):
        hostile.send(Frame(http2.CONTINUATION, 0, 99, http2.field(b"x%d" % place, b"x" * 16000)))
    hostile.send(Frame(http2.CONTINUATION, END_HEADERS, 99), Frame(DATA, 1, 99, message(REQUEST)))
    return hostile.end_of(99)


def test_no_protocol_at_all(victim: Service) -> None:
    for content in (b"\xff" * 100, b"GET / HTTP/1.1\r\n\r\n"):
        with Http2(victim.grpc) as hostile, contextlib.suppress(OSError):
            hostile.socket.sendall(content)
            while hostile.socket.recv(65536):
                pass


@contextlib.contextmanager
def bounded(service: Service, mib: int) -> Iterator[list[Http2]]:
    """Connections to attack over: that takes not more memory than this, and what it took comes back, though they stay."""
    process = psutil.Process(service.process.pid)
    before = process.memory_info().rss
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(Http2(service.grpc, window=0)) for _ in range(ATTACKERS)]
        assert process.memory_info().rss < before + mib * MIB
        wait_until(lambda: process.memory_info().rss < before + 64 * MIB, "memory to come back")


def test_rapid_resets(victim: Service, honest: Honest) -> None:
    with bounded(victim, 200) as attackers:
        for burst in range(20):
            streams = range(400 * burst + 1, 400 * burst + 401, 2)
            frames = [(Frame(HEADERS, END_HEADERS, s, fields()), Frame(RST_STREAM, 0, s, b"\0\0\0\x08")) for s in streams]
            for hostile in attackers:
                with contextlib.suppress(OSError):  # it may be closed for that
                    hostile.send(*(frame for pair in frames for frame in pair))
            honest.call()


def test_hoarded_bodies(victim: Service, honest: Honest, grpc_server: str) -> None:
    """Nearly all of 4 MiB, for each of many calls, as far as the server makes room, and never the end."""
    with bounded(victim, 320) as attackers:
        for hostile in attackers:
            hoarded = hoard(hostile)
            assert hoarded >= 4 * MIB if grpc_server == "lane" else hoarded >= 4 * EACH * MIB - MIB
            honest.call()


def hoard(hostile: Http2) -> int:
    """Begin many calls, send what there is room for until there is no more, and return how much that was."""
    head = message(b"x" * 4 * MIB)[:5]
    left = {hostile.call(fields(), head, end=False): 4 * MIB - 1 for _ in range(STREAMS)}
    in_vain = 0
    while in_vain < 30:
        sent = 0
        for stream, size in left.items():
            while room := min(left[stream], hostile.room(stream)):
                hostile.data(stream, b"x" * room)
                left[stream] -= room
            sent += size - left[stream]
        in_vain = 0 if sent else in_vain + 1
        hostile.end_of(hostile.call(fields(b"/nope")))  # a while, in which there may be more
    return sum(4 * MIB - 1 - size for size in left.values())


def test_slow_readers(victim: Service, honest: Honest, grpc_server: str) -> None:
    """Many large answers that nobody takes: of each connection there are only so many, or so many bytes."""
    with Api(victim) as api:
        response = api.request("POST", "/clients/bulk", json=[{} for _ in range(1000)])
    ids = [client["id"] for client in response.json()["clients"]]
    asked = message(common_pb2.RetrieveEntitiesReq(ids=ids).SerializeToString())
    with bounded(victim, 200) as attackers:
        for hostile in attackers:
            told = [first_of(hostile, hostile.call(fields(RETRIEVE), asked)) for _ in range(2 * LARGE_EACH)]
            if grpc_server == "lane":
                assert set(told) <= {None, number(Code.RESOURCE_EXHAUSTED)}
            else:
                assert told == [None] * LARGE_EACH + [number(Code.RESOURCE_EXHAUSTED)] * LARGE_EACH
            honest.call()


def first_of(hostile: Http2, stream: int) -> int | None:
    """The status in the first headers of a call; None: an answer follows them."""
    while (frame := hostile.frame()).stream != stream or frame.kind != HEADERS:
        pass
    return status_in(frame.content)


def test_watchers_leave_room_for_others(victim: Service, honest: Honest) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(WATCHERS // WATCHERS_EACH):
            hostile = stack.enter_context(Http2(victim.grpc))
            for _ in range(WATCHERS_EACH):
                assert first_of(hostile, hostile.call(fields(WATCH), message(b""))) is None
            assert _watches_too_many(hostile)
        assert _watches_too_many(stack.enter_context(Http2(victim.grpc)))
    with Http2(victim.grpc) as later:
        wait_until(lambda: first_of(later, later.call(fields(WATCH), message(b""))) is None, "a place to watch from")


def _watches_too_many(caller: Http2) -> bool:
    return status_in(caller.end_of(caller.call(fields(WATCH), message(b"")))) == number(Code.RESOURCE_EXHAUSTED)


@pytest.mark.source_only("a fault is put into the program")
def test_who_asks_nothing_is_not_kept_for_ever(tmp_path: Path, grpc_server: str) -> None:
    """Nor is who only sends pings; who waits for an answer is."""
    command = [sys.executable, "-c", IMPATIENT] if grpc_server == "grpcio" else []
    env = {"MG_CLIENTS_GRPC_IDLE_TIMEOUT": "2s"}
    with started(tmp_path / "data", env, command) as service, Http2(service.grpc) as watcher:
        watcher.call(fields(WATCH), message(b""))
        with Http2(service.grpc) as idle, pytest.raises(OSError, match=r"GOAWAY|closed|reset|Broken"):
            _stay(idle)
        watcher.ping()


def _stay(caller: Http2) -> None:
    for _ in range(PATIENCE):
        caller.ping()
        time.sleep(1)  # as keep-alive has it: not more often than it may


def test_pings_without_calls_are_answered(victim: Service) -> None:
    """As keep-alive sends them, only more often; left alone gRPC allows one in two hours."""
    with Http2(victim.grpc) as broker:
        for _ in range(5):
            broker.ping()
            time.sleep(1.2)  # it is what lies between them that is tested


def test_a_flood_of_pings_is_not(victim: Service) -> None:
    with Http2(victim.grpc) as hostile, pytest.raises(OSError, match=r"GOAWAY|closed|reset|Broken"):
        _ping(hostile, 1000)


def _ping(hostile: Http2, times: int) -> None:
    for _ in range(times):
        hostile.ping()
