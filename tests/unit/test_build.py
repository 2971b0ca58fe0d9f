"""Which build this is: what the executables say of themselves, and what others do."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from edgeclients import build
from edgeclients.ops.health import health_document


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    build.this_build.cache_clear()
    yield
    build.this_build.cache_clear()


def test_a_build_from_the_sources_knows_nothing() -> None:
    document = health_document("")
    assert (document["commit"], document["build_time"]) == ("ffffffff", "1970-01-01_00:00:00")


def test_an_executable_knows_its_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "build.json").write_text('{"commit": "0123abcd", "time": "2026-11-26_08:00:00"}')
    monkeypatch.setattr(build, "_FILE", tmp_path / "build.json")
    document = health_document("")
    assert (document["commit"], document["build_time"]) == ("0123abcd", "2026-11-26_08:00:00")
