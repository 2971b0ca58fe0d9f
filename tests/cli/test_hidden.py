"""Commands that root runs for somebody else, with a Python that only root can read."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pyrage
import pytest

from tests.support.certificates import Authority
from tests.support.hidden import Hidden
from tests.support.on_postgres import Cloud
from tests.support.service import started
from tests.support.users import NOBODY, is_root


@pytest.fixture
def hidden() -> Iterator[Hidden]:
    """With an operator, and a token of hers."""
    if not is_root():
        pytest.skip("only root can act for somebody else")
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        data = Path(folder) / "data"
        with started(data):
            pass
        yield Hidden.made(Path(folder) / "root", data)


COMMANDS = [
    ("operators", "add", "ann", "--domain", "d=admin"),
    ("operators", "change", "ann", "--name", "Änne"),
    ("operators", "token", "add", "ann", "phone", "--expires-in", "720h"),
    ("operators", "token", "list", "ann"),
    ("operators", "list"),
    ("operators", "token", "remove", "ann", "phone"),
    ("operators", "remove", "ann"),
    ("events", "status"),
]


def test_every_command_has_all_that_it_needs(hidden: Hidden) -> None:
    for output in ("text", "json"):
        for command in COMMANDS:
            ended = hidden.run(*command, "--output", output)
            assert (ended.code, ended.err) == (0, ""), (command, ended)
            assert ended.out


@pytest.mark.parametrize(
    ("command", "line"),
    [
        (("operators", "add", "two words"), "id"),
        (("operators", "remove", "nobody"), "operator not found"),
        (("operators", "token", "remove", "nobody", "x"), "not found"),
        (("operators", "token", "add", "nobody", "x"), "operator not found"),
    ],
)
def test_what_cannot_be_done_is_one_line(hidden: Hidden, command: tuple[str, ...], line: str) -> None:
    ended = hidden.run(*command)
    assert ended.code == 1
    assert line in ended.line


def test_a_database_that_is_damaged_is_one_line(hidden: Hidden) -> None:
    (hidden.data / "clients.db").write_bytes(os.urandom(100_000))
    assert "is damaged" in hidden.run("operators", "list").line


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_move_and_back(hidden: Hidden, cloud: Cloud, host: str) -> None:
    """By address, and by a name that has to be resolved."""
    assert hidden.run("operators", "add", "ann").code == 0
    server = cloud.server
    if not server.host.startswith("/"):
        server = server._replace(host=host)
    url, env = f"postgres://{server.user}@/{cloud.name}", {**server.settings(cloud.name)}
    pepper = hidden.folder / "pepper"
    ended = hidden.run("move", "--to", url, "--pepper", str(pepper), env=env)
    assert (ended.code, ended.err) == (0, ""), ended
    for path in hidden.data.iterdir():
        path.unlink()
    env["MG_CLIENTS_PEPPER_FILE"] = str(pepper)
    ended = hidden.run("move", "--from", url, "--pepper", str(hidden.data / "pepper"), env=env)
    assert (ended.code, ended.err) == (0, ""), ended
    assert {path.stat().st_uid for path in hidden.data.iterdir()} == {NOBODY}
    assert hidden.run("operators", "list").out.startswith("ID ")


def test_a_backup_and_back(hidden: Hidden) -> None:
    """In clear, and encrypted in either way; and what is wrong is one line."""
    identity = pyrage.x25519.Identity.generate()
    for name, text in {"passphrase": "a passphrase", "identity": str(identity), "pepper": ""}.items():
        (hidden.folder / name).write_text(text)
    (hidden.folder / "pepper").write_bytes((hidden.data / "pepper").read_bytes())
    ways = {
        "clear": ((), ("--pepper", str(hidden.folder / "pepper"))),
        "sealed": (
            ("--with-pepper", "--passphrase-file", str(hidden.folder / "passphrase")),
            ("--passphrase-file", str(hidden.folder / "passphrase")),
        ),
        "recipient": (
            ("--with-pepper", "--recipient", str(identity.to_public())),
            ("--identity-file", str(hidden.folder / "identity")),
        ),
    }
    assert hidden.run("operators", "add", "ann").code == 0
    for name, (how, back) in ways.items():
        ended = hidden.run("backup", str(hidden.folder / name), *how)
        assert (ended.code, ended.err) == (0, ""), ended
        for path in hidden.data.iterdir():
            path.unlink()
        (hidden.folder / "cut").write_bytes((hidden.folder / name).read_bytes()[:-100])
        assert "use another backup" in hidden.run("restore", str(hidden.folder / "cut"), *back).line
        ended = hidden.run("restore", str(hidden.folder / name), *back)
        assert (ended.code, ended.err) == (0, ""), ended
        assert {path.stat().st_uid for path in hidden.data.iterdir()} == {NOBODY}
        assert "ann" in hidden.run("operators", "list").out


def test_a_doctor_has_all_that_it_needs(hidden: Hidden, tmp_path: Path) -> None:
    pair = Authority().sign("server")
    tls = {"MG_CLIENTS_HTTP_SERVER_CERT": pair.certificate, "MG_CLIENTS_HTTP_SERVER_KEY": pair.key}
    assert [hidden.run("doctor", *more, env=env).code for more in ((), ("--json",)) for env in ({}, tls)] == [0, 1, 0, 1]
    (hidden.data / "clients.db").write_bytes(os.urandom(100_000))
    ended = hidden.run("doctor")
    assert (ended.code, ended.err) == (2, "")


def test_a_gateway_that_does_not_run_is_served_by_a_program_that_its_owner_can_read(hidden: Hidden) -> None:
    file = hidden.folder / "t.csv"
    file.write_text("name\nx\n")
    for command in (("import", str(file), "--domain", "d"), ("clients", "list", "--domain", "d")):
        ended = hidden.run(*command)
        assert ended.code == 1
        assert "let everybody read the program" in ended.line
