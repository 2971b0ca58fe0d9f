"""What only an executable can get wrong; EDGECLIENTS_BIN names it."""

import os
from pathlib import Path

import httpx
import pyrage
import pytest

from tests.support import asking
from tests.support.commands import run
from tests.support.on_postgres import Cloud
from tests.support.program import EXECUTABLE, LIBRARIES, copied
from tests.support.service import started

assert EXECUTABLE, "EDGECLIENTS_BIN has to name an executable"
HERE = EXECUTABLE.parent


@pytest.fixture(params=["link", "path", "copy"])
def found(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, dict[str, str]]:
    """A way to the executable: what is started, and what its environment has."""
    if request.param == "copy":
        return str(copied(tmp_path / "größer, with blanks")), {}
    assert EXECUTABLE
    link = tmp_path / "bin" / "edgeclients"
    link.parent.mkdir()
    link.symlink_to(EXECUTABLE)
    return (str(link), {}) if request.param == "link" else (link.name, {"PATH": f"{link.parent}:{os.environ['PATH']}"})


def test_it_serves_wherever_it_is(found: tuple[str, dict[str, str]], cloud: Cloud, tmp_path: Path) -> None:
    """With workers, for which it starts itself."""
    program, more = found
    env = {**cloud.env, **more, "MG_CLIENTS_WORKERS": "2", "MG_CLIENTS_DB_MAX_CONNECTIONS": "3"}
    with started(tmp_path / "data", env, ["env", program, "serve"]) as service:
        assert service.ready["workers"] == 2
        assert asking.get(f"{service.http}/docs").status_code == httpx.codes.OK


def test_nothing_is_of_the_building_machine(tmp_path: Path) -> None:
    """Not its Python, nor what was installed there; and protobuf has not fallen back to its slow form."""
    with started(tmp_path / "data") as service:
        maps = Path(f"/proc/{service.process.pid}/maps").read_text()
    loaded = {line.split(maxsplit=5)[5] for line in maps.splitlines() if "/" in line}
    assert [path for path in loaded if "python" in path and not path.startswith(f"{HERE}/")] == []
    assert [path for path in loaded if path.startswith(f"{HERE / LIBRARIES}/google/_upb/_message")]


def test_it_has_what_encrypts_backups(tmp_path: Path) -> None:
    """Both libraries, as they are installed with an extra otherwise."""
    data, passphrase, identity = tmp_path / "data", tmp_path / "passphrase", pyrage.x25519.Identity.generate()
    passphrase.write_text("a passphrase")
    (tmp_path / "identity").write_text(str(identity))
    with started(data):
        ways = {
            "passphrase": (("--passphrase-file", str(passphrase)),) * 2,
            "recipient": (("--recipient", str(identity.to_public())), ("--identity-file", str(tmp_path / "identity"))),
        }
        for name, (how, back) in ways.items():
            backup, restored = str(tmp_path / f"{name}.age"), tmp_path / f"by {name}"
            for ended in (
                run("backup", backup, "--with-pepper", *how, data=data),
                run("restore", backup, *back, data=restored),
            ):
                assert (ended.code, ended.err) == (0, ""), ended
            assert (restored / "pepper").read_bytes() == (data / "pepper").read_bytes()
