"""Calls of every kind, as callers of other ecosystems make them, and what they say of the answers."""

import contextlib
import json
import random
import re
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple
from xml.etree import ElementTree as ET

from tests.support.api import Api
from tests.support.foreign import program
from tests.support.service import Service, started

DENIED: Final = "entity not found : failed to perform authorization over the entity"
SERVICES: Final = (
    "clients.v1.ClientsService",
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
)
_MIX: Final = {
    "right": 30,
    "domain": 10,
    "wrong": 15,
    "entity": 10,
    "nobody": 5,
    "gzip": 5,
    "large": 1,
    "large gzip": 1,
    "too large": 1,
    "racing deadline": 4,
    "racing cancel": 2,
    "silent deadline": 2,
    "silent cancel": 3,
    "check": 3,
    "check nobody": 1,
    "watch deadline": 1,
    "watch cancel": 2,
    "reflection": 2,
    "unimplemented": 2,
}
KINDS: Final = tuple(random.Random(1).sample(list(_MIX), sum(_MIX.values()), counts=list(_MIX.values())))
"""A hundred calls. Few of them are large: a connection may have 16 of those at a time."""

AUTHENTICATE: Final = "/clients.v1.ClientsService/Authenticate"
PER_CHANNEL: Final = 500
AT_ONCE: Final = 16


class Told(NamedTuple):
    """What a caller says: calls by kind, how many answers were wrong, and some of these."""

    counts: dict[str, int]
    wrong: int
    examples: list[str]


class Spec(NamedTuple):
    """What h2spec says: how many tests there are, and which failed or could not be made."""

    tests: int
    failed: set[str]


@contextlib.contextmanager
def serving(folder: Path, server: str) -> Iterator[Service]:
    """A service with this gRPC server."""
    with started(folder / "data", {"MG_CLIENTS_GRPC_SERVER": server}) as service:
        yield service


def call(name: str, service: Service, calls: int, changes: Mapping[str, Any] = {}) -> Told:
    """Let a caller make this many calls; `changes` to its plan let it expect something else.

    Raises:
        Missing: it cannot be built on this machine.
    """
    command = program(name)
    with Api(service) as api:
        plan = {**_plan(service, api, calls), **changes}
        ended = subprocess.run(command, input=json.dumps(plan), capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr[-2000:]
    return Told(**json.loads(ended.stdout))


def expected(calls: int) -> Told:
    """What a caller says when every answer was right."""
    return Told(dict(Counter(KINDS[number % len(KINDS)] for number in range(calls))), 0, [])


def _plan(service: Service, api: Api, calls: int) -> dict[str, Any]:
    """What a caller reads; tests/elsewhere/go/load/plan.go explains it."""
    client = api.create()
    return {
        "Target": _address(service),
        "Domain": api.domain,
        "ID": client["id"],
        "Secret": client["credentials"]["secret"],
        "Denied": DENIED,
        "Services": SERVICES,
        "Kinds": KINDS,
        "Calls": calls,
        "PerChannel": PER_CHANNEL,
        "AtOnce": AT_ONCE,
    }


def _address(service: Service) -> str:
    """The one that the service listens at for certain: some callers prefer IPv6."""
    return f"127.0.0.1:{service.grpc.rpartition(':')[2]}"


def h2spec(port: int, path: str, seconds: int) -> Spec:
    """Run all of h2spec against a method. A test that waits `seconds` has failed.

    Raises:
        Missing: it cannot be built on this machine.
    """
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        to = ["-h", "127.0.0.1", "-p", str(port), "-P", path]
        command = [*program("h2spec"), "generic", "http2", "hpack", *to, "-o", str(seconds), "-j", str(report)]
        ended = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        assert report.exists(), ended.stdout[-2000:]
        cases = list(ET.fromstring(_text_of(report)).iter("testcase"))  # what h2spec wrote just now
    return Spec(len(cases), {f"{case.get('package')}: {case.get('classname')}" for case in cases if len(case)})


def port_of(service: Service) -> int:
    """The port of gRPC."""
    return int(service.grpc.rpartition(":")[2])


def _text_of(report: Path) -> str:
    """A report without the bytes that XML cannot hold: h2spec quotes what a server has said."""
    return re.sub(r"[^\n\x20-\x7e]", "?", report.read_text(encoding="utf-8", errors="replace"))
