"""Why it does not start: one line that says what and what to do, an exit code, and no secret in either."""

import contextlib
import os
import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.api import Api, error_of
from tests.support.commands import refused
from tests.support.database import opened, rows
from tests.support.service import started

TOKEN = "a-token-of-some-length"


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with a client in it, stopped."""
    data = tmp_path_factory.mktemp("used") / "data"
    with started(data) as service, Api(service) as api:
        for number in range(200):
            api.create(name=f"n{number}", metadata={"text": "x" * 500})
    return data


@pytest.fixture
def data(used: Path, tmp_path: Path) -> Path:
    """A copy of it, to be spoilt."""
    return shutil.copytree(used, tmp_path / "data")


@contextlib.contextmanager
def taken_port() -> Iterator[str]:
    """A port somebody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield str(listener.getsockname()[1])


@pytest.mark.parametrize("transport", ["HTTP", "GRPC"])
def test_a_port_that_is_taken(tmp_path: Path, transport: str) -> None:
    with taken_port() as port:
        address = {f"MG_CLIENTS_{transport}_HOST": "127.0.0.1", f"MG_CLIENTS_{transport}_PORT": port}
        line = refused(tmp_path / "data", address).line
    assert f"127.0.0.1:{port}" in line
    assert f"MG_CLIENTS_{transport}_" in line


@pytest.mark.parametrize("transport", ["HTTP", "GRPC"])
def test_an_unknown_host(tmp_path: Path, transport: str) -> None:
    line = refused(tmp_path / "data", {f"MG_CLIENTS_{transport}_HOST": "no-such-host.invalid"}).line
    assert "no-such-host.invalid" in line
    assert f"MG_CLIENTS_{transport}_HOST" in line


def test_a_directory_that_is_in_use(tmp_path: Path) -> None:
    with started(tmp_path / "data") as service:
        line = refused(tmp_path / "data").line
        assert service.process.poll() is None
    assert str(tmp_path / "data") in line
    assert "in use by another edgeclients" in line


def below_a_file(tmp_path: Path) -> Path:
    (tmp_path / "file").touch()
    return tmp_path / "file" / "data"


def a_file(tmp_path: Path) -> Path:
    (tmp_path / "data").touch()
    return tmp_path / "data"


def nobodys(_: Path) -> Path:
    """Where not even root can make a directory."""
    return Path("/sys/edgeclients")


def read_only(_: Path) -> Path:
    """Where not even root can make a file."""
    return Path("/sys/kernel")


@pytest.mark.parametrize("place", [below_a_file, a_file, nobodys, read_only])
def test_a_directory_that_cannot_be_written(tmp_path: Path, place: Callable[[Path], Path]) -> None:
    path = place(tmp_path)
    line = refused(path).line
    assert str(path) in line
    assert "MG_CLIENTS_DATA_DIR" in line


def newer(data: Path) -> None:
    with opened(data / "clients.db") as file:
        file.execute("INSERT INTO schema_migrations VALUES (9999, 'later', 'x', 0)")


def by_another_file(data: Path) -> None:
    with opened(data / "clients.db") as file:
        file.execute("UPDATE schema_migrations SET checksum = 'x' WHERE version = 1")


def of_the_original(data: Path) -> None:
    with opened(data / "clients.db") as file:
        file.execute("CREATE TABLE gorp_migrations (id TEXT)")


def of_something_else(data: Path) -> None:
    (data / "clients.db").unlink()
    with opened(data / "clients.db") as file:
        file.execute("CREATE TABLE recipes (id TEXT)")


def garbage(data: Path) -> None:
    (data / "clients.db").write_bytes(os.urandom(100_000))


def a_directory(data: Path) -> None:
    (data / "clients.db").unlink()
    (data / "clients.db").mkdir()


def header_gone(data: Path) -> None:
    with (data / "clients.db").open("r+b") as file:
        file.write(bytes(100))


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (newer, "has schema 9999"),
        (by_another_file, "0001_clients.sql"),
        (of_the_original, "original Magistrala"),
        (of_something_else, "not a database of edgeclients"),
        (garbage, "damaged: restore it from the backup"),
        (header_gone, "damaged: restore it from the backup"),
        (a_directory, "clients.db"),
    ],
)
def test_a_database_that_is_not_ours_to_open(data: Path, spoil: Callable[[Path], None], told: str) -> None:
    spoil(data)
    before = (data / "clients.db").read_bytes() if (data / "clients.db").is_file() else b""
    line = refused(data).line
    assert str(data / "clients.db") in line
    assert told in line
    assert not before or (data / "clients.db").read_bytes() == before, "it was left as it was"


@pytest.mark.parametrize("left", [50, 5000, 0.5])
def test_a_database_cut_short(data: Path, left: float) -> None:
    """As after a bad copy."""
    path = data / "clients.db"
    os.truncate(path, int(left if left > 1 else left * path.stat().st_size))
    line = refused(data).line
    assert str(path) in line
    assert "restore it from the backup" in line


@pytest.mark.parametrize("table", ["store_state", "peppers", "schema_migrations"])
def test_a_damaged_page_that_every_start_reads(data: Path, table: str) -> None:
    damage(data, table)
    line = refused(data).line
    assert str(data / "clients.db") in line
    assert "restore it from the backup" in line


def test_a_damaged_page_that_only_requests_read(data: Path) -> None:
    """Their callers are told, without the driver's words; the process goes on."""
    client_id, domain_id = rows(data, "SELECT id, domain_id FROM clients LIMIT 1")[0]
    damage(data, "client_rows")
    with started(data) as service, Api(service, domain_id) as api:
        for method, path in (("GET", f"/{client_id}"), ("PATCH", f"/{client_id}"), ("POST", ""), ("GET", "")):
            assert error_of(api.request(method, f"/clients{path}", json={"name": "n"})) == (503, "unavailable")
        assert service.process.poll() is None


def damage(data: Path, table: str) -> None:
    """Overwrite the first page of a table."""
    with opened(data / "clients.db") as file:
        page = file.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,)).fetchall()[0][0]
        size = file.execute("PRAGMA page_size").fetchall()[0][0]
    with (data / "clients.db").open("r+b") as raw:
        raw.seek((page - 1) * size)
        raw.write(b"\xff" * size)


def test_no_pepper_where_secrets_need_it(data: Path) -> None:
    (data / "pepper").unlink()
    line = refused(data).line
    assert str(data / "pepper") in line
    assert "restore it" in line
    assert not (data / "pepper").exists(), "never a new one"


def test_a_pepper_that_is_too_short(data: Path) -> None:
    (data / "pepper").write_bytes(b"short")
    line = refused(data).line
    assert str(data / "pepper") in line
    assert "5 bytes, not 32" in line


def test_another_pepper_than_secrets_need(data: Path) -> None:
    (data / "pepper").write_bytes(bytes(32))
    line = refused(data).line
    assert "200 secrets need the pepper" in line
    assert "MG_CLIENTS_PEPPER_FILE" in line


def test_an_older_pepper_that_is_still_needed(data: Path, tmp_path: Path) -> None:
    (tmp_path / "new").write_bytes(bytes(range(32)))
    line = refused(data, {"MG_CLIENTS_PEPPER_FILE": str(tmp_path / "new")}).line
    assert "200 secrets need the pepper" in line
    assert "after the new one" in line


def test_a_pepper_file_that_is_not_there(tmp_path: Path) -> None:
    line = refused(tmp_path / "data", {"MG_CLIENTS_PEPPER_FILE": str(tmp_path / "none")}).line
    assert str(tmp_path / "none") in line


def test_all_malformed_variables_are_told_together(tmp_path: Path) -> None:
    ended = refused(
        tmp_path / "data",
        {
            "MG_CLIENTS_HTTP_PORT": "eighty",
            "MG_CLIENTS_GRPC_PORT": "70000",
            "MG_CLIENTS_MODE": "cluster",
            "MG_CLIENTS_CACHE_KEY_DURATION": "soon",
            "MG_CLIENTS_ARGON2_PASSES": "0",
        },
    )
    assert ended.code == 78
    assert sorted(line.split(":")[1].strip() for line in ended.err.splitlines()) == [
        "MG_CLIENTS_ARGON2_PASSES",
        "MG_CLIENTS_CACHE_KEY_DURATION",
        "MG_CLIENTS_GRPC_PORT",
        "MG_CLIENTS_HTTP_PORT",
        "MG_CLIENTS_MODE",
    ]
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("env", "told"),
    [
        ({"MG_CLIENTS_STANDALONE_ID": "op"}, "MG_CLIENTS_STANDALONE_TOKEN"),
        ({"MG_CLIENTS_STANDALONE_TOKEN": TOKEN}, "MG_CLIENTS_STANDALONE_ID"),
        ({"MG_CLIENTS_STANDALONE_ID": "op", "MG_CLIENTS_STANDALONE_TOKEN": "hunter2"}, "16 characters"),
        (
            {
                "MG_CLIENTS_STANDALONE_ID": "op",
                "MG_CLIENTS_STANDALONE_TOKEN": TOKEN,
                "MG_CLIENTS_STANDALONE_TOKEN_FILE": "/dev/null",
            },
            "exclude each other",
        ),
        ({"MG_CLIENTS_STANDALONE_ID": "op", "MG_CLIENTS_STANDALONE_TOKEN_FILE": "/no/such/file"}, "/no/such/file"),
        ({"MG_CLIENTS_STANDALONE_ID": "op", "MG_CLIENTS_STANDALONE_TOKEN_FILE": "/dev/null"}, "MG_CLIENTS_STANDALONE_TOKEN"),
        ({"MG_CLIENTS_STANDALONE_ID": "o" * 300, "MG_CLIENTS_STANDALONE_TOKEN": TOKEN}, "254 characters"),
        ({"MG_CLIENTS_AUTH_PLUGIN": "oracle"}, "'oracle' is installed (available: magistrala, standalone)"),
        ({"MG_CLIENTS_HTTP_SERVER_CERT": "/no/such/file"}, "MG_CLIENTS_HTTP_SERVER_KEY is missing"),
        ({"MG_CLIENTS_GRPC_SERVER_KEY": "/no/such/file"}, "MG_CLIENTS_GRPC_SERVER_CERT is missing"),
        ({"MG_CLIENTS_GRPC_CLIENT_CA_CERTS": "/no/such/file"}, "MG_CLIENTS_GRPC_SERVER_CERT"),
        (
            {"MG_CLIENTS_HTTP_SERVER_CERT": "/no/such/file", "MG_CLIENTS_HTTP_SERVER_KEY": "/no/such/file"},
            "MG_CLIENTS_HTTP_SERVER_CERT cannot be read",
        ),
        (
            {"MG_CLIENTS_HTTP_SERVER_CERT": "/dev/null", "MG_CLIENTS_HTTP_SERVER_KEY": "/dev/null"},
            "MG_CLIENTS_HTTP_SERVER_CERT is not PEM",
        ),
    ],
)
def test_settings_that_do_not_fit_together(tmp_path: Path, env: dict[str, str], told: str) -> None:
    ended = refused(tmp_path / "data", env)
    assert told in ended.line
    assert not any(secret in ended.out + ended.err for secret in (TOKEN, "hunter2"))


def test_a_malformed_secret_is_not_shown(tmp_path: Path) -> None:
    ended = refused(tmp_path / "data", {"MG_CLIENTS_STANDALONE_ID": "op", "MG_CLIENTS_STANDALONE_TOKEN": "h\nunter2"})
    assert "unter2" not in ended.out + ended.err


def test_an_operator_id_without_its_token(tmp_path: Path) -> None:
    """Made at the first start; one of the two was lost since."""
    with started(tmp_path / "data"):
        pass
    (tmp_path / "data" / "operator.id").unlink()
    line = refused(tmp_path / "data").line
    assert str(tmp_path / "data" / "operator.id") in line


def test_a_refused_start_leaves_the_directory_usable(data: Path) -> None:
    with taken_port() as port:
        refused(data, {"MG_CLIENTS_HTTP_HOST": "127.0.0.1", "MG_CLIENTS_HTTP_PORT": port})
    with started(data) as service, Api(service, "another") as api:
        assert api.listed() == []
