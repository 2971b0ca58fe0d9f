"""What a command takes away from clients is dead when the command ends, whatever the service was doing for them."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import grpc
import pytest

from edgeclients._pb.clients.v1 import clients_pb2, clients_pb2_grpc
from tests.support.api import Api, basic, of_domain
from tests.support.commands import Ended, ready_to_run, run
from tests.support.service import Service, started

DOMAIN: Final = "plant"
ALONE: Final = 240  # races of one client each, with a command of its own
IMPORTS, IN_EACH = 8, 95  # the other races: the clients of a file
AT_ONCE: Final = 4  # callers that authenticate meanwhile


class Known(NamedTuple):
    """A client, with its secret."""

    id: str
    secret: str

    def tokens(self) -> list[str]:
        return [basic(self.id, self.secret), of_domain(DOMAIN, self.secret)]


class Gate:
    """Asks the service who may get in."""

    def __init__(self, service: Service) -> None:
        self._channel = grpc.insecure_channel(service.grpc)
        self._stub = clients_pb2_grpc.ClientsServiceStub(self._channel)  # type: ignore[no-untyped-call]

    def lets_in(self, token: str) -> bool:
        try:
            return bool(self._stub.Authenticate(clients_pb2.AuthnReq(token=token)).authenticated)
        except grpc.RpcError as error:
            if error.code() is not grpc.StatusCode.PERMISSION_DENIED:
                raise
            return False

    @contextmanager
    def asked_meanwhile(self, tokens: Sequence[str]) -> Iterator[None]:
        """Callers ask for these tokens, again and again."""
        over = threading.Event()

        def ask(first: int) -> None:
            while not over.is_set():
                for token in tokens[first::AT_ONCE]:
                    self.lets_in(token)

        callers = [threading.Thread(target=ask, args=(number % len(tokens),)) for number in range(AT_ONCE)]
        for caller in callers:
            caller.start()
        try:
            yield
        finally:
            over.set()
            for caller in callers:
                caller.join()

    def close(self) -> None:
        self._channel.close()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with ready_to_run(), started(tmp_path_factory.mktemp("races") / "data") as running:
        yield running


@pytest.fixture
def gate(service: Service) -> Iterator[Gate]:
    made = Gate(service)
    yield made
    made.close()


@pytest.fixture
def make(service: Service) -> Iterator[Callable[[int], list[Known]]]:
    """Creates clients."""
    with Api(service, DOMAIN) as api:

        def created(count: int) -> list[Known]:
            found: list[dict[str, Any]] = api.request("POST", "/clients/bulk", json=[{}] * count).json()["clients"]
            return [Known(client["id"], client["credentials"]["secret"]) for client in found]

        yield created


def _race(gate: Gate, clients: Sequence[Known], command: Callable[[], Ended]) -> None:
    """Ask for the clients while the command runs; when it has ended, and ever after, none of them gets in."""
    tokens = [token for client in clients for token in client.tokens()]
    assert all(map(gate.lets_in, tokens)), "from the cache, then"
    with gate.asked_meanwhile(tokens):
        ended = command()
        assert ended.code == 0, ended
        let_in = [token for token in tokens if gate.lets_in(token)]
    assert let_in == []
    assert not any(map(gate.lets_in, tokens))


def test_a_client_that_a_command_changes(service: Service, gate: Gate, make: Callable[[int], list[Known]]) -> None:
    verbs = ("disable", "rotate", "delete")
    for number, client in enumerate(make(ALONE)):
        verb = verbs[number % len(verbs)]
        _race(gate, [client], lambda: run("clients", verb, client.id, "--domain", DOMAIN, data=service.data))  # noqa: B023


@pytest.mark.parametrize("column", ["status", "secret"])
def test_clients_that_an_import_changes(
    service: Service, gate: Gate, make: Callable[[int], list[Known]], tmp_path: Path, column: str
) -> None:
    for number in range(IMPORTS // 2):
        clients = make(IN_EACH)
        file = tmp_path / f"{number}.csv"
        values = ["disabled" if column == "status" else _another(client.secret) for client in clients]
        lines = [f"{client.id},{value}\n" for client, value in zip(clients, values, strict=True)]
        file.write_text(f"id,{column}\n" + "".join(lines))
        _race(gate, clients, lambda: run("import", str(file), "--domain", DOMAIN, data=service.data))  # noqa: B023


def _another(secret: str) -> str:
    """A secret of the same form."""
    return secret[:-1] + ("0" if secret[-1] != "0" else "1")
