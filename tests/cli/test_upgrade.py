"""A data directory that an older edgeclients left, and what a later one makes of it."""

import shutil
import stat
from pathlib import Path
from typing import NamedTuple

import pytest

from edgeclients.files import schema_path
from edgeclients.progress import Progress
from edgeclients.store.migrate import available
from edgeclients.store.sqlite.migration import migrate
from tests.conftest import authenticate
from tests.support.api import Api, basic
from tests.support.callers import calling
from tests.support.commands import refused, run
from tests.support.database import opened, rows
from tests.support.raw import Raw, request
from tests.support.service import Service, started

CURRENT = [(migration.version, migration.name) for migration in available(schema_path("sqlite"))]
FIRST = ("clients", "clients_roles", "clients_role_members", "outbox", "peppers", "store_state")


class Used(NamedTuple):
    """A data directory with clients, stopped, and the ids and secrets of these."""

    data: Path
    domain: str
    secrets: dict[str, str]


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Used:
    """Made by the service as it is."""
    data = tmp_path_factory.mktemp("used") / "data"
    with started(data) as service, Api(service) as api:
        made = [api.create(name=f"n{number}") for number in range(3)]
    return Used(data, api.domain, {client["id"]: client["credentials"]["secret"] for client in made})


def with_schema_1(used: Path, data: Path, scratch: Path) -> Path:
    """The data directory `used` as the first edgeclients would have left it."""
    shutil.copytree(used, data)
    (data / "clients.db").unlink()
    (data / "clients.db").touch(mode=0o600)
    scratch.mkdir()
    (first,) = schema_path("sqlite").glob("0001_*.sql")
    shutil.copy(first, scratch)
    with opened(data / "clients.db") as file:
        migrate(file, data / "clients.db", scratch, Progress())
        file.execute("ATTACH ? AS later", (str(used / "clients.db"),))
        for table in FIRST:
            file.execute(f"DELETE FROM main.{table}")
            columns = ", ".join(name for _, name, *_ in file.execute(f"PRAGMA main.table_info({table})").fetchall())
            file.execute(f"INSERT INTO main.{table} SELECT {columns} FROM later.{table}")
    assert kept(data) == kept(used)
    return data


def kept(data: Path, file: str = "clients.db") -> dict[str, list[object]]:
    """What the first edgeclients knew."""
    with opened(data / file) as connection:
        return {table: connection.execute(f"SELECT * FROM {table}").fetchall() for table in FIRST[:-1]}


def versions(data: Path, file: str = "clients.db") -> list[object]:
    """The migrations that a database has."""
    with opened(data / file) as connection:
        return connection.execute("SELECT version, name FROM schema_migrations ORDER BY version").fetchall()


def tables(data: Path, file: str = "clients.db") -> set[str]:
    with opened(data / file) as connection:
        return {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()}


def status(service: Service, token: str, path: str) -> int:
    """How a request with this token is answered."""
    with Raw(service) as raw:
        return raw.send(request(service, "GET", path, authorization=f"Bearer {token}")).answer().status


def test_the_service_brings_the_first_schema_up_to_date(used: Used, tmp_path: Path) -> None:
    data = with_schema_1(used.data, tmp_path / "data", tmp_path / "schema")
    before = kept(data)
    assert versions(data) == CURRENT[:1]
    assert "older edgeclients" in run("operators", "add", "ann", data=data).line
    assert versions(data) == CURRENT[:1], "only the service changes it"

    with started(data) as service, calling(service) as (_, stub):
        assert versions(data) == CURRENT
        assert kept(data) == before
        for client_id, secret in used.secrets.items():
            assert authenticate(stub, basic(client_id, secret)) == client_id
        assert run("operators", "add", "ann", "--domain", f"{used.domain}=admin", data=data).code == 0
        token = run("operators", "token", "add", "ann", "t", data=data).out.strip()
        assert status(service, token, f"/{used.domain}/clients/{next(iter(used.secrets))}") == 200


def test_the_database_is_kept_as_it_was_before(used: Used, tmp_path: Path) -> None:
    data = with_schema_1(used.data, tmp_path / "data", tmp_path / "schema")
    before = kept(data), tables(data)
    with started(data):
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in data.iterdir()}
    assert modes == dict.fromkeys(modes, 0o600)
    backup = "clients.db.schema-1"
    assert (data / backup).exists()
    assert (kept(data, backup), tables(data, backup)) == before
    assert versions(data, backup) == CURRENT[:1]
    content = (data / backup).read_bytes()
    with started(data):
        pass
    assert (data / backup).read_bytes() == content, "it is made once"


def test_the_backup_can_be_put_back(used: Used, tmp_path: Path) -> None:
    """As one would to go back to the older program."""
    data = with_schema_1(used.data, tmp_path / "data", tmp_path / "schema")
    before = kept(data)
    with started(data) as service, Api(service) as api:
        api.create(name="later")
    (data / "clients.db.schema-1").replace(data / "clients.db")
    assert kept(data) == before
    with started(data) as service, calling(service) as (_, stub):
        client_id, secret = next(iter(used.secrets.items()))
        assert authenticate(stub, basic(client_id, secret)) == client_id


def test_a_new_database_has_nothing_to_be_kept(used: Used) -> None:
    assert [path.name for path in used.data.iterdir() if "schema" in path.name] == []
    assert versions(used.data) == CURRENT


def test_an_operators_token_needs_the_pepper(tmp_path: Path) -> None:
    """It is all there is in the database."""
    data = tmp_path / "data"
    with started(data):
        assert run("operators", "add", "ann", "--domain", "d=member", data=data).code == 0
        token = run("operators", "token", "add", "ann", "t", data=data).out.strip()
    pepper = (data / "pepper").read_bytes()

    (data / "pepper").unlink()
    line = refused(data).line
    assert str(data / "pepper") in line
    assert "restore it" in line
    assert not (data / "pepper").exists(), "never a new one"
    (data / "pepper").write_bytes(bytes(32))
    assert "1 secrets need the pepper" in refused(data).line

    (data / "pepper").write_bytes(pepper)
    with started(data) as service:
        assert status(service, token, "/d/clients") == 200


def test_a_pepper_that_no_token_needs_any_more_may_be_lost(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with started(data):
        assert run("operators", "add", "ann", data=data).code == 0
        assert run("operators", "token", "add", "ann", "t", data=data).code == 0
        assert run("operators", "token", "remove", "ann", "t", data=data).code == 0
    (data / "pepper").unlink()
    with started(data):
        assert (data / "pepper").exists()
    assert rows(data, "SELECT id FROM operators") == [("ann",)]
