"""Servers of Authenticate that are compared: the service on either of its gRPC servers, and servers with nothing in them."""

import base64
import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from edgeclients._pb.clients.v1 import clients_pb2
from tests.perf import anchor
from tests.perf.bare import Bare, bare, started
from tests.perf.fleet import DOMAIN, create
from tests.perf.homes import Home, serving
from tests.support.api import Api
from tests.support.certificates import Authority
from tests.support.service import Service

LANE: Final = "lane"
GRPCIO: Final = "grpcio"
BARE: Final = "bare grpc.aio"
CPP: Final = "C++"
_ID: Final = "4b9e8a0c-0a55-4d53-8d8a-1b6a9d3c5e7f"
_CONSTANT: Final = clients_pb2.AuthnRes(authenticated=True, id=_ID).SerializeToString()


class Contender(NamedTuple):
    """One that serves."""

    name: str
    pid: int
    port: int
    questions: list[tuple[str, str]]
    """A token and the id that is the answer."""


class Tls(NamedTuple):
    """Files of a certificate and a key, and the authority that has signed."""

    certificate: Path
    key: Path
    authority: str


def tls_in(folder: Path) -> Tls:
    """A new certificate for this machine."""
    authority = Authority()
    pair = authority.sign("localhost")
    made = Tls(folder / "certificate.pem", folder / "key.pem", authority.certificate)
    made.certificate.write_text(pair.certificate)
    made.key.write_text(pair.key)
    return made


def on(server: str, tls: Tls | None = None) -> dict[str, str]:
    """What the service is told to use this gRPC server."""
    told = {"MG_CLIENTS_GRPC_SERVER": server}
    if tls is not None:
        told |= {"MG_CLIENTS_GRPC_SERVER_CERT": str(tls.certificate), "MG_CLIENTS_GRPC_SERVER_KEY": str(tls.key)}
    return told


@contextlib.contextmanager
def ours(home: Home, server: str, tls: Tls | None = None) -> Iterator[Contender]:
    """The service with one client."""
    with serving(home, f"{server}{' tls' if tls else ''}", on(server, tls)) as service:
        with contextlib.closing(Api(service, DOMAIN)) as api:
            questions = asked_of(create(api, range(1)))
        yield Contender(server, service.process.pid, port(service), questions)


@contextlib.contextmanager
def all_of(home: Home, program: Path | None, tls: Tls | None = None) -> Iterator[list[Contender]]:
    """All of them at once; `program` is the C++ server, if there is one."""
    files: Sequence[Path] = () if tls is None else (tls.certificate, tls.key)
    with contextlib.ExitStack() as stack:
        found = [stack.enter_context(ours(home, server, tls)) for server in (LANE, GRPCIO)]
        found.append(_empty(BARE, stack.enter_context(bare("grpc", _CONSTANT, files))))
        if program is not None:
            command = [str(program), _CONSTANT.hex(), *map(str, files)]
            found.append(_empty(CPP, stack.enter_context(started(command))))
        yield found


def program_in(folder: Path) -> tuple[Path | None, str]:
    """The C++ server, or None and why there is none."""
    try:
        return anchor.build(folder / "anchor"), ""
    except anchor.NotBuilt as error:
        return None, str(error)


def asked_of(tokens: Sequence[str]) -> list[tuple[str, str]]:
    """These tokens with the ids that are in them."""
    return [(token, base64.b64decode(token.removeprefix("Basic")).partition(b":")[0].decode()) for token in tokens]


def port(service: Service) -> int:
    """Where a service serves gRPC."""
    return int(service.grpc.rpartition(":")[2])


def _empty(name: str, one: Bare) -> Contender:
    return Contender(name, one.pid, one.port, [("Basic" + "QQ" * 40, _ID)])
