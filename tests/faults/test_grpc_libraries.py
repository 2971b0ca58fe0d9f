"""What serving gRPC needs of libraries: not the gRPC library, and the fast decoder of headers only to be fast."""

import sys
from pathlib import Path

import grpc
import pytest

from edgeclients._pb.clients.v1 import clients_pb2
from tests.conftest import authenticate
from tests.support.api import basic
from tests.support.callers import calling
from tests.support.service import started

pytestmark = pytest.mark.source_only("a library is hidden from the program")

_WITHOUT = "import sys; sys.modules[{missing!r}] = None; from edgeclients.cli.main import main; sys.exit(main(['serve']))"
_OTHER = """
import sys, types
other = types.ModuleType("jh2._hazmat")
class Decoder:
    def __init__(self, most): pass
    def decode(self, block, raw): {does}
other.Decoder = Decoder
sys.modules["jh2._hazmat"] = other
from edgeclients.cli.main import main
sys.exit(main(["serve"]))
"""
SLOW = "the fast decoder of headers is not usable: gRPC calls cost more"


def _served(tmp_path: Path, program: str) -> list[str]:
    """The warnings of a service that is started by this program, and lets a client in."""
    command = [sys.executable, "-c", program]
    with started(tmp_path / "data", {"MG_CLIENTS_GRPC_SERVER": "lane"}, command) as service, calling(service) as (api, stub):
        client = api.create()
        for _ in range(3):
            assert authenticate(stub, basic(client["id"], client["credentials"]["secret"])) == client["id"]
        with pytest.raises(grpc.RpcError):
            stub.Authenticate(clients_pb2.AuthnReq(token="nobody"))
        return [line["msg"] for line in service.lines if line["level"] not in {"INFO", "DEBUG"}]


def test_a_gateway_does_not_load_the_grpc_library(tmp_path: Path) -> None:
    assert _served(tmp_path, _WITHOUT.format(missing="grpc")) == []


def test_without_the_fast_decoder(tmp_path: Path) -> None:
    assert _served(tmp_path, _WITHOUT.format(missing="jh2._hazmat")) == [SLOW]


@pytest.mark.parametrize(
    "does",
    ["return []", "raise ValueError", "return [(b':method', b'GET', False), (b':scheme', b'http', False)]", "return None"],
)
def test_a_fast_decoder_that_is_another_one(tmp_path: Path, does: str) -> None:
    """One that decodes otherwise, or does not bound the list."""
    assert _served(tmp_path, _OTHER.format(does=does)) == [SLOW]
