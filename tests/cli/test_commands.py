"""The commands that are not `serve`, and what `serve` says and leaves behind."""

import stat
import subprocess
from pathlib import Path

import pytest

from edgeclients import __version__, settings
from tests.support.commands import run
from tests.support.program import PROGRAM
from tests.support.raw import Raw, request
from tests.support.service import started

TOKEN = "a-token-of-some-length"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_version(tmp_path: Path) -> None:
    assert run("version", data=tmp_path).out.strip() == __version__
    assert subprocess.check_output([*PROGRAM, "version"], text=True).strip() == __version__


def test_help_lists_every_variable(tmp_path: Path) -> None:
    told = run("serve", "--help", data=tmp_path).out
    for field in settings.fields():
        assert field.variable.name in told
        assert field.variable.help in told


def test_config_check_prints_what_takes_effect(tmp_path: Path) -> None:
    env = {
        "MG_CLIENTS_STANDALONE_ID": "op",
        "MG_CLIENTS_STANDALONE_TOKEN": TOKEN,
        "MG_CLIENTS_CACHE_KEY_DURATION": "1h30m",
        "MG_CLIENTS_TYPO": "x",
    }
    ended = run("config", "check", data=tmp_path / "data", env=env)
    assert ended.code == 0
    shown = dict(line.split("=", 1) for line in ended.out.splitlines())
    assert list(shown) == [field.variable.name for field in settings.fields()]
    assert shown["MG_CLIENTS_STANDALONE_ID"] == "op"
    assert shown["MG_CLIENTS_STANDALONE_TOKEN"] == "********"
    assert shown["MG_CLIENTS_CACHE_KEY_DURATION"] == "5400s"
    assert shown["MG_CLIENTS_DATA_DIR"] == str(tmp_path / "data")
    assert TOKEN not in ended.out + ended.err
    assert "MG_CLIENTS_TYPO" in ended.err
    assert not (tmp_path / "data").exists(), "only serve makes it"


def test_config_check_prints_every_fault(tmp_path: Path) -> None:
    faults = {"MG_CLIENTS_HTTP_PORT": "x", "MG_CLIENTS_GRPC_PORT": "-1", "MG_CLIENTS_LOG_LEVEL": "loud"}
    ended = run("config", "check", data=tmp_path, env=faults)
    assert ended.code == 78
    assert len(ended.err.splitlines()) == 3
    assert all(name in ended.err for name in faults)


def test_what_serve_says_and_leaves_behind(tmp_path: Path) -> None:
    data = tmp_path / "state" / "data"
    with started(data) as service:
        assert service.ready["data"] == str(data)
        assert service.ready["token_file"] == str(data / "operator.token")
        assert service.ready["http"].startswith("http://localhost:")
        assert service.ready["grpc"].startswith("localhost:")
        token = service.token
        assert len(token) >= 16
        with Raw(service) as raw:
            assert raw.send(request(service, "POST", "/d/clients", b'{"name":"n"}')).answer().status == 201
        assert mode(data) == 0o700
        assert {path.name: mode(path) for path in data.iterdir()} == {path.name: 0o600 for path in data.iterdir()}
        port = {"MG_CLIENTS_HTTP_PORT": service.http.rsplit(":", 1)[1]}
        healthy = run("health", data=data, env=port)
        assert (healthy.code, healthy.out) == (0, "healthy\n")
        assert service.stop() == 0
    assert token not in "\n".join(map(str, service.lines))
    sick = run("health", data=data, env=port)
    assert (sick.code, sick.out) == (1, "")
    assert sick.line
    with started(data) as again:
        assert again.token == token


def test_the_operator_that_is_named(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN + "\n")
    env = {"MG_CLIENTS_STANDALONE_ID": "op", "MG_CLIENTS_STANDALONE_TOKEN_FILE": str(tmp_path / "token")}
    with started(tmp_path / "data", env) as service, Raw(service) as raw:
        assert not (tmp_path / "data" / "operator.token").exists()
        created = request(service, "POST", "/d/clients", b"{}", authorization=f"Bearer {TOKEN}")
        assert raw.send(created).answer().status == 201
    assert TOKEN not in "\n".join(map(str, service.lines))


@pytest.mark.parametrize("given", ["{0}", "{0}:/var/lib/other"])
def test_systemd_names_the_directory(tmp_path: Path, given: str) -> None:
    state = tmp_path / "state"
    env = {"MG_CLIENTS_DATA_DIR": "", "STATE_DIRECTORY": given.format(state)}
    shown = run("config", "check", data=tmp_path, env=env)
    assert f"MG_CLIENTS_DATA_DIR={state}\n" in shown.out


def test_serve_uses_the_directory_systemd_names(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with started(state, {"MG_CLIENTS_DATA_DIR": "", "STATE_DIRECTORY": str(state)}) as service:
        assert service.ready["data"] == str(state)
        assert (state / "clients.db").exists()
