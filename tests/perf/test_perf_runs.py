"""The measurements run; what they measure is not judged here."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.perf.__main__ import MEASUREMENTS


def _measure(*arguments: str, path: str | None = None) -> str:
    environment = None if path is None else {"PATH": path}
    done = subprocess.run(
        [sys.executable, "-m", "tests.perf", "--quick", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_budget_has_a_row(tmp_path: Path) -> None:
    """A short run ends well, prints them all and writes them down."""
    printed = {line.split(" ")[0] for line in _measure("--json", str(tmp_path / "perf.json")).splitlines()}
    assert {*MEASUREMENTS, "memory"} <= printed
    written = json.loads((tmp_path / "perf.json").read_text())
    assert {"machine", "versions", "load driver", "rows"} == set(written)
    assert {*MEASUREMENTS, "memory"} == {row["name"] for row in written["rows"]}
    for row in written["rows"]:
        assert row["figure"]["low"] <= row["figure"]["median"] <= row["figure"]["high"]


def test_growth_is_a_picture(tmp_path: Path) -> None:
    picture = tmp_path / "growth.png"
    _measure("--only", "growth", "--storage", "gateway", "--growth", str(picture))
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("path", [None, "/nonexistent"], ids=["as it is", "without h2load"])
def test_the_curves_are_a_picture(tmp_path: Path, path: str | None) -> None:
    picture = tmp_path / "perf.png"
    _measure("--only", "hit", "--storage", "gateway", "--curves", str(picture), path=path)
    assert picture.read_bytes().startswith(b"\x89PNG")
