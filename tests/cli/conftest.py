"""What runs the commands."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.commands import ready_to_run
from tests.support.elsewhere import Elsewhere, program_for_everybody
from tests.support.service import started
from tests.support.users import NOBODY, is_root


@pytest.fixture(scope="package", autouse=True)
def _commands() -> Iterator[None]:
    """Commands can be run."""
    with ready_to_run():
        yield


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    """An empty data directory where its owner can reach it."""
    if not is_root():
        pytest.skip("only root can act for somebody else")
    with tempfile.TemporaryDirectory(dir="/tmp") as folder, program_for_everybody() as program:
        if not program:
            pytest.skip("no Python here that other users can run")
        Path(folder).chmod(0o755)
        data = Path(folder) / "data"
        data.mkdir(mode=0o700)
        os.chown(data, NOBODY, NOBODY)
        yield Elsewhere(data, program)


@pytest.fixture(params=["running", "stopped"])
def data(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A data directory that a service has made, which runs or not."""
    with started(tmp_path / "data") as service:
        if request.param == "running":
            yield service.data
            return
    yield service.data


@pytest.fixture
def stopped(tmp_path: Path) -> Path:
    """A data directory of a service that has stopped."""
    with started(tmp_path / "data") as service:
        pass
    return service.data
