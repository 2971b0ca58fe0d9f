"""Values that nobody can have meant: `config check` says so, and so does the start, before anything is made."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.api import Api
from tests.support.commands import refused, run
from tests.support.service import started

TOKEN = "a-token-of-some-length"
NAMED = {"MG_CLIENTS_STANDALONE_ID": "op"}
VARIABLE, FILE = "MG_CLIENTS_STANDALONE_TOKEN", "MG_CLIENTS_STANDALONE_TOKEN_FILE"


def told(data: Path, env: Mapping[str, str]) -> str:
    """The one line that both of them have for it."""
    line = refused(data, env).line
    ended = run("config", "check", data=data, env=env)
    assert (ended.code, ended.out) == (78, "")
    assert ended.line == line
    assert not (data / "operator.token").exists()
    return line


@pytest.mark.parametrize(
    ("env", "line"),
    [
        ({VARIABLE: TOKEN + "\r", **NAMED}, f"{VARIABLE}: its value ends with a carriage return"),
        ({VARIABLE: TOKEN + "é", **NAMED}, f"{VARIABLE} cannot be used because it holds characters that are not ASCII"),
        ({"MG_CLIENTS_STANDALONE_DOMAINS": "home,my home"}, "MG_CLIENTS_STANDALONE_DOMAINS: 'my home' is not a domain id"),
        ({"MG_CLIENTS_DATA_DIR": '"data"'}, "MG_CLIENTS_DATA_DIR: its value is in quotes"),
        ({"MG_CLIENTS_DATA_DIR": "data\r"}, "MG_CLIENTS_DATA_DIR: its value ends with a carriage return"),
    ],
)
def test_a_value_that_cannot_work(tmp_path: Path, env: Mapping[str, str], line: str) -> None:
    assert told(tmp_path / "data", env).startswith(f"edgeclients: {line}")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\xef\xbb\xbf" + TOKEN.encode(), "it begins with a byte order mark: save it as UTF-8 without one"),
        (TOKEN.encode("utf-16"), "it is UTF-16: save it as UTF-8"),
        (TOKEN.encode("utf-16-le"), "it is UTF-16: save it as UTF-8"),
        (TOKEN.encode("utf-16-be"), "it is UTF-16: save it as UTF-8"),
        ((TOKEN + "é").encode("latin-1"), "it is not UTF-8 (byte 23), perhaps Latin-1: save it as UTF-8"),
        ((TOKEN + "é").encode(), "it holds characters that are not ASCII"),
        (b"a-token\r\n" + TOKEN.encode(), "it holds a control character"),
        (b"a-token\0" + TOKEN.encode(), "it holds a control character"),
        (b"too short\n", "it is shorter than 16 characters"),
    ],
)
def test_a_token_file_that_cannot_work(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "token"
    path.write_bytes(content)
    line = told(tmp_path / "data", {**NAMED, FILE: str(path)})
    assert line.startswith(f"edgeclients: {FILE}: the token in {path} cannot be used because {reason}")
    assert "restore" not in line
    assert TOKEN not in line


def test_a_token_file_that_is_not_there(tmp_path: Path) -> None:
    line = told(tmp_path / "data", {**NAMED, FILE: str(tmp_path / "none")})
    assert line.startswith(f"edgeclients: {FILE}: {tmp_path / 'none'} cannot be read (No such file or directory)")


@pytest.mark.parametrize("end", ["", "\n", "\r\n", "\n\n", " \n"])
def test_the_last_line_of_a_token_file_may_have_an_end(tmp_path: Path, end: str) -> None:
    (tmp_path / "token").write_bytes(f"{TOKEN}{end}".encode())
    env = {**NAMED, FILE: str(tmp_path / "token")}
    assert run("config", "check", data=tmp_path, env=env).code == 0
    with started(tmp_path / "data", env) as service, Api(service, token=TOKEN) as api:
        assert api.listed() == []


@pytest.mark.parametrize("name", ["operator.token", "operator.id"])
@pytest.mark.parametrize(
    ("encoding", "reason"), [("utf-16", "it is UTF-16"), ("latin-1", "it is not UTF-8"), ("utf-8-sig", "a byte order mark")]
)
def test_what_was_kept_and_saved_in_another_encoding(tmp_path: Path, name: str, encoding: str, reason: str) -> None:
    data = tmp_path / "data"
    with started(data):
        pass
    (data / name).write_bytes(f"{TOKEN}é".encode(encoding))
    line = refused(data).line
    assert f"{data / name} cannot be used, " in line
    assert reason in line
    assert "remove" not in line
