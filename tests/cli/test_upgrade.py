"""A data directory that an older edgeclients left, and what a later one makes of it."""

import contextlib
import itertools
import json
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from edgeclients.files import schema_path
from edgeclients.progress import Progress
from edgeclients.store.migrate import available
from edgeclients.store.sqlite import search
from edgeclients.store.sqlite.database import SqliteDatabase
from edgeclients.store.sqlite.migration import migrate
from edgeclients.store.sqlite.terms import terms
from tests.conftest import authenticate
from tests.support import disks
from tests.support.api import Api, basic
from tests.support.callers import calling
from tests.support.commands import refused, run
from tests.support.database import keep_events, opened, rows, searched
from tests.support.on_postgres import secret_works
from tests.support.ports import free_port
from tests.support.raw import Raw, request
from tests.support.service import Service, started

CURRENT = [(migration.version, migration.name) for migration in available(schema_path("sqlite"))]
BEFORE_REBUILD = CURRENT[:5]  # the next one writes a new file
SUPPORT = Path(__file__).parent.parent / "support"
SCHEMA_5 = {
    "clients": (
        *("id", "domain_id", "status", "secret", "secret_lookup", "secret_scheme", "name", "name_folded", "tags", "identity"),
        *("parent_group_id", "created_at", "updated_at", "changed_at", "updated_by", "metadata", "private_metadata"),
    ),
    "secret_retirements": (
        *("lookup", "client_id", "domain_id", "secret", "secret_scheme", "expires_at", "last_used_at", "retired_at"),
        "counted_from",
    ),
    "connections": ("channel_id", "domain_id", "client_id", "type"),
    "clients_roles": ("entity_id", "name", "id", "actions", "created_at", "created_by", "updated_at", "updated_by"),
    "clients_role_members": ("entity_id", "member_id", "role_id"),
    "peppers": ("key_id", "check_value", "created_at"),
    "operators": ("id", "name", "created_at"),
    "operator_domains": ("operator_id", "domain_id", "standing"),
    "revocations": ("revision", "client_id", "at"),
    "outbox": ("seq", "stream", "client_id", "payload", "occurred_at"),
    "relay": ("store_id", "sent_through", "sent_at", "gap_rows", "gap_first", "gap_last"),
}
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
        keep_events(service)
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
        return {
            table: sorted(connection.execute(f"SELECT {columns} FROM {table}").fetchall(), key=repr)
            for table, columns in _columns(FIRST[:-1]).items()
        }


def _columns(names: Iterable[str]) -> dict[str, str]:
    """The columns of tables in the first schema."""
    (first,) = schema_path("sqlite").glob("0001_*.sql")
    with contextlib.closing(sqlite3.connect(":memory:")) as memory:
        memory.executescript(first.read_text())
        return {
            table: ", ".join(name for _, name, *_ in memory.execute(f"PRAGMA table_info({table})").fetchall())
            for table in names
        }


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

    # With a stream, as without one events are not kept; nobody listens there.
    with started(data, {"MG_CLIENTS_ES_URL": f"127.0.0.1:{free_port()}"}) as service, calling(service) as (_, stub):
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


class Dump(NamedTuple):
    """A data directory as edgeclients with schema 5 left it, and what its users know."""

    data: Path
    known: dict[str, Any]

    def caller(self, service: Service) -> Api:
        return Api(service, self.known["domain"])


@pytest.fixture
def dump(tmp_path: Path) -> Dump:
    folder, data = SUPPORT / "upgrades" / "schema-5", tmp_path / "data"
    known: dict[str, Any] = json.loads((folder / "known.json").read_text())
    data.mkdir(mode=0o700)
    for name in ("clients", "activity"):
        (data / f"{name}.db").touch(mode=0o600)
        with opened(data / f"{name}.db") as file:
            file.executescript((folder / f"{name}.sql").read_text())
            file.execute("PRAGMA journal_mode = WAL").fetchall()
    for name, content in (
        ("pepper", bytes.fromhex(known["pepper"])),
        ("operator.token", known["operator"].encode()),
        ("operator.id", known["operator_id"].encode()),
    ):
        (data / name).touch(mode=0o600)
        (data / name).write_bytes(content)
    return Dump(data, known)


LISTENER = {"MG_CLIENTS_ES_URL": "127.0.0.1:1"}  # nobody listens there: events wait


def test_everything_of_schema_5_is_there_and_works(dump: Dump) -> None:
    whole = content(dump.data)
    with started(dump.data, LISTENER) as service, dump.caller(service) as api:
        assert versions(dump.data) == CURRENT
        assert {name: found for name, found in content(dump.data).items() if name in whole} == whole
        for name, client in dump.known["clients"].items():
            credentials = {"id": client["id"], "credentials": {"secret": client["secret"]}}
            assert secret_works(service, credentials) == (name != "disabled"), name
            assert api.request("GET", f"/clients/{client['id']}").json() == client["viewed"] | seen(api, client["id"]), name
        told, grouped = (dump.known["clients"][name]["id"] for name in ("told", "grouped"))
        assert api.listed(tags="ä") == [told]
        assert api.listed(metadata='{"site":{"room":"b1"}}') == [told]
        assert api.listed(name="STRASSE") == [told]
        assert len(api.listed(tags="meter", name="METER", limit=100)) == 12
        assert api.listed(group=dump.known["group"]) == [grouped]
        with Api(service, api.domain, token=dump.known["badge"]) as ann:
            assert ann.listed() == [told]


def content(data: Path) -> dict[str, list[Any]]:
    """What can be read with the names of schema 5."""
    selects = {name: f"SELECT {', '.join(columns)} FROM {name}" for name, columns in SCHEMA_5.items()}
    with opened(data / "clients.db") as file:
        return {name: sorted(file.execute(select).fetchall(), key=repr) for name, select in selects.items()}


def seen(api: Api, client_id: str) -> dict[str, Any]:
    """When a client was last seen, if it was."""
    viewed = api.request("GET", f"/clients/{client_id}").json()
    return {"last_seen_at": viewed["last_seen_at"]} if "last_seen_at" in viewed else {}


def test_the_old_file_itself_is_kept(dump: Dump) -> None:
    before, number = dumped(dump.data / "clients.db"), (dump.data / "clients.db").stat().st_ino
    with started(dump.data):
        assert (dump.data / "clients.db.schema-5").stat().st_ino == number, "no copy: it takes no more space"
    assert dumped(dump.data / "clients.db.schema-5") == before
    assert not list(dump.data.glob("clients.db.new*"))


def dumped(path: Path) -> list[str]:
    with opened(path) as file:
        return list(file.iterdump())


@pytest.mark.source_only("it calls parts of the program, without the program")
def test_an_upgrade_that_is_killed_is_done_again(dump: Dump, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever it was: at each of its statements."""
    monkeypatch.setattr(search, "LAG", 1)
    before, kills = dumped(dump.data / "clients.db"), 0
    for step in itertools.count(1):
        data = shutil.copytree(dump.data, tmp_path / f"killed-{step}")
        ended = subprocess.run([sys.executable, "-c", _KILLED, str(data), str(step)], check=False)
        if ended.returncode == 0:
            break
        assert ended.returncode == -signal.SIGKILL
        kills += 1
        if versions(data) == BEFORE_REBUILD:
            assert dumped(data / "clients.db") == before
        SqliteDatabase(data / "clients.db").close()
        assert versions(data) == CURRENT
        assert content(data) == content(dump.data)
        check_searched(data)
    assert kills > 50


def check_searched(data: Path) -> None:
    """Every client has its search rows, and no other."""
    with opened(data / "clients.db") as file:
        found = searched(file)
        for number, status, tags, metadata in file.execute("SELECT n, status, tags, metadata FROM client_rows"):
            expected = {("tag", tag) for tag in json.loads(tags or "[]")} | terms(json.loads(metadata or "{}"))
            expected |= {("status", str(status))} if status else set()
            assert found.pop(number, set()) == expected
        assert not found


@pytest.mark.source_only("it calls parts of the program, without the program")
@pytest.mark.skipif(disks.WAY is None, reason="this machine lets nobody mount a disk for himself")
def test_an_upgrade_on_a_full_disk_is_refused_and_done_later(
    dump: Dump, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "LAG", 1)
    before, size = content(dump.data), sum(path.stat().st_size for path in dump.data.iterdir())
    for step in itertools.count(1):
        folder = tmp_path / f"full-{step}"
        folder.mkdir()
        data = shutil.copytree(dump.data, folder / "data")
        room = f"{(size // 4096 + 6 + 2 * step) * 4}k"
        ended = disks.run_on_small_disk(folder / "disk", room, data, [sys.executable, "-c", _UPGRADE])
        assert content(data) == before
        if ended.returncode == 0:
            break
        assert ended.returncode == 1, ended.stderr
        assert "the disk is full: free some space" in ended.stderr or "check that the disk has space" in ended.stderr
        SqliteDatabase(data / "clients.db").close()
        assert versions(data) == CURRENT
        assert content(data) == before
        check_searched(data)
    assert step > 10
    check_searched(data)


_UPGRADE = """
import sys
from pathlib import Path
from edgeclients.store.sqlite import search
from edgeclients.store.sqlite.database import SqliteDatabase

search.LAG = 1
SqliteDatabase(Path(sys.argv[1]) / "clients.db").close()
"""


_KILLED = """
import os, sys
from pathlib import Path
from edgeclients.progress import Progress
from edgeclients.store.sqlite import search
from edgeclients.store.sqlite.database import SqliteDatabase

search.LAG = 1
left = int(sys.argv[2])

def step(event, arguments):
    global left
    if event in {"open", "os.link", "os.rename", "os.remove", "sqlite3.connect"} or event == "statement":
        left -= 1
        if not left:
            os.kill(os.getpid(), 9)

Progress.step = lambda self: sys.audit("statement")
database = Path(sys.argv[1]) / "clients.db"
sys.addaudithook(step)
SqliteDatabase(database).close()
"""


def test_a_file_that_another_program_has_open_is_left_alone(dump: Dump) -> None:
    with opened(dump.data / "clients.db") as other:
        other.execute("BEGIN")
        other.execute("SELECT count(*) FROM clients").fetchall()
        assert "is in use by another program: stop that program" in refused(dump.data).line
        assert versions(dump.data) == BEFORE_REBUILD
    with started(dump.data, LISTENER):
        assert versions(dump.data) == CURRENT


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
