"""What an import takes of a gateway's memory: it follows the size of its lines, not their number or what they unpack to."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.test_memory_served import MOST_MIB, mib
from tests.support.api import Api
from tests.support.service import AS_INSTALLED, started

MIB = 1024 * 1024
LARGE = "x" * 60_000


def brackets() -> Iterator[bytes]:
    """Lines of 1 MiB, each with 350,000 empty lists."""
    for number in range(60):
        head = b'{"external_id":"M%d","metadata":{"a":[' % number
        yield head + b"[]," * ((MIB - len(head) - 10) // 3) + b"[]]}}\n"


def values() -> Iterator[bytes]:
    """Rows of a byte a value."""
    yield ",".join(["external_id", *(f"metadata.{number}" for number in range(2000))]).encode() + b"\n"
    for number in range(1200):
        yield b"C%d" % number + b",1" * 2000 + b"\n"


def large() -> Iterator[bytes]:
    """Good lines with about as much metadata as a client may have."""
    for number in range(1500):
        yield json.dumps({"external_id": f"L{number}", "metadata": {"a": LARGE}}).encode() + b"\n"


CSV, JSONL = "text/csv", "application/jsonl"
FILES = {"brackets": (JSONL, brackets), "values": (CSV, values), "large": (JSONL, large)}


@pytest.mark.source_only("an executable unpacks and loads other things; its memory is measured where it is made")
@pytest.mark.parametrize("dry_run", [True, False], ids=["dry", "in earnest"])
@pytest.mark.parametrize("name", FILES)
def test_a_file_that_unpacks_to_much_fits_a_small_box(tmp_path: Path, name: str, dry_run: bool) -> None:
    media_type, lines = FILES[name]
    with started(tmp_path / "data", AS_INSTALLED) as service, Api(service) as api:
        query = {"dry_run": str(dry_run).lower()}
        headers = {"content-type": media_type}
        response = api.request("POST", "/clients/import", content=lines(), headers=headers, params=query)
        summary = json.loads(response.text.splitlines()[-1])
        assert sum(summary.values()) == sum(1 for _ in lines()) - (media_type == CSV)
        most = mib(service, "VmHWM")
        print(f"{most} MiB at most")
        assert most <= MOST_MIB
