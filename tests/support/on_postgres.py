"""A service in cloud mode: a database of its own, a pepper, an operator who is named."""

import asyncio
import contextlib
import os
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, NamedTuple

import grpc

from edgeclients._pb.clients.v1 import clients_pb2, clients_pb2_grpc
from edgeclients.store.postgres.connect import connect
from tests.support.api import basic
from tests.support.postgres import Server
from tests.support.service import Service

OPERATOR, TOKEN = "0c9f2c5e-6a0b-4a37-9a3e-3a7c8f6c1d20", "a-token-of-some-length"


class Cloud(NamedTuple):
    """A database, and what a service is told to use it."""

    server: Server
    name: str
    env: dict[str, str]

    @property
    def storage(self) -> dict[str, str]:
        """What a service is told whose callers somebody else knows."""
        return {name: value for name, value in self.env.items() if "STANDALONE" not in name}

    def through(self, server: Server) -> dict[str, str]:
        """What a service is told that reaches the database by another way."""
        return {**self.env, "MG_CLIENTS_DB_HOST": server.host, "MG_CLIENTS_DB_PORT": str(server.port)}

    def execute(self, sql: str) -> None:
        """Run SQL in the database."""
        asyncio.run(self.server.execute(sql, self.name))

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """What a query finds there."""
        return asyncio.run(self.server.rows(self.name, sql))


@contextlib.contextmanager
def cloud_on(server: Server, folder: Path) -> Iterator[Cloud]:
    """An empty database on a server, and a pepper in a folder."""
    pepper = folder / "pepper"
    pepper.write_bytes(os.urandom(32))
    given = {
        "MG_CLIENTS_PEPPER_FILE": str(pepper),
        "MG_CLIENTS_STANDALONE_ID": OPERATOR,
        "MG_CLIENTS_STANDALONE_TOKEN": TOKEN,
    }
    stack = AsyncExitStack()
    with asyncio.Runner() as runner:
        name = runner.run(stack.enter_async_context(server.database()))
        try:
            yield Cloud(server, name, {**server.settings(name), **given})
        finally:
            runner.run(stack.aclose())


@contextlib.contextmanager
def held(cloud: Cloud, lock: int) -> Iterator[None]:
    """Another session holds an advisory lock of the database meanwhile."""
    with asyncio.Runner() as runner:
        link = runner.run(connect(cloud.server.address(cloud.name)))
        try:
            runner.run(link.execute(f"SELECT pg_advisory_lock({lock})"))
            yield
        finally:
            link.terminate()


@contextlib.contextmanager
def clients_locked(cloud: Cloud) -> Iterator[None]:
    """Nobody can change clients meanwhile."""
    with asyncio.Runner() as runner:
        link = runner.run(connect(cloud.server.address(cloud.name)))
        try:
            runner.run(link.execute("BEGIN; LOCK TABLE clients IN EXCLUSIVE MODE"))
            yield
        finally:
            link.terminate()


def secret_works(service: Service, client: dict[str, Any]) -> bool:
    """Whether a client as it was created gets in."""
    token = basic(client["id"], client["credentials"]["secret"])
    with grpc.insecure_channel(service.grpc) as channel:
        stub = clients_pb2_grpc.ClientsServiceStub(channel)  # type: ignore[no-untyped-call]
        try:
            return bool(stub.Authenticate(clients_pb2.AuthnReq(token=token)).id == client["id"])
        except grpc.RpcError as error:
            if error.code() == grpc.StatusCode.PERMISSION_DENIED:
                return False
            raise
