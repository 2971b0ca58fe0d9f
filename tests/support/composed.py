"""The services of packaging/compose.yaml without compose: with their environment, commands and files, on local addresses."""

import asyncio
import contextlib
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self, cast

import grpc
import httpx
import yaml

from edgeclients._pb.clients.v1 import clients_pb2, clients_pb2_grpc
from tests.support.asking import client as asking
from tests.support.names import Names
from tests.support.podman import Podman
from tests.support.postgres import USER, Packaged, Server
from tests.support.postgres import folder as empty_folder
from tests.support.redis import RedisServer
from tests.support.service import Service
from tests.support.waiting import PATIENCE, wait_until

REPLICAS = {"edgeclients-1": "127.0.1.1", "edgeclients-2": "127.0.1.2"}
FRONT, RESOLVER = "127.0.1.3", "127.0.1.53"
_PLACE = "/run/secrets/"
_ACCESS = f"local all all trust\nhost all {USER} 127.0.0.0/8 trust\nhost all all 127.0.0.0/8 scram-sha-256\n"


class Front:
    """What callers see: the load balancer."""

    http = f"http://{FRONT}:9006"
    grpc = f"{FRONT}:7000"

    def __init__(self, token: str) -> None:
        self.token = token

    @property
    def service(self) -> Service:
        """The same, for callers that expect a service."""
        return cast("Service", self)


class Composed:
    """The services of a file, started one by one.

    Args:
        folder: holds `compose.yaml`, `haproxy.cfg` and `secrets`.
        podman: runs the replicas.
        image: of the replicas.
    """

    def __init__(self, folder: Path, podman: Podman, image: str) -> None:
        self._folder = folder
        self._podman = podman
        self._image = image
        self._services: dict[str, dict[str, Any]] = yaml.safe_load((folder / "compose.yaml").read_text())["services"]
        self._stack = contextlib.ExitStack()
        self.front = Front((folder / "secrets" / "token").read_text())
        self.replicas: dict[str, Service] = {}
        self._ends: dict[str, contextlib.ExitStack] = {}

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            servers = dict.fromkeys(("postgres", "redis"), "127.0.0.1")
            stack.enter_context(Names(RESOLVER, {**servers, **REPLICAS}))
            stack.enter_context(self._postgres())
            stack.enter_context(self._redis())
            for name in REPLICAS:
                stack.callback(self.end, name)
                self.start(name)
            stack.enter_context(self._haproxy())
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def start(self, name: str) -> None:
        """Start a replica; it serves when this returns."""
        declared = self._services[name]
        listening = dict.fromkeys(("MG_CLIENTS_HTTP_HOST", "MG_CLIENTS_GRPC_HOST"), REPLICAS[name])
        files = ((f"{self._folder / 'secrets' / secret}", f"{_PLACE}{secret}") for secret in declared["secrets"])
        secrets = [part for pair in files for part in ("--volume", f"{':'.join(pair)}:ro")]
        temporary = [part for place in declared["tmpfs"] for part in ("--tmpfs", place)]
        options = [*secrets, *temporary, "--dns", RESOLVER]
        self._ends[name] = stack = contextlib.ExitStack()
        running = self._podman.serving(name, self._image, {**declared["environment"], **listening}, options=options)
        self.replicas[name] = stack.enter_context(running)

    def end(self, name: str) -> None:
        """Remove a replica, if there is one."""
        if name in self._ends:
            self._ends.pop(name).close()

    def health_of(self, name: str) -> int:
        """The exit code of a replica's health check."""
        kind, *command = self._services[name]["healthcheck"]["test"]
        assert kind == "CMD"
        return self._podman("exec", name, *command, check=False).returncode

    def served_by(self, name: str) -> float:
        """How many calls of `Authenticate` a replica has answered."""
        with asking(base_url=f"http://{REPLICAS[name]}:9006") as caller:
            text = caller.get("/metrics").text
        return sum(map(float, re.findall(r"^clients_authenticate_(?:hits|misses)_total (\S+)$", text, re.MULTILINE)))

    @contextlib.contextmanager
    def _postgres(self) -> Iterator[Packaged]:
        """The server has the user, the password and the database of the file, and takes no other password."""
        env = self._services["postgres"]["environment"]
        password = (self._folder / "secrets" / env["POSTGRES_PASSWORD_FILE"].removeprefix(_PLACE)).read_text()
        with _at_usual_port() as server:
            _run_sql(server, f"CREATE ROLE {env['POSTGRES_USER']} LOGIN PASSWORD '{password}'")
            _run_sql(server, f"CREATE DATABASE {env['POSTGRES_DB']} OWNER {env['POSTGRES_USER']}")
            yield server

    @contextlib.contextmanager
    def _redis(self) -> Iterator[RedisServer]:
        program, *arguments = self._services["redis"]["command"]
        assert program == "redis-server"
        server = RedisServer(*(one.replace(_PLACE, f"{self._folder / 'secrets'}/") for one in arguments))
        server.port = 6379
        with server:
            yield server

    @contextlib.contextmanager
    def _haproxy(self) -> Iterator[None]:
        """Debian's program with the configuration as it is; it asks our DNS server."""
        (self._folder / "resolv.conf").write_text(f"nameserver {RESOLVER}\n")
        script = 'mount --bind "$1" /etc/resolv.conf && exec haproxy -db -f "$2"'
        files = (str(self._folder / name) for name in ("resolv.conf", "haproxy.cfg"))
        command = ["unshare", "--mount", "sh", "-c", script, "sh", *files]
        with (self._folder / "haproxy.log").open("wb") as log:
            process = subprocess.Popen(command, env={**os.environ, "LISTEN_ADDRESS": FRONT}, stdout=log, stderr=log)
        try:
            wait_until(lambda: self._answers(process), "the load balancer to answer")
            yield
        finally:
            process.terminate()
            process.wait(PATIENCE)

    def _answers(self, process: "subprocess.Popen[bytes]") -> bool:
        if process.poll() is not None:
            raise AssertionError(f"the load balancer ended: {(self._folder / 'haproxy.log').read_text()}")
        try:
            with asking(base_url=self.front.http) as caller:
                return caller.get("/ready").status_code == httpx.codes.OK
        except httpx.TransportError:
            return False


def authenticated(stub: clients_pb2_grpc.ClientsServiceStub, token: str) -> str:
    """The id behind a token; empty if it is denied."""
    try:
        return str(stub.Authenticate(clients_pb2.AuthnReq(token=token), timeout=PATIENCE).id)
    except grpc.RpcError as error:
        if error.code() == grpc.StatusCode.PERMISSION_DENIED:
            return ""
        raise


@contextlib.contextmanager
def _at_usual_port() -> Iterator[Packaged]:
    with empty_folder() as path:
        server = Packaged(path)
        server.server = Server("127.0.0.1", 5432, USER, "")
        (path / "data" / "pg_hba.conf").write_text(_ACCESS)
        with server:
            yield server


def _run_sql(server: Packaged, sql: str) -> None:
    asyncio.run(server.server.execute(sql))
