"""`edgeclients move`: a data directory becomes a database, and the other way round, with nothing lost and nothing halved."""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg
import httpx
import pytest
from argon2 import PasswordHasher

from edgeclients.store.postgres.store import PostgresDatabase
from edgeclients.store.sqlite.terms import terms
from tests.cli.test_upgrade import with_schema_1
from tests.support.api import Api
from tests.support.commands import Ended, run
from tests.support.database import keep_events, opened, searched
from tests.support.elsewhere import Elsewhere
from tests.support.on_postgres import Cloud, secret_works
from tests.support.postgres import Server
from tests.support.program import PROGRAM
from tests.support.service import Service, environment, started
from tests.support.waiting import PATIENCE, wait_until

PLANT = "plant"
CHANNEL = "d8e9c2f0-5a4b-4e0e-9c39-0d5e6f1a2b3c"
GROUP = "1b0c2f0d-6a6b-4b8e-9d55-7a3f2c1e0d4a"
CHOSEN = "open sesame, please"
BATCHES = 3  # of the copying, at least
# All but the newest clients, which lists look through.
OLDER = "SELECT n, tags, metadata FROM client_rows, store_state WHERE n <= indexed_through"
HIDDEN = ("schema_migrations", "sqlite_stat1", "names", "totals", "client_ids")  # how the rows are kept
LEASE = "lease_owner = NULL, lease_until = 0"  # who sends events does not come along


class Home(NamedTuple):
    """A gateway's data directory that holds something of everything, and what its users know."""

    data: Path
    clients: dict[str, dict[str, Any]]
    old_secret: str
    badge: str


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Home:
    data = tmp_path_factory.mktemp("move") / "data"
    bounds = {"MG_CLIENTS_OUTBOX_MAX_ROWS": "350"}  # so that some events are dropped
    with started(data, bounds) as service, Api(service, PLANT) as api:
        keep_events(service)
        many = [{"name": f"meter {n}", "tags": ["meter"], "metadata": {"n": n}} for n in range(BATCHES * 100)]
        assert api.request("POST", "/clients/bulk", json=many).status_code == httpx.codes.OK
        clients = {
            "plain": api.create(),
            "told": api.create(
                name="Straße \U0001f321 %_\\ 'x'",
                tags=['"a"', "b,c", "{}", "NULL", "ä"],
                metadata={"n": 2**70, "x": 1.0, "deep": [{"k": [None, True, 1e300]}, []], "ü\n": "\u2028"},
                private_metadata={"z": 1, "a": 0.10},
            ),
            "chosen": api.create(name="chosen", credentials={"secret": CHOSEN, "identity": "who@where"}),
            "retiring": api.create(name="retiring"),
            "disabled": api.create(name="disabled", status="disabled"),
            "grouped": api.create(name="grouped"),
            "gone": api.create(name="gone"),
        }
        _done(run("operators", "add", "ann", "--name", "Ann Ä", "--domain", f"{PLANT}=member", data=data))
        badge = _done(run("operators", "token", "add", "ann", "laptop", "--expires-in", "720h", data=data)).strip()
        api.give_role(clients["told"]["id"], "reader", ["read"], ["ann"])
        api.give_role(clients["plain"]["id"], "nobody", ["update"])
        body = {"channel_ids": [CHANNEL], "client_ids": [clients["told"]["id"]], "types": ["publish", "subscribe"]}
        assert api.request("POST", "/channels/connect", json=body).status_code == httpx.codes.CREATED
        parent = {"parent_group_id": GROUP}
        assert api.request("POST", f"/clients/{clients['grouped']['id']}/parent", json=parent).is_success
        assert secret_works(service, clients["plain"])
        assert secret_works(service, clients["gone"])
        assert not secret_works(service, {**clients["plain"], "credentials": {"secret": "not this"}})
        assert api.request("DELETE", f"/clients/{clients.pop('gone')['id']}").is_success
        rotated = api.request("PATCH", f"/clients/{clients['retiring']['id']}/secret", json={"generate": True, "grace": 3600})
        old_secret = clients["retiring"]["credentials"]["secret"]
        clients["retiring"]["credentials"]["secret"] = rotated.json()["credentials"]["secret"]
        imported = data.with_name("imported.jsonl")
        imported.write_text('{"name":"imported","credentials":{"secret":"' + CHOSEN + '"}}\n')
        _done(run("import", str(imported), "--domain", "elsewhere", "--all-new", data=data))
    return Home(data, clients, old_secret, badge)


@pytest.fixture
def home(filled: Home, tmp_path: Path) -> Home:
    return filled._replace(data=shutil.copytree(filled.data, tmp_path / "data"))


def _done(ended: Ended) -> str:
    assert (ended.code, ended.err) == (0, ""), ended
    return ended.out


def _url(cloud: Cloud) -> str:
    return f"postgres://{cloud.server.user}@{cloud.server.host}:{cloud.server.port}/{cloud.name}"


def _password(cloud: Cloud) -> dict[str, str]:
    return {"MG_CLIENTS_DB_PASS": cloud.server.password}


def _out(data: Path, cloud: Cloud, pepper: Path, env: Mapping[str, str] = {}) -> Ended:
    """Move a data directory into the database."""
    return run("move", "--to", _url(cloud), "--pepper", str(pepper), data=data, env={**_password(cloud), **env})


def _back(data: Path, cloud: Cloud, pepper: Path) -> Ended:
    """Move the database into a data directory."""
    env = {**_password(cloud), "MG_CLIENTS_PEPPER_FILE": str(pepper)}
    return run("move", "--from", _url(cloud), "--pepper", str(data / "pepper"), data=data, env=env)


def _serving(cloud: Cloud, home: Home, pepper: Path, data: Path) -> contextlib.AbstractContextManager[Service]:
    """The service on the database, with the gateway's operator."""
    operator = {
        "MG_CLIENTS_STANDALONE_ID": (home.data / "operator.id").read_text(),
        "MG_CLIENTS_STANDALONE_TOKEN": (home.data / "operator.token").read_text(),
        "MG_CLIENTS_PEPPER_FILE": str(pepper),
    }
    return started(data, {**cloud.env, **operator})


def _rows(connection: sqlite3.Connection, table: str) -> list[tuple[Any, ...]]:
    columns = [name for _, name, *_ in connection.execute(f"PRAGMA table_info({table})") if name != "id_bytes"]
    return connection.execute(f"SELECT {', '.join(columns)} FROM {table}").fetchall()


def _content(data: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table of a data directory."""
    with opened(data / "clients.db") as connection:
        connection.execute("ATTACH ? AS activity", (str(data / "activity.db"),))
        connection.execute(f"UPDATE relay SET {LEASE}")
        wanted = "SELECT name FROM {}sqlite_schema WHERE type IN ('table', 'view') AND NOT (name LIKE '%rows' OR name IN {})"
        names = connection.execute(f"{wanted.format('', HIDDEN)} UNION ALL {wanted.format('activity.', HIDDEN)}").fetchall()
        found = {name: sorted(_rows(connection, name), key=repr) for (name,) in names}
    assert {"last_seen", "outbox", "operators"} < set(found)
    return found


def _is_empty(cloud: Cloud) -> bool:
    return cloud.rows("SELECT (SELECT count(*) FROM clients) + (SELECT count(*) FROM peppers), revision FROM store_state") == [
        (0, 0)
    ]


def _make_tables(cloud: Cloud) -> None:
    async def make() -> None:
        await (await PostgresDatabase.opened(cloud.server.address(cloud.name))).close()

    asyncio.run(make())


def _authenticated(service: Service, client_id: str, secret: str) -> bool:
    return secret_works(service, {"id": client_id, "credentials": {"secret": secret}})


def test_every_row_comes_back_as_it_went(home: Home, cloud: Cloud, tmp_path: Path) -> None:
    """Through PostgreSQL and back, what is derived for searching included."""
    before = _content(home.data)
    assert [name for name, rows in before.items() if not rows] == [], "something of everything"
    _done(_out(home.data, cloud, tmp_path / "pepper.cloud"))
    assert _content(home.data) == before, "where it came from everything stays"
    _done(_back(tmp_path / "again", cloud, tmp_path / "pepper.cloud"))
    assert _content(tmp_path / "again") == before
    assert (tmp_path / "again" / "pepper").read_bytes() == (home.data / "pepper").read_bytes()
    for path in (tmp_path / "pepper.cloud", tmp_path / "again" / "pepper", tmp_path / "again" / "clients.db"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_everything_works_at_the_new_place(home: Home, cloud: Cloud, tmp_path: Path) -> None:
    pepper = tmp_path / "pepper.cloud"
    _done(_out(home.data, cloud, pepper))
    clients = home.clients
    with _serving(cloud, home, pepper, tmp_path / "none") as service, Api(service, PLANT) as api:
        for name in ("plain", "told", "chosen", "retiring", "grouped"):
            assert secret_works(service, clients[name]), name
        assert _authenticated(service, clients["retiring"]["id"], home.old_secret)
        assert not secret_works(service, clients["disabled"])
        assert api.listed(metadata='{"deep":[{"k":[true]}],"x":1}', tags="ä") == [clients["told"]["id"]]
        assert api.listed(name="STRASSE") == [clients["told"]["id"]]
        assert len(api.listed(tags="meter", limit=100)) == 100
        viewed = api.request("GET", f"/clients/{clients['told']['id']}").json()
        assert viewed["metadata"] == clients["told"]["metadata"]
        assert "last_seen_at" in api.request("GET", f"/clients/{clients['plain']['id']}").json()
        with Api(service, PLANT, token=home.badge) as ann:
            assert ann.listed() == [clients["told"]["id"]]
        # Revisions and numbers of events go on where they were.
        assert api.request("POST", f"/clients/{clients['plain']['id']}/disable").is_success
        assert not secret_works(service, clients["plain"])
    newest = max(number for number, *_ in _content(home.data)["outbox"])
    told = cloud.rows(f"SELECT seq, stream, client_id FROM outbox WHERE seq > {newest}")
    assert told == [(newest + 1, "client.disable", clients["plain"]["id"])]


def test_a_gateway_goes_on_with_what_the_cloud_had(home: Home, cloud: Cloud, tmp_path: Path) -> None:
    pepper, data = tmp_path / "pepper.cloud", tmp_path / "again"
    _done(_out(home.data, cloud, pepper))
    with _serving(cloud, home, pepper, tmp_path / "none") as service, Api(service, PLANT) as api:
        added = api.create(name="cloudy", metadata={"made": {"in": "cloud"}}, tags=["cloud"])
    _done(_back(data, cloud, pepper))
    with started(data) as service, Api(service, PLANT) as api:
        assert secret_works(service, added)
        assert secret_works(service, home.clients["chosen"])
        assert api.listed(metadata='{"made":{"in":"cloud"}}', tags="cloud") == [added["id"]]
        assert api.request("DELETE", f"/clients/{added['id']}").is_success
    for place in (home.data, data):
        with opened(place / "clients.db") as connection:
            for number, tags, metadata in connection.execute(OLDER):
                expected = {("tag", tag) for tag in json.loads(tags or "[]")} | terms(json.loads(metadata or "{}"))
                assert {term for term in searched(connection).get(number, set()) if term[0] != "status"} == expected


def test_what_was_moved_is_told(home: Home, cloud: Cloud, tmp_path: Path) -> None:
    env = _password(cloud)
    ended = run(
        "move", "--to", _url(cloud), "--pepper", str(tmp_path / "p"), "--output", "json", data=home.data, env=env
    )  # fmt: skip
    rows = json.loads(_done(ended))["rows"]
    before = _content(home.data)
    assert rows == {name: len(before[name]) for name in before}
    assert rows["clients"] > BATCHES * 100
    text = _done(_back(tmp_path / "again", cloud, tmp_path / "p"))
    assert f"clients{rows['clients']:>18}".split() in [line.split() for line in text.splitlines()]
    assert text.endswith("Every row was compared.\n")


def test_two_peppers_in_use_go_along_both(home: Home, cloud: Cloud, tmp_path: Path) -> None:
    newer, files = tmp_path / "newer", [tmp_path / "one", tmp_path / "two"]
    newer.write_bytes(os.urandom(32))
    both = {"MG_CLIENTS_PEPPER_FILE": f"{newer},{home.data / 'pepper'}"}
    assert "peppers in use: 2, files named for them: 1" in _out(home.data, cloud, files[0], both).line
    named = [part for path in files for part in ("--pepper", str(path))]
    _done(run("move", "--to", _url(cloud), *named, data=home.data, env={**_password(cloud), **both}))
    assert [path.read_bytes() for path in files] == [newer.read_bytes(), (home.data / "pepper").read_bytes()]
    with started(tmp_path / "none", {**cloud.env, "MG_CLIENTS_PEPPER_FILE": ",".join(map(str, files))}) as service:
        assert secret_works(service, home.clients["plain"])


def test_a_target_that_is_not_empty_is_refused(home: Home, cloud: Cloud, tmp_path: Path) -> None:
    pepper = tmp_path / "pepper.cloud"
    _done(_out(home.data, cloud, pepper))
    assert "is not empty (peppers): move into a new one" in _out(home.data, cloud, pepper).line
    before = _content(home.data)
    env = {**_password(cloud), "MG_CLIENTS_PEPPER_FILE": str(pepper)}
    ended = run("move", "--from", _url(cloud), "--pepper", str(home.data / "pepper"), data=home.data, env=env)
    assert "is not empty (peppers): move into a new one" in ended.line
    assert _content(home.data) == before


def test_a_database_that_only_counted_is_not_empty(home: Home, cloud: Cloud, tmp_path: Path) -> None:
    """Whatever was there is gone, but for the numbers, which must not be used twice."""
    with started(tmp_path / "none", cloud.env) as service, Api(service) as api:
        client = api.create()
        assert api.request("DELETE", f"/clients/{client['id']}").is_success
    cloud.execute("DELETE FROM peppers; DELETE FROM outbox; DELETE FROM revocations; DELETE FROM journal")
    assert "is not empty (store_state)" in _out(home.data, cloud, tmp_path / "p").line


def test_a_service_that_runs_is_left_alone(home: Home, cloud: Cloud, tmp_path: Path) -> None:
    pepper = tmp_path / "pepper.cloud"
    with started(home.data):
        assert "is in use by another edgeclients" in _out(home.data, cloud, pepper).line
    with started(tmp_path / "none", cloud.env):
        assert "an edgeclients uses database" in _out(home.data, cloud, pepper).line
        ended = _back(tmp_path / "again", cloud, Path(cloud.env["MG_CLIENTS_PEPPER_FILE"]))
        assert "an edgeclients uses database" in ended.line
    assert not (tmp_path / "again").exists()


SPOIL = """
CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {does} END $$;
CREATE TRIGGER spoil BEFORE INSERT ON {table} FOR EACH ROW WHEN ({when}) EXECUTE FUNCTION spoil()
"""


@pytest.mark.parametrize(
    ("table", "when", "does"),
    [
        ("clients", "NEW.name = 'meter 250'", "NEW.private_metadata = '{\"a\":1}'; RETURN NEW;"),
        ("connections", "NEW.type = 2", "RETURN NULL;"),
    ],
)
def test_what_is_written_otherwise_than_it_was_read_is_found(
    table: str, when: str, does: str, home: Home, cloud: Cloud, tmp_path: Path
) -> None:
    """One row of hundreds is changed, or lost: by a trigger, as damage on the way would."""
    _make_tables(cloud)
    cloud.execute(SPOIL.format(table=table, when=when, does=does))
    assert f"the copy of {table} differs from the original: nothing was moved" in _out(home.data, cloud, tmp_path / "p").line
    assert _is_empty(cloud)
    cloud.execute(f"DROP TRIGGER spoil ON {table}")
    _done(_out(home.data, cloud, tmp_path / "p"))


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
@pytest.mark.parametrize("way", ["out", "back"])
def test_one_that_is_stopped_leaves_nothing_behind(
    way: str, how: signal.Signals, home: Home, cloud: Cloud, tmp_path: Path
) -> None:
    """It is held up in the middle, by somebody who has the last of the tables."""
    pepper, again = tmp_path / "pepper.cloud", tmp_path / "again"
    if way == "back":
        _done(_out(home.data, cloud, pepper))
    else:
        _make_tables(cloud)
    arguments = (
        ["--to", _url(cloud), "--pepper", str(pepper)]
        if way == "out"
        else ["--from", _url(cloud), "--pepper", str(again / "pepper")]
    )
    env = environment(home.data if way == "out" else again, _password(cloud))
    if way == "back":
        env["MG_CLIENTS_PEPPER_FILE"] = str(pepper)
    with _held_up(cloud, "outbox"):
        # Whoever is started in the background by a shell is deaf to SIGINT.
        command = ["env", "--default-signal=INT", *PROGRAM, "move", *arguments]
        process = subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True)
        wait_until(lambda: _waits_for(cloud, "outbox"), "the copying to reach the last table")
        process.send_signal(how)
        _, told = process.communicate(timeout=PATIENCE)
    if how == signal.SIGINT:
        assert (process.returncode, told) == (130, "edgeclients: interrupted\n")
    if way == "out":
        wait_until(lambda: _is_empty(cloud) and not _waits_for(cloud, "outbox"), "the server to notice")
        _done(_out(home.data, cloud, pepper))
        _done(_back(again, cloud, pepper))
    else:
        _done(_back(again, cloud, pepper))
    assert _content(again) == _content(home.data)


def test_a_disk_that_takes_no_more_is_told(home: Home, cloud: Cloud, tmp_path: Path) -> None:
    pepper, again = tmp_path / "pepper.cloud", tmp_path / "again"
    _done(_out(home.data, cloud, pepper))
    env = environment(again, {**_password(cloud), "MG_CLIENTS_PEPPER_FILE": str(pepper)})
    command = [*PROGRAM, "move", "--from", _url(cloud), "--pepper", str(again / "pepper")]
    limited = ["bash", "-c", 'ulimit -f 300; exec "$@"', "bash", *command]  # files of 300 KiB
    done = subprocess.run(limited, env=env, capture_output=True, text=True, check=False)
    ended = Ended(done.returncode, done.stdout, done.stderr)
    assert ended.code == 1
    assert f"database {again / 'clients.db'} cannot be used" in ended.line
    _done(_back(again, cloud, pepper))
    assert _content(again) == _content(home.data)


def _waits_for(cloud: Cloud, table: str) -> bool:
    sql = f"SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = '{table}'::regclass"
    return bool(cloud.rows(sql)[0][0])


@contextlib.contextmanager
def _held_up(cloud: Cloud, table: str) -> Iterator[None]:
    """Whoever wants this table waits meanwhile."""
    begun, release = threading.Event(), threading.Event()

    async def hold(server: Server) -> None:
        link = await asyncpg.connect(
            host=server.host, port=server.port, user=server.user, password=server.password, database=cloud.name
        )
        async with _closed(link), link.transaction():
            await link.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
            begun.set()
            await asyncio.to_thread(release.wait)

    thread = threading.Thread(target=lambda: asyncio.run(hold(cloud.server)))
    thread.start()
    try:
        assert begun.wait(60)
        yield
    finally:
        release.set()
        thread.join()


@contextlib.asynccontextmanager
async def _closed(link: Any) -> AsyncIterator[None]:
    try:
        yield
    finally:
        await link.close()


def test_a_target_that_is_refused_stays_as_it_is(filled: Home, home: Home, cloud: Cloud, tmp_path: Path) -> None:
    """An older one of somebody else's, too: whoever made it has to be able to go on with it."""
    pepper = tmp_path / "pepper.cloud"
    _done(_out(home.data, cloud, pepper))
    cloud.execute("DROP TABLE last_seen; DELETE FROM schema_migrations WHERE version >= 5")
    assert "does not have the schema of this edgeclients" in _out(home.data, cloud, pepper).line
    assert cloud.rows("SELECT max(version) FROM schema_migrations") == [(4,)]
    older = with_schema_1(home.data, tmp_path / "older", tmp_path / "scratch")
    before = {path.name: path.read_bytes() for path in older.iterdir()}
    env = {**_password(cloud), "MG_CLIENTS_PEPPER_FILE": str(pepper)}
    ended = run("move", "--from", _url(cloud), "--pepper", str(older / "other"), data=older, env=env)
    assert "does not have the schema" in ended.line
    cloud.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    _done(_out(filled.data, cloud, pepper))
    ended = run("move", "--from", _url(cloud), "--pepper", str(older / "other"), data=older, env=env)
    assert "has the schema of an older edgeclients" in ended.line
    assert {path.name: path.read_bytes() for path in older.iterdir()} == before


def test_a_database_with_somebody_elses_tables_is_refused(home: Home, cloud: Cloud, tmp_path: Path) -> None:
    cloud.execute("CREATE TABLE invoices (id int)")
    assert "holds another program's tables" in _out(home.data, cloud, tmp_path / "p").line
    assert cloud.rows("SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'") == [("invoices",)]


def test_what_says_when_clients_were_seen_is_not_lost_without_a_word(home: Home, cloud: Cloud, tmp_path: Path) -> None:
    (home.data / "activity.db").write_bytes(b"\xff" * 8192)
    assert "activity.db is damaged" in _out(home.data, cloud, tmp_path / "p").line
    (home.data / "activity.db").unlink()
    assert json.loads(_done(run(
        "move", "--to", _url(cloud), "--pepper", str(tmp_path / "p"), "--output", "json", data=home.data, env=_password(cloud)
    )))["rows"]["last_seen"] == 0  # fmt: skip


def test_what_was_refused_has_changed_nothing_where_it_came_from(home: Home, cloud: Cloud, tmp_path: Path) -> None:
    """Neither the peppers on record, nor is there a copy of one."""
    newer = tmp_path / "newer"
    newer.write_bytes(os.urandom(32))
    before = _content(home.data)
    cloud.execute("CREATE TABLE invoices (id int)")
    both = {"MG_CLIENTS_PEPPER_FILE": f"{newer},{home.data / 'pepper'}", **_password(cloud)}
    files = [tmp_path / "one", tmp_path / "two"]
    named = [part for path in files for part in ("--pepper", str(path))]
    assert "another program's tables" in run("move", "--to", _url(cloud), *named, data=home.data, env=both).line
    assert _content(home.data) == before
    assert not any(path.exists() for path in files)
    named = ["--pepper", str(files[0]), "--pepper", "/nowhere/two"]
    assert "the pepper cannot be written to /nowhere/two" in run(
        "move", "--to", _url(cloud), *named, data=home.data, env=both
    ).line  # fmt: skip
    assert not files[0].exists()


def test_a_pepper_that_is_not_the_one_is_refused(home: Home, cloud: Cloud, tmp_path: Path) -> None:
    pepper, other = tmp_path / "pepper.cloud", tmp_path / "other"
    other.write_bytes(os.urandom(32))
    assert "holds something else than the pepper: name another file" in _out(home.data, cloud, other).line
    wrong = {"MG_CLIENTS_PEPPER_FILE": str(other)}
    assert "secrets need the pepper with key id" in _out(home.data, cloud, tmp_path / "wrong", wrong).line
    _done(_out(home.data, cloud, pepper))
    assert "secrets need the pepper with key id" in _back(tmp_path / "again", cloud, other).line
    ended = run("move", "--from", _url(cloud), "--pepper", "p", data=tmp_path / "again", env=_password(cloud))
    assert "set MG_CLIENTS_PEPPER_FILE to its file" in ended.line
    assert not (tmp_path / "again").exists()
    _done(_back(tmp_path / "again", cloud, pepper))


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("mysql://h/clients", "this is not a database as postgres://USER@HOST:PORT/DATABASE"),
        ("postgres://h:port/clients", "this is not a database as postgres://USER@HOST:PORT/DATABASE"),
        ("postgres://me:a-password@h/clients", "others would see the password: set MG_CLIENTS_DB_PASS"),
        ("postgres://me@h/clients?sslmode=require", "set MG_CLIENTS_DB_SSL_MODE"),
        ("postgres://me@h/a%00b", "this is not a database as postgres://USER@HOST:PORT/DATABASE"),
    ],
)
def test_an_address_that_is_none_is_refused(url: str, reason: str, tmp_path: Path) -> None:
    ended = run("move", "--to", url, "--pepper", "p", data=tmp_path)
    assert ended.code == 2
    assert reason in ended.err
    assert "a-password" not in ended.err


def test_a_pepper_has_to_be_asked_for(tmp_path: Path) -> None:
    ended = run("move", "--to", "postgres://h/clients", data=tmp_path)
    assert ended.code == 2
    assert "required: --pepper" in ended.err


def test_what_is_not_there_is_named(home: Home, cloud: Cloud, tmp_path: Path) -> None:
    pepper = tmp_path / "p"
    assert "there is no data in" in _out(tmp_path / "nothing", cloud, pepper).line
    assert not (tmp_path / "nothing").exists()
    assert not pepper.exists()
    for host, told in (
        ("127.0.0.1:1", "cannot be reached"),
        ("a..b", "is not a valid address"),
        (f"{'x' * 64}.y", "is not a valid address"),
    ):
        ended = run("move", "--to", f"postgres://{host}/clients", "--pepper", str(pepper), data=home.data)
        assert told in ended.line
    assert "the pepper cannot be written to /nowhere/p (" in _out(home.data, cloud, Path("/nowhere/p")).line
    assert "does not have the schema" in _back(tmp_path / "again", cloud, home.data / "pepper").line


def test_an_older_schema_is_not_moved(home: Home, cloud: Cloud, tmp_path: Path) -> None:
    older = with_schema_1(home.data, tmp_path / "older", tmp_path / "scratch")
    assert "has the schema of an older edgeclients" in _out(older, cloud, tmp_path / "p").line


def test_settings_say_what_the_address_leaves_out(home: Home, cloud: Cloud, tmp_path: Path) -> None:
    server = cloud.server.settings(cloud.name)
    _done(run("move", "--to", "postgres://", "--pepper", str(tmp_path / "p"), data=home.data, env=server))
    assert cloud.rows("SELECT count(*) FROM clients")[0][0] > BATCHES * 100


def test_root_moves_what_is_somebody_elses(elsewhere: Elsewhere, cloud: Cloud, tmp_path: Path) -> None:
    """Peppers go where root may write, certificates come from where root may read; the directory stays its owner's."""
    with elsewhere.started() as service, Api(service) as api:
        client = api.create()
    secret = tmp_path / "roots"
    secret.mkdir(mode=0o700)
    pepper, env = secret / "pepper.cloud", _password(cloud)
    elsewhere.done("move", "--to", _url(cloud), "--pepper", str(pepper), env=env)
    elsewhere.assert_all_theirs()
    assert stat.S_IMODE(pepper.stat().st_mode) == 0o600
    for path in elsewhere.data.iterdir():
        path.unlink()
    env["MG_CLIENTS_PEPPER_FILE"] = str(pepper)
    elsewhere.done("move", "--from", _url(cloud), "--pepper", str(secret / "another"), env=env)
    assert (secret / "another").read_bytes() == pepper.read_bytes()
    elsewhere.assert_all_theirs()
    for path in elsewhere.data.iterdir():
        path.unlink()
    elsewhere.done("move", "--from", _url(cloud), "--pepper", str(elsewhere.data / "pepper"), env=env)
    elsewhere.assert_all_theirs()
    with elsewhere.started() as service:
        assert secret_works(service, client)


def test_hashes_of_other_systems_go_along_both_ways(cloud: Cloud, tmp_path: Path) -> None:
    """The current one and a retiring one; where they work only by the client's id, they work so there."""
    hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    secrets = ("correct horse", "6e0b5c1d-4f5a-4a53-8a0e-0c1b2d3e4f50")
    with started(tmp_path / "data") as service, Api(service, PLANT) as api:
        for number, secret in enumerate(secrets):
            line = {"external_id": f"SN-{number}", "credentials": {"secret": hasher.hash(secret)}}
            api.request("POST", "/clients/import", json=line, headers={"content-type": "application/jsonl"})
        ids = [*api.listed(external_id="SN-0"), *api.listed(external_id="SN-1")]
        api.request("PATCH", f"/clients/{ids[1]}/secret", json={"generate": True, "grace": 3600})
        home = Home(service.data, {}, "", "")
    before, pepper = _content(home.data), tmp_path / "pepper.cloud"
    _done(_out(home.data, cloud, pepper))
    _done(_back(tmp_path / "again", cloud, pepper))
    after = _content(tmp_path / "again")
    assert [after[table] for table in ("clients", "secret_retirements")] == [
        before[table] for table in ("clients", "secret_retirements")
    ]
    with _serving(cloud, home, pepper, tmp_path / "none") as service:
        for _ in range(2):
            assert all(_authenticated(service, client_id, secret) for client_id, secret in zip(ids, secrets, strict=True))
        assert not _authenticated(service, ids[0], secrets[1])
