"""No back-end is left out: each runs every contract there is."""

import importlib
import inspect

import pytest

BACKENDS = ("sqlite", "postgres")
CONTRACTS = ("activity", "clients", "connections", "listing", "operators", "outbox", "properties", "roles", "secrets", "views")


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
