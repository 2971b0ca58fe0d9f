"""SIGHUP reads certificates and keys anew: new connections have the new ones, old ones go on, and what is bad is told."""

import http.client
import signal
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import grpc
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.support.api import Api
from tests.support.callee import Reply, asked_by_http
from tests.support.certificates import Authority, Pair, server_context
from tests.support.cloud.plant import planted
from tests.support.cloud.server import Cloud as Neighbours
from tests.support.cloud.server import Fault
from tests.support.cloud.world import SUPER_ADMIN, World
from tests.support.fronts import Front
from tests.support.on_postgres import TOKEN, Cloud
from tests.support.proxy import Proxy
from tests.support.redis import RedisServer
from tests.support.service import Service, started
from tests.support.terminals import WITHOUT
from tests.support.waiting import wait_until

REREAD = "certificates and keys reloaded"
FAILED = "certificates or keys cannot be reloaded; the current ones stay in use"
CLIENTS = 4

BEFORE, AFTER = Authority("before"), Authority("after")


class Files:
    """Where settings find certificates and keys."""

    def __init__(self, folder: Path, **contents: str) -> None:
        self._folder = folder
        self.change(**contents)

    def __getitem__(self, name: str) -> str:
        return str(self._folder / name)

    def change(self, **contents: str) -> None:
        """Write them anew."""
        for name, content in contents.items():
            (self._folder / name).write_text(content)


def reread(service: Service) -> set[str]:
    """Send SIGHUP: the names of the settings that were read anew."""
    service.process.send_signal(signal.SIGHUP)
    return set(service.wait_for(REREAD)["settings"])


class Https:
    """A connection."""

    def __init__(self, service: Service) -> None:
        self._context = ssl.create_default_context(cadata=BEFORE.certificate + AFTER.certificate)
        port = int(service.http.rpartition(":")[2])
        self._http = http.client.HTTPSConnection("localhost", port, timeout=60, context=self._context)
        self._http.connect()
        self.shown = self._shown()

    def __enter__(self) -> "Https":
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def answers(self) -> bool:
        """On this very connection."""
        before = self._http.sock
        self._http.request("GET", "/health")
        response = self._http.getresponse()
        response.read()
        return response.status == http.client.OK and self._http.sock is before

    def _shown(self) -> str:
        subject = cast("Any", self._http.sock).getpeercert()["subject"]
        return str(dict(pair for part in subject for pair in part)["commonName"])


def shown_by_http(service: Service) -> str:
    with Https(service) as connection:
        return connection.shown


class Grpc:
    """A connection of somebody with a certificate, who trusts one authority."""

    def __init__(self, service: Service, trusted: Authority, caller: Pair | None) -> None:
        pair = (caller.key.encode(), caller.certificate.encode()) if caller else (None, None)
        credentials = grpc.ssl_channel_credentials(trusted.certificate.encode(), *pair)
        self._channel = grpc.secure_channel(service.grpc, credentials, [("grpc.use_local_subchannel_pool", 1)])

    def __enter__(self) -> "Grpc":
        return self

    def __exit__(self, *_: object) -> None:
        self._channel.close()

    def answers(self) -> bool:
        try:
            answer = health_pb2_grpc.HealthStub(self._channel).Check(health_pb2.HealthCheckRequest(), timeout=60)
        except grpc.RpcError as error:
            if error.code() is grpc.StatusCode.UNAVAILABLE:
                return False
            raise
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


def grpc_answers(service: Service, trusted: Authority, caller: Pair | None) -> bool:
    with Grpc(service, trusted, caller) as connection:
        return connection.answers()


@pytest.fixture
def files(tmp_path: Path) -> Files:
    pair = BEFORE.sign("old")
    return Files(tmp_path, cert=pair.certificate, key=pair.key, ca=BEFORE.certificate)


def on_both_ports(files: Files) -> dict[str, str]:
    return {
        "MG_CLIENTS_HTTP_SERVER_CERT": files["cert"],
        "MG_CLIENTS_HTTP_SERVER_KEY": files["key"],
        "MG_CLIENTS_GRPC_SERVER_CERT": files["cert"],
        "MG_CLIENTS_GRPC_SERVER_KEY": files["key"],
        "MG_CLIENTS_GRPC_CLIENT_CA_CERTS": files["ca"],
    }


@pytest.fixture
def served(tmp_path: Path, files: Files) -> Iterator[Service]:
    """A service with certificates from files on both ports, and client certificates demanded by gRPC."""
    with started(tmp_path / "data", on_both_ports(files), WITHOUT) as service:
        yield service


@pytest.mark.parametrize("kind", ["the same kind of key", "another kind of key"])
def test_both_ports(served: Service, files: Files, kind: str) -> None:
    """A new authority on both ends: those who are connected notice nothing, others meet the new one."""
    old, new = BEFORE.sign("broker"), AFTER.sign("broker")
    key = rsa.generate_private_key(65537, 2048) if kind.startswith("another") else None
    with Https(served) as http_before, Grpc(served, BEFORE, old) as grpc_before:
        assert http_before.shown == "old"
        assert grpc_before.answers()
        pair = AFTER.sign("new", key=key)
        files.change(cert=pair.certificate, key=pair.key, ca=AFTER.certificate)
        assert shown_by_http(served) == "old"  # a file that changes is not looked at by itself
        assert reread(served) == set(on_both_ports(files))
        assert shown_by_http(served) == "new"
        assert grpc_answers(served, AFTER, new)
        assert not grpc_answers(served, BEFORE, new)
        assert not grpc_answers(served, AFTER, old)
        assert not grpc_answers(served, AFTER, None)
        assert http_before.answers()
        assert grpc_before.answers()


def test_often_while_there_is_traffic(served: Service, files: Files) -> None:
    """Each connection is answered, whichever certificate it meets."""
    caller = BEFORE.sign("broker")
    stopped = threading.Event()

    def call() -> int:
        count = 0
        while not stopped.is_set():
            with Https(served) as connection:
                assert connection.answers()
            assert grpc_answers(served, BEFORE, caller)
            count += 1
        return count

    with ThreadPoolExecutor(CLIENTS) as threads:
        calling = [threads.submit(call) for _ in range(CLIENTS)]
        try:
            for number in range(10):
                pair = BEFORE.sign(f"pair {number}")
                files.change(cert=pair.certificate, key=pair.key)
                reread(served)
                assert shown_by_http(served) == f"pair {number}"
        finally:
            stopped.set()
        assert all(one.result() for one in calling)


BAD: Mapping[str, Callable[[Pair], dict[str, str]]] = {
    "of another key": lambda _: {"key": BEFORE.sign("other").key},
    "cut short": lambda pair: {"cert": pair.certificate[: len(pair.certificate) // 2]},
    "empty": lambda _: {"cert": ""},
    "no certificate": lambda pair: {"cert": pair.key},
}


@pytest.mark.parametrize("fault", BAD)
def test_a_bad_file_is_told_and_the_old_one_stays(served: Service, files: Files, fault: str) -> None:
    caller, pair = BEFORE.sign("broker"), BEFORE.sign("new")
    bad = BAD[fault](pair)
    files.change(cert=pair.certificate, key=pair.key)
    files.change(**bad)
    served.process.send_signal(signal.SIGHUP)
    told = [served.wait_for(FAILED) for _ in ("HTTP", "gRPC")]
    for line, prefix in zip(told, ("MG_CLIENTS_HTTP", "MG_CLIENTS_GRPC"), strict=True):
        assert line["level"] == "ERROR"
        assert line["error"].startswith(f"{prefix}_SERVER_")
        assert files[next(iter(bad))] in line["files"]
        assert "PRIVATE" not in str(line)
    assert shown_by_http(served) == "old"
    assert grpc_answers(served, BEFORE, caller)
    files.change(cert=pair.certificate, key=pair.key)
    reread(served)
    assert shown_by_http(served) == "new"


def test_each_bad_file_has_its_line_and_the_good_ones_are_used(served: Service, files: Files) -> None:
    """gRPC's authority alone: HTTP has the new certificate all the same. gRPC is pickier than Python."""
    caller, pair = BEFORE.sign("broker"), BEFORE.sign("new")
    files.change(cert=pair.certificate, key=pair.key, ca="nothing")
    assert reread(served) == {"MG_CLIENTS_HTTP_SERVER_CERT", "MG_CLIENTS_HTTP_SERVER_KEY"}
    (line,) = [line for line in served.lines if line["msg"] == FAILED]
    assert line["error"].startswith("MG_CLIENTS_GRPC_CLIENT_CA_CERTS is not PEM")
    assert line["files"] == [files["ca"]]
    assert (shown_by_http(served), grpc_answers(served, BEFORE, caller)) == ("new", True)

    Path(files["ca"]).unlink()
    Path(files["key"]).unlink()
    served.process.send_signal(signal.SIGHUP)
    told = [served.wait_for(FAILED) for _ in range(3)]
    assert [line["files"] for line in told] == [[files["key"]], [files["key"]], [files["ca"]]]
    assert all("No such file" in line["error"] for line in told)
    assert (shown_by_http(served), grpc_answers(served, BEFORE, caller)) == ("new", True)

    odd = BEFORE.sign("odd", key=ec.generate_private_key(ec.SECP256K1()))
    files.change(cert=odd.certificate, key=odd.key, ca=BEFORE.certificate)
    served.process.send_signal(signal.SIGHUP)
    assert "gRPC cannot use MG_CLIENTS_GRPC_SERVER_CERT" in served.wait_for(FAILED)["error"]
    assert grpc_answers(served, BEFORE, caller)


def test_pem_in_the_settings_stays_as_it_is(tmp_path: Path) -> None:
    pair = BEFORE.sign("old")
    env = {f"MG_CLIENTS_{port}_SERVER_CERT": pair.certificate for port in ("HTTP", "GRPC")}
    env |= {f"MG_CLIENTS_{port}_SERVER_KEY": pair.key for port in ("HTTP", "GRPC")}
    with started(tmp_path / "data", env, WITHOUT) as service:
        assert reread(service) == set()
        assert (shown_by_http(service), grpc_answers(service, BEFORE, None)) == ("old", True)
        assert "PRIVATE" not in str(service.lines)


def test_workers(cloud: Cloud, tmp_path: Path, files: Files) -> None:
    env = {**cloud.env, **on_both_ports(files), "MG_CLIENTS_WORKERS": "2", "MG_CLIENTS_DB_MAX_CONNECTIONS": "5"}
    with started(tmp_path / "data", env, WITHOUT) as service:
        pair = BEFORE.sign("new")
        files.change(cert=pair.certificate, key=pair.key)
        service.process.send_signal(signal.SIGHUP)
        for _ in range(2):
            assert set(service.wait_for(REREAD)["settings"]) == set(on_both_ports(files))
        assert {shown_by_http(service) for _ in range(30)} == {"new"}
        assert grpc_answers(service, BEFORE, BEFORE.sign("broker"))


def test_postgres(cloud: Cloud, tmp_path: Path) -> None:
    """A new authority on both ends; connections that are there go on."""
    old, new = BEFORE.sign("edgeclients"), AFTER.sign("edgeclients")
    files = Files(tmp_path, cert=old.certificate, key=old.key, root=BEFORE.certificate)
    env = {f"MG_CLIENTS_DB_SSL_{name}": files[name.removesuffix("_CERT").lower()] for name in ("CERT", "KEY", "ROOT_CERT")}
    with Front(cloud.server, server_context(BEFORE.sign("db"), BEFORE.certificate)) as front:
        mode = {"MG_CLIENTS_DB_SSL_MODE": "verify-full"}
        with (
            started(tmp_path / "data", {**cloud.through(front.server), **env, **mode}, WITHOUT) as service,
            Api(service, token=TOKEN) as api,
        ):
            api.create()
            front.show(server_context(AFTER.sign("db"), AFTER.certificate))
            files.change(cert=new.certificate, key=new.key, root=AFTER.certificate)
            assert reread(service) == set(env)
            sessions = (
                "SELECT pid FROM pg_stat_activity WHERE application_name = 'edgeclients' AND datname = current_database()"
            )
            before = set(cloud.rows(sessions))
            api.create()
            assert before & set(cloud.rows(sessions))  # those that were there are used
            cloud.execute(
                "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
                " WHERE application_name = 'edgeclients' AND datname = current_database() AND pid <> pg_backend_pid()"
            )
            wait_until(lambda: api.request("POST", "/clients", json={}).is_success, "a change on a new connection")
            files.change(root="nothing")
            service.process.send_signal(signal.SIGHUP)
            assert service.wait_for(FAILED)["files"] == [files["root"]]
            assert api.create()


def test_redis(tmp_path: Path) -> None:
    """Events, whose server has the certificate of a new authority."""
    files = Files(tmp_path, ca=BEFORE.certificate)
    with RedisServer() as redis, Proxy(redis.port, tls=server_context(BEFORE.sign("redis"))) as proxy:
        env = {"MG_CLIENTS_ES_URL": f"rediss://localhost:{proxy.port}?ssl_ca_certs={files['ca']}"}
        with started(tmp_path / "data", env, WITHOUT) as service, Api(service) as api:
            api.create()
            redis.wait_for(1)
            proxy.show(server_context(AFTER.sign("redis")))
            files.change(ca=AFTER.certificate)
            assert reread(service) == {"ssl_ca_certs of MG_CLIENTS_ES_URL"}
            api.create()
            redis.wait_for(2)  # on the connection that is there
            proxy.cut()
            proxy.mend()
            api.create()
            redis.wait_for(3)


def test_redis_that_processes_share(cloud: Cloud, tmp_path: Path) -> None:
    files = Files(tmp_path, ca=BEFORE.certificate)
    with RedisServer() as redis, Proxy(redis.port, tls=server_context(BEFORE.sign("redis"))) as proxy:
        env = {"MG_CLIENTS_CACHE_URL": f"rediss://localhost:{proxy.port}?ssl_ca_certs={files['ca']}"}
        with started(tmp_path / "data", {**cloud.env, **env}, WITHOUT) as service, Api(service) as api:

            def is_live() -> bool:
                state: str = api.session.get("/ready").json()["cache"]["redis"]
                return state == "live"

            wait_until(is_live, "Redis to be heard")
            proxy.show(server_context(AFTER.sign("redis")))
            files.change(ca=AFTER.certificate)
            assert reread(service) == {"ssl_ca_certs of MG_CLIENTS_CACHE_URL"}
            proxy.cut()
            wait_until(lambda: not is_live(), "Redis to be missed")
            proxy.mend()
            wait_until(is_live, "Redis to be heard again")


def test_callouts(tmp_path: Path) -> None:
    """Who is waited for when the signal comes answers as ever."""
    old, new = BEFORE.sign("gateway 7"), AFTER.sign("gateway 8")
    files = Files(tmp_path, cert=old.certificate, key=old.key, ca=BEFORE.certificate)
    with asked_by_http(server_context(BEFORE.sign("callee"), BEFORE.certificate + AFTER.certificate)) as callee:
        named = {f"MG_CLIENTS_CALLOUT_{name}": files[name.removeprefix("CA_").lower()] for name in ("CERT", "KEY")}
        named["MG_CLIENTS_CALLOUT_CA_CERT"] = files["ca"]
        env = {
            "MG_CLIENTS_CALLOUT_URLS": callee.url,
            "MG_CLIENTS_CALLOUT_OPERATIONS": "create_clients",
            "MG_CLIENTS_CALLOUT_TIMEOUT": "60s",
        }
        with (
            started(tmp_path / "data", {**env, **named}, WITHOUT) as service,
            Api(service) as api,
            ThreadPoolExecutor(1) as thread,
        ):
            callee.reply = callee.silent
            waiting = thread.submit(api.create)
            wait_until(lambda: len(callee.asked) == 1, "the first question")
            files.change(cert=new.certificate, key=new.key)
            assert reread(service) == set(named)
            callee.reply = lambda _: Reply()
            with Api(service, api.domain) as other:
                other.create()
            callee.let_go.set()
            assert waiting.result()["id"]
            assert [asked.certificate for asked in callee.asked] == ["gateway 7", "gateway 8"]
            assert service.stop() == 0


def test_a_service_that_is_asked(tmp_path: Path) -> None:
    """Auth, which comes back with a new authority; before, a call that has begun is finished."""
    old, new = BEFORE.sign("edgeclients"), AFTER.sign("edgeclients")
    files = Files(tmp_path, cert=old.certificate, key=old.key, ca=BEFORE.certificate)
    parts = {"SERVER_CA_CERTS": "ca", "CLIENT_CERT": "cert", "CLIENT_KEY": "key"}
    named = {f"MG_AUTH_GRPC_{part}": files[name] for part, name in parts.items()}
    auth = Neighbours(World(), BEFORE.sign("auth"), BEFORE.certificate)
    with planted(tmp_path / "data", env=named, cloud=auth, command=WITHOUT) as plant, ThreadPoolExecutor(1) as thread:
        plant.root.create()
        gate = threading.Event()
        auth.faults["Authenticate"] = Fault(gate=gate, times=1)
        caller = plant.caller(plant.world.token(plant.root.user, role=SUPER_ADMIN), plant.root.user)
        before = len(auth.calls)
        waiting = thread.submit(caller.create)
        wait_until(lambda: len(auth.calls) > before, "the call to begin")
        assert reread(plant.service) == set(named)
        gate.set()
        assert waiting.result()["id"]
        plant.root.create()
        auth.go_away()
        auth.show(AFTER.sign("auth"), AFTER.certificate)
        files.change(cert=new.certificate, key=new.key, ca=AFTER.certificate)
        assert reread(plant.service) == set(named)
        auth.come_back()
        again = plant.caller(plant.world.token(plant.root.user, role=SUPER_ADMIN), plant.root.user)
        wait_until(lambda: again.request("POST", "/clients", json={}).is_success, "Auth to be heard again")
        files.change(key=old.key)
        plant.service.process.send_signal(signal.SIGHUP)
        assert files["key"] in plant.service.wait_for(FAILED)["files"]
        assert plant.caller(plant.world.token(plant.root.user, role=SUPER_ADMIN), plant.root.user).create()
