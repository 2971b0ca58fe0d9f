"""No back-end is left out: each runs every contract there is."""

import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import GRPC_SERVERS, ON_EACH_STORAGE, STORAGES

BACKENDS = ("sqlite", "postgres")
CONTRACTS = (
    "activity",
    "clients",
    "clock",
    "connections",
    "journal",
    "listing",
    "operators",
    "outbox",
    "properties",
    "provisioning",
    "roles",
    "secrets",
    "views",
)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_back_end_runs_every_contract(backend: str) -> None:
    suite = importlib.import_module(f"tests.conformance.test_{backend}")
    run = {
        base
        for _, test in inspect.getmembers(suite, inspect.isclass)
        if test.__name__.startswith("Test")
        for base in test.__bases__
    }
    for name in CONTRACTS:
        module = importlib.import_module(f"tests.conformance.{name}")
        contracts = {cls for title, cls in inspect.getmembers(module, inspect.isclass) if title.endswith("Contract")}
        assert contracts
        assert contracts <= run


@pytest.mark.parametrize("room", ON_EACH_STORAGE)
def test_what_speaks_from_outside_is_run_on_each_storage(room: str) -> None:
    """Nothing is left out: as many tests of the shared service on one storage as on the other."""
    listed = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", f"tests/{room}"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    counts = [len(re.findall(rf"\[(?:(?:{'|'.join(GRPC_SERVERS)})-)?{storage}", listed)) for storage in STORAGES]
    assert counts[0] == counts[1] > 0


def test_what_needs_a_program_of_debian_is_run_where_it_is() -> None:
    root = Path(__file__).parents[2]
    said = (root / ".ci" / "check_debian_servers").read_text()
    assert "tests/cli/pgbouncer.py" in said
    assert (root / "tests/cli/pgbouncer.py").is_file()
