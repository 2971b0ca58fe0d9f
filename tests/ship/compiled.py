"""What has no wheel is compiled from the locked sources, once; from other sources, not at all."""

import re
import sys
from pathlib import Path

import pytest

from tests.ship.conftest import ROOT

sys.path.insert(0, str(ROOT / "packaging"))

from builder import compiled
from builder.freeze import LOCKS
from builder.problem import Problem

PYTHON = Path(sys.executable)
NAME = "httptools"


@pytest.fixture(autouse=True)
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where wheels are kept."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "edgeclients" / compiled.HOUSE


def test_it_is_compiled_once() -> None:
    entries, others = compiled.split(LOCKS, {NAME})
    assert len(entries) == 1
    assert not any(NAME in other for other in others)
    (wheel,) = compiled.wheels(PYTHON, entries)
    made = wheel.stat().st_mtime_ns
    assert compiled.wheels(PYTHON, entries) == [wheel]
    assert wheel.stat().st_mtime_ns == made


def test_what_is_left_out_is_in_neither_part() -> None:
    entries, others = compiled.split(LOCKS, {NAME}, {NAME, "segno"})
    assert entries == []
    assert not any(other.startswith(("segno==", f"{NAME}==")) for other in others)


def test_other_sources_are_refused_and_nothing_is_kept(kept: Path) -> None:
    entries, _ = compiled.split(LOCKS, {NAME})
    wrong = [re.sub(r"(?<=sha256:)[0-9a-f]{4}", "0000", entry) for entry in entries]
    with pytest.raises(Problem, match="another checksum than the locked one"):
        compiled.wheels(PYTHON, wrong)
    assert list(kept.iterdir()) == []
