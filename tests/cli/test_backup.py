"""`edgeclients backup`: all that a gateway has, beside a service that runs or not, and nothing that a stranger could use."""

import base64
import contextlib
import fcntl
import gzip
import io
import json
import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import tarfile
import threading
import uuid
from functools import partial
from pathlib import Path

import grpc
import pyrage
import pytest

from edgeclients._pb.clients.v1 import clients_pb2, clients_pb2_grpc
from edgeclients.ops.backup.folder import SCRATCH
from edgeclients.store.sqlite import quiet, snapshot
from tests.cli.test_upgrade import with_schema_1
from tests.support import asking, disks
from tests.support.api import Api, basic
from tests.support.commands import Ended, run
from tests.support.database import opened
from tests.support.elsewhere import Elsewhere
from tests.support.gateways import DOMAIN, Gateway, content
from tests.support.memory import measured
from tests.support.program import PROGRAM
from tests.support.service import environment, started
from tests.support.users import NOBODY, as_user
from tests.support.waiting import wait_until

PASSPHRASE = "correct horse battery staple"
CLEAR = {"manifest.json", "operator.id", "activity.db", "clients.db"}
COUNTS = """
SELECT (SELECT count(*) FROM client_rows), (SELECT count(*) FROM role_rows), (SELECT count(*) FROM member_rows),
    (SELECT sum(clients) FROM totals), (SELECT count(*) FROM outbox), outbox_rows, outbox_seq, (SELECT max(seq) FROM outbox)
FROM store_state
"""
WITHOUT_TERMINAL = (sys.executable, "-c", "import os, sys; os.setsid(); os.execv(sys.argv[1], sys.argv[1:])")
ALL = CLEAR | {"pepper.1", "operator.token"}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Gateway:
    return Gateway.made(tmp_path_factory.mktemp("gateway") / "data")


@pytest.fixture
def home(gateway: Gateway, tmp_path: Path) -> Gateway:
    """A copy of it."""
    return gateway.copied(tmp_path / "data")


@pytest.fixture
def passphrase(tmp_path: Path) -> Path:
    path = tmp_path / "passphrase"
    path.write_text(f"{PASSPHRASE}\n")
    return path


def backup(*arguments: str | Path, data: Path, **env: str) -> Ended:
    return run("backup", *map(str, arguments), data=data, env=env)


def done(*arguments: str | Path, data: Path, **env: str) -> str:
    """What it printed, when it did what it was told."""
    ended = backup(*arguments, data=data, **env)
    assert (ended.code, ended.err) == (0, ""), ended
    return ended.out


def members(archive: bytes) -> dict[str, bytes]:
    """The files of a backup that is clear."""
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as found:
        files = {member.name: found.extractfile(member) for member in found}
        return {name: file.read() for name, file in files.items() if file}


def database(archive: bytes, folder: Path) -> sqlite3.Connection:
    """The database of a backup that is clear."""
    (folder / "taken.db").write_bytes(members(archive)["clients.db"])
    return sqlite3.connect(folder / "taken.db")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_backup_beside_a_service_has_all_that_was_acknowledged(home: Gateway, tmp_path: Path) -> None:
    with started(home.data) as service, Api(service, DOMAIN) as api:
        made = {api.create(name=f"new {number}")["id"] for number in range(20)}
        printed = done(tmp_path / "b", data=home.data)
        assert printed.startswith(f"{tmp_path / 'b'}: 23 clients")
        assert asking.get(f"{service.http}/ready").json()["status"] == "ready"
        api.create()
    archive = (tmp_path / "b").read_bytes()
    assert set(members(archive)) == CLEAR
    with contextlib.closing(database(archive, tmp_path)) as taken:
        assert taken.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert made <= {client for (client,) in taken.execute("SELECT id FROM clients")}
        assert taken.execute("SELECT in_use FROM store_state").fetchall() == [(0,)]


def test_a_backup_beside_a_service_has_what_that_has_only_in_memory(home: Gateway, tmp_path: Path) -> None:
    """Denied logins, and when clients were last seen."""
    with started(home.data) as service, Api(service, DOMAIN) as api, grpc.insecure_channel(service.grpc) as channel:
        stub = clients_pb2_grpc.ClientsServiceStub(channel)  # type: ignore[no-untyped-call]
        client = api.create()
        for _ in range(3):
            with pytest.raises(grpc.RpcError):
                stub.Authenticate(clients_pb2.AuthnReq(token=basic(client["id"], str(uuid.uuid4()))))
        stub.Authenticate(clients_pb2.AuthnReq(token=basic(client["id"], client["credentials"]["secret"])))
        done(tmp_path / "b", data=home.data)
    (tmp_path / "activity.db").write_bytes(members((tmp_path / "b").read_bytes())["activity.db"])
    with contextlib.closing(sqlite3.connect(tmp_path / "activity.db")) as taken:
        denied = taken.execute(
            "SELECT sum(count), min(domain_id), max(domain_id) FROM denials WHERE client_id = ?", [client["id"]]
        )
        assert denied.fetchall() == [(3, DOMAIN, DOMAIN)]
        assert taken.execute("SELECT count(*) FROM last_seen WHERE client_id = ?", [client["id"]]).fetchall() == [(1,)]


def test_it_is_of_one_moment_while_clients_are_created(home: Gateway, tmp_path: Path) -> None:
    """Each has its role, its member, its event and a number in the totals."""
    stop, made = threading.Event(), list[str]()
    with started(home.data) as service:

        def create() -> None:
            with Api(service, DOMAIN) as api:
                while not stop.is_set():
                    made.append(api.create(tags=["t"], metadata={"a": 1})["id"])

        callers = [threading.Thread(target=create) for _ in range(3)]
        for caller in callers:
            caller.start()
        try:
            for number in range(8):
                wait_until(partial(_are_more, made, len(made) + 5), "more clients")
                done(tmp_path / f"b{number}", data=home.data)
        finally:
            stop.set()
            for caller in callers:
                caller.join()
    counts = []
    for number in range(8):
        with contextlib.closing(database((tmp_path / f"b{number}").read_bytes(), tmp_path)) as taken:
            assert taken.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert taken.execute("PRAGMA foreign_key_check").fetchall() == []
            ((clients, roles, members, total, events, counted, seq, last),) = taken.execute(COUNTS)
            assert clients == roles == members == total
            assert (events, seq) == (counted, last)
            counts.append(clients)
    assert counts == sorted(set(counts)), "each has more than the one before"


def _are_more(made: list[str], than: int) -> bool:
    return len(made) > than


def test_what_is_clear_holds_nothing_that_a_stranger_could_use(home: Gateway, tmp_path: Path) -> None:
    done(tmp_path / "b", data=home.data)
    clear = gzip.decompress((tmp_path / "b").read_bytes())
    pepper = (home.data / "pepper").read_bytes()
    assert home.clients["random"]["name"].encode() in clear, "what is there is found"
    for secret in (*home.secrets, base64.b64encode(pepper).decode()):
        assert secret.encode() not in clear
    assert pepper not in clear
    assert home.badge.rpartition("_")[2].encode() not in clear


def test_what_was_deleted_is_not_in_it(home: Gateway, tmp_path: Path) -> None:
    with opened(home.data / "clients.db") as file:
        file.execute("PRAGMA secure_delete = OFF").fetchall()  # some builds of SQLite overwrite it by themselves
        for number in range(100):
            file.execute("INSERT INTO operators VALUES (?, 'somebody who has left', 0)", (f"op-{number}",))
        file.execute("DELETE FROM operators WHERE id LIKE 'op-%'")
        file.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    assert b"somebody who has left" in (home.data / "clients.db").read_bytes()
    done(tmp_path / "b", data=home.data)
    assert b"somebody who has left" not in gzip.decompress((tmp_path / "b").read_bytes())


@pytest.mark.source_only("it calls parts of the program, without the program")
def test_a_table_that_is_left_out_has_left_nothing(home: Gateway, tmp_path: Path) -> None:
    """As those of people's sessions will be."""
    with opened(home.data / "clients.db") as file:
        file.executescript("CREATE TABLE later (token TEXT); INSERT INTO later VALUES ('a-token-of-a-session')")
    with contextlib.closing(quiet.open_quietly(home.data / "clients.db")) as connection:
        for name, left_out in (("with", ()), ("without", ("later", "one_that_is_missing"))):
            snapshot.copy(connection, tmp_path / name, left_out)
    assert b"a-token-of-a-session" in (tmp_path / "with").read_bytes()
    assert b"a-token-of-a-session" not in (tmp_path / "without").read_bytes()
    with opened(tmp_path / "without") as file:
        assert file.execute("SELECT count(*) FROM later").fetchall() == [(0,)]
        snapshot.make_own(file, ("operators",))
        assert file.execute("SELECT count(*) FROM operators").fetchall() == [(0,)]


def test_with_the_pepper_all_is_encrypted(home: Gateway, passphrase: Path, tmp_path: Path) -> None:
    identity = pyrage.x25519.Identity.generate()
    printed = done(tmp_path / "p", "--with-pepper", "--passphrase-file", passphrase, data=home.data)
    assert "no pepper" not in printed
    assert PASSPHRASE not in printed
    done(tmp_path / "r", "--with-pepper", "--recipient", str(identity.to_public()), data=home.data)
    by_passphrase, to_recipient = (tmp_path / "p").read_bytes(), (tmp_path / "r").read_bytes()
    for clear in (pyrage.passphrase.decrypt(by_passphrase, PASSPHRASE), pyrage.decrypt(to_recipient, [identity])):
        found = members(clear)
        assert set(found) == ALL
        assert found["pepper.1"] == (home.data / "pepper").read_bytes()
        assert found["operator.token"].decode() == home.token
    for sealed in (by_passphrase, to_recipient):
        assert sealed.startswith(b"age-encryption.org/v1\n")
        for hidden in (b"clients.db", b"manifest", (home.data / "pepper").read_bytes(), home.token.encode()):
            assert hidden not in sealed


def test_what_is_encrypted_need_not_hold_the_pepper(home: Gateway, passphrase: Path, tmp_path: Path) -> None:
    assert "no pepper" in done(tmp_path / "b", "--passphrase-file", passphrase, data=home.data)
    assert set(members(pyrage.passphrase.decrypt((tmp_path / "b").read_bytes(), PASSPHRASE))) == CLEAR


def test_peppers_that_are_elsewhere_come_along(home: Gateway, passphrase: Path, tmp_path: Path) -> None:
    new, old = tmp_path / "new", tmp_path / "old"
    new.write_bytes(os.urandom(32))
    (home.data / "pepper").rename(old)
    env = {"MG_CLIENTS_PEPPER_FILE": f"{new},{old}"}
    done(tmp_path / "b", "--with-pepper", "--passphrase-file", passphrase, data=home.data, **env)
    found = members(pyrage.passphrase.decrypt((tmp_path / "b").read_bytes(), PASSPHRASE))
    assert (found["pepper.1"], found["pepper.2"]) == (new.read_bytes(), old.read_bytes())


def test_a_pepper_that_opens_nothing_is_not_backed_up(home: Gateway, passphrase: Path, tmp_path: Path) -> None:
    (home.data / "pepper").write_bytes(os.urandom(32))
    line = backup(tmp_path / "b", "--with-pepper", "--passphrase-file", passphrase, data=home.data).line
    assert "secrets need the pepper with key id" in line
    (home.data / "pepper").unlink()
    line = backup(tmp_path / "b", "--with-pepper", "--passphrase-file", passphrase, data=home.data).line
    assert f"pepper {home.data / 'pepper'} cannot be read" in line
    assert names(tmp_path) == ["data", "passphrase"]


def test_only_its_owner_can_read_it(home: Gateway, tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        done(tmp_path / "b", data=home.data)
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "b").stat().st_mode) == 0o600


def test_a_service_that_is_stopped_leaves_and_keeps_its_files(home: Gateway, tmp_path: Path) -> None:
    for name in ("clients.db-wal", "clients.db-shm", "activity.db-wal", "activity.db-shm"):
        (home.data / name).unlink(missing_ok=True)
    before = content(home.data)
    done(tmp_path / "b", data=home.data)
    assert content(home.data) == before


def test_a_service_that_was_killed_has_its_newest_changes_in_it(home: Gateway, tmp_path: Path) -> None:
    with started(home.data) as service, Api(service, DOMAIN) as api:
        newest = api.create(name="newest")["id"]
        service.kill()
    before = {name: found for name, found in content(home.data).items() if not name.endswith("-shm")}
    done(tmp_path / "b", data=home.data)
    assert {name: found for name, found in content(home.data).items() if not name.endswith("-shm")} == before
    with contextlib.closing(database((tmp_path / "b").read_bytes(), tmp_path)) as taken:
        assert taken.execute("SELECT name FROM clients WHERE id = ?", (newest,)).fetchall() == [("newest",)]
    with started(home.data) as service, Api(service, DOMAIN) as api:
        assert "incomplete" not in asking.get(f"{service.http}/ready").text
        assert newest in api.listed()


@pytest.mark.skipif(disks.WAY is None, reason="this machine lets nobody mount a disk for himself")
def test_a_disk_that_cannot_be_written_any_more_can_be_backed_up(home: Gateway, tmp_path: Path) -> None:
    assert disks.WAY is not None
    (tmp_path / "disk").mkdir()
    script = 'mount -t tmpfs tmpfs "$1" && cp -a "$2" "$1" && mount -o remount,ro "$1" && shift 2 && exec "$@"'
    arguments = [str(tmp_path / "disk"), str(home.data), *PROGRAM, "backup", str(tmp_path / "b")]
    ended = subprocess.run(
        [*disks.WAY, "sh", "-c", script, "sh", *arguments],
        env=environment(tmp_path / "disk" / "data"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert set(members((tmp_path / "b").read_bytes())) == CLEAR


def test_a_database_of_an_older_version_is_backed_up_as_it_is(home: Gateway, tmp_path: Path) -> None:
    data = with_schema_1(home.data, tmp_path / "older", tmp_path / "schema")
    done(tmp_path / "b", data=data)
    found = members((tmp_path / "b").read_bytes())
    assert json.loads(found["manifest.json"])["schema"] == 1


def test_the_manifest_says_what_there_is(home: Gateway, tmp_path: Path) -> None:
    printed = json.loads(done(tmp_path / "b", "--output", "json", data=home.data))
    found = members((tmp_path / "b").read_bytes())
    manifest = json.loads(found["manifest.json"])
    assert {entry["name"] for entry in manifest["files"]} | {"manifest.json"} == CLEAR
    assert {entry["name"]: entry["size"] for entry in manifest["files"]} == {
        name: len(found[name]) for name in CLEAR - {"manifest.json"}
    }
    assert printed == {
        "file": str(tmp_path / "b"),
        "bytes": (tmp_path / "b").stat().st_size,
        "created_at": manifest["created_at"],
        "clients": 3,
        "with_pepper": False,
        "with_activity": True,
        "removed": [],
    }


@pytest.mark.parametrize("state", ["missing", "damaged"])
def test_last_seen_times_that_cannot_be_read_are_left_out(home: Gateway, tmp_path: Path, state: str) -> None:
    (home.data / "activity.db").unlink()
    if state == "damaged":
        (home.data / "activity.db").write_bytes(os.urandom(20_000))
    assert "It holds no times of last authentication" in done(tmp_path / "b", data=home.data)
    assert set(members((tmp_path / "b").read_bytes())) == CLEAR - {"activity.db"}


# What it refuses.


def test_nothing_is_overwritten(home: Gateway, tmp_path: Path) -> None:
    (tmp_path / "b").write_text("mine")
    assert f"{tmp_path / 'b'} exists: name another file" in backup(tmp_path / "b", data=home.data).line
    assert (tmp_path / "b").read_text() == "mine"
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    assert "exists" in backup(tmp_path / "link", data=home.data).line
    assert not (tmp_path / "nowhere").exists()


def test_a_folder_that_is_missing(home: Gateway, tmp_path: Path) -> None:
    line = backup(tmp_path / "no" / "b", data=home.data).line
    assert f"cannot be written into {tmp_path / 'no'} (No such file or directory): name a folder" in line


def test_a_folder_that_cannot_be_written(home: Gateway) -> None:
    """Not even by root."""
    assert "cannot be written into /sys/kernel" in backup("/sys/kernel/b", data=home.data).line
    assert "cannot be written into /sys/kernel" in backup("/sys/kernel", data=home.data).line


def test_a_folder_of_somebody_else(elsewhere: Elsewhere) -> None:
    with elsewhere.started():
        pass
    folder = elsewhere.data.parent / "root"
    folder.mkdir(mode=0o755)
    ended = elsewhere.run("backup", str(folder), user=NOBODY)
    assert f"cannot be written into {folder} (Permission denied): name a folder that this user can write" in ended.line
    folder.chmod(0o700)
    ended = elsewhere.run("backup", str(folder / "b"), user=NOBODY)
    assert f"cannot be written into {folder} (Permission denied): name a folder that this user can write" in ended.line


def test_no_data(tmp_path: Path) -> None:
    line = backup(tmp_path / "b", data=tmp_path / "data").line
    assert f"there is no data in {tmp_path / 'data'}" in line
    assert names(tmp_path) == []


def test_cloud_mode_has_other_tools(tmp_path: Path) -> None:
    assert "back it up with pg_dump" in backup(tmp_path / "b", data=tmp_path, MG_CLIENTS_MODE="cloud").line


def test_a_database_that_is_damaged_is_no_backup(home: Gateway, tmp_path: Path) -> None:
    damage = {
        "torn": lambda path: path.write_bytes(path.read_bytes()[: 10 * 2048]),
        "noise": lambda path: path.write_bytes(os.urandom(100_000)),
        "an index that misses a row": _take_from_index,
    }
    for name, spoil in damage.items():
        data = home.copied(tmp_path / name / "data").data
        spoil(data / "clients.db")
        line = backup(tmp_path / "b", data=data).line
        assert f"database {data / 'clients.db'} is damaged: restore it from the backup" in line, name
    assert not (tmp_path / "b").exists()


def _take_from_index(path: Path) -> None:
    with opened(path) as file:
        file.execute("PRAGMA writable_schema = ON")
        sql = file.execute("SELECT sql FROM sqlite_schema WHERE name = 'client_rows_by_id'").fetchall()[0][0]
        file.execute("UPDATE sqlite_schema SET sql = ? WHERE name = 'client_rows_by_id'", (f"{sql} WHERE n > 1",))


def test_a_newer_or_foreign_database(home: Gateway, tmp_path: Path) -> None:
    with opened(home.data / "clients.db") as file:
        file.execute("INSERT INTO schema_migrations VALUES (9999, 'later', 'x', 0)")
    assert "run a newer edgeclients" in backup(tmp_path / "b", data=home.data).line
    with opened(home.data / "clients.db") as file:
        file.execute("CREATE TABLE gorp_migrations (id TEXT)")
    assert "belongs to the original Magistrala service" in backup(tmp_path / "b", data=home.data).line
    assert names(tmp_path) == ["data"]


def test_the_pepper_is_never_written_in_clear(home: Gateway, tmp_path: Path) -> None:
    """Where nobody can be asked for a passphrase, and none is named."""
    ended = subprocess.run(
        [*WITHOUT_TERMINAL, *PROGRAM, "backup", str(tmp_path / "b"), "--with-pepper"],
        env=environment(home.data),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    line = Ended(ended.returncode, ended.stdout, ended.stderr).line
    assert "there is no terminal to ask for the passphrase: use --passphrase-file or --recipient" in line
    assert names(tmp_path) == ["data"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is empty: write a passphrase into it"),
        ("\n", "is empty"),
        (None, "cannot be read (No such file or directory)"),
        (b"\xff\xfex\0", "cannot be used because it is UTF-16"),
    ],
)
def test_a_passphrase_that_cannot_be_used(home: Gateway, tmp_path: Path, text: str | bytes | None, why: str) -> None:
    path = tmp_path / "passphrase"
    if text is not None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    assert why in backup(tmp_path / "b", "--with-pepper", "--passphrase-file", path, data=home.data).line
    assert "is no recipient of age" in backup(tmp_path / "b", "--recipient", "age1x", data=home.data).line
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize("arguments", [("--keep", "7"), ("--keep", ""), ("--passphrase-file", "x", "--recipient", "y")])
def test_wrong_arguments(home: Gateway, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    ended = backup(tmp_path, *arguments, data=home.data)
    assert ended.code == 2
    assert "a rule such as 7d,4w" in ended.err or "not allowed with" in ended.err


# Several in one folder.


def test_a_folder_gets_a_file_with_the_time_in_its_name(home: Gateway, passphrase: Path, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    made = Path(json.loads(done(folder, "--output", "json", data=home.data))["file"])
    sealed = Path(json.loads(done(folder, "--passphrase-file", passphrase, "--output", "json", data=home.data))["file"])
    assert {made.name, sealed.name} == set(names(folder))
    assert made.name.startswith("edgeclients-2")
    assert made.name.endswith("Z.tar.gz")
    assert sealed.name.endswith("Z.tar.gz.age")


def test_several_in_one_second_are_several_files(home: Gateway, tmp_path: Path) -> None:
    for _ in range(4):
        done(tmp_path, data=home.data)
    assert len(names(tmp_path)) == 4 + len(["data"])


@pytest.mark.source_only("it looks into the program")
def test_it_needs_no_network(home: Gateway, tmp_path: Path) -> None:
    """The unit for systemd allows none. Sockets of files are none."""
    program = "import socket, sys\n"
    program += "of_network = lambda event, args: event == 'socket.__new__' and args[1] != socket.AF_UNIX\n"
    program += "sys.addaudithook(lambda *one: of_network(*one) and sys.exit('a socket'))\n"
    program += "from edgeclients.cli.main import main; sys.exit(main())"
    command = [sys.executable, "-c", program, "backup", str(tmp_path / "b")]
    ended = subprocess.run(command, env=environment(home.data), capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_what_the_rule_does_not_keep_is_removed(home: Gateway, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    olds = [f"edgeclients-202610{day:02}T033000Z.tar.gz" for day in range(1, 31)]
    others = ["edgeclients-20261001T033000Z.tar.gz.part", "holiday.jpg", "edgeclients.tar.gz"]
    for name in (*olds, *others):
        (folder / name).touch()
    (folder / "edgeclients-20261031T033000Z.tar.gz").symlink_to(home.data / "clients.db")
    (folder / "edgeclients-20260101T033000Z.tar.gz").mkdir()
    printed = json.loads(done(folder, "--keep", "3d,2m", "--output", "json", data=home.data))
    new = Path(printed["file"]).name
    assert set(names(folder)) == {
        *{new, *olds[-2:], *others},
        *{"edgeclients-20261031T033000Z.tar.gz", "edgeclients-20260101T033000Z.tar.gz"},
    }
    assert printed["removed"] == olds[:-2]
    assert (home.data / "clients.db").exists()


def test_the_newest_stays_whatever_the_clock_says(home: Gateway, tmp_path: Path) -> None:
    """And so does the new one, where the clock was ahead once."""
    (tmp_path / "edgeclients-20360101T000000Z.tar.gz").touch()
    made = Path(json.loads(done(tmp_path, "--keep", "1y", "--output", "json", data=home.data))["file"])
    assert {made.name, "edgeclients-20360101T000000Z.tar.gz", "data"} == set(names(tmp_path))


def test_nothing_is_removed_for_a_backup_that_failed(home: Gateway, tmp_path: Path) -> None:
    for name in ("edgeclients-20250101T000000Z.tar.gz", "edgeclients-20250102T000000Z.tar.gz"):
        (tmp_path / name).touch()
    before = names(tmp_path)
    (home.data / "clients.db").write_bytes(os.urandom(100_000))
    assert backup(tmp_path, "--keep", "1d", data=home.data).code == 1
    assert names(tmp_path) == before


def test_older_ones_are_kept_in_a_folder(home: Gateway, tmp_path: Path) -> None:
    assert f"{tmp_path / 'b'} is no folder" in backup(tmp_path / "b", "--keep", "7d", data=home.data).line


def test_two_at_once_do_not_meet(home: Gateway, tmp_path: Path) -> None:
    (tmp_path / SCRATCH).mkdir(mode=0o700)
    (tmp_path / SCRATCH / "half").touch()
    lock = os.open(tmp_path / SCRATCH, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        line = backup(tmp_path / "b", data=home.data).line
        assert f"another backup is being written into {tmp_path}: wait for its end" in line
        assert names(tmp_path / SCRATCH) == ["half"]
    finally:
        os.close(lock)
    done(tmp_path / "b", data=home.data)
    assert names(tmp_path) == ["b", "data"]


def test_a_folder_of_that_name_that_is_somebody_elses(home: Gateway, tmp_path: Path) -> None:
    (tmp_path / SCRATCH).symlink_to(home.data)
    assert "is somebody else's: remove it" in backup(tmp_path / "b", data=home.data).line
    assert (home.data / "clients.db").exists()


# Killed, interrupted, or without space.


@pytest.mark.source_only("it looks into the program, step by step")
def test_one_that_is_killed_leaves_no_half_of_a_backup(home: Gateway, tmp_path: Path) -> None:
    """Wherever it was. The next one removes what it has left, and no older one is lost before a new one is there."""
    folder = tmp_path / "backups"
    olds = {f"edgeclients-2025010{day}T000000Z.tar.gz" for day in range(1, 4)}
    kills = complete = 0
    for step in range(1, 1000):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for name in olds:
            (folder / name).write_text("old")
        command = [sys.executable, "-m", "tests.support.killing", str(step), "backup", str(folder), "--keep", "1d"]
        ended = subprocess.run(command, env=environment(home.data), capture_output=True, check=False)
        left = set(names(folder)) - {SCRATCH}
        new = left - olds
        for name in new:
            assert set(members((folder / name).read_bytes())) == CLEAR
        assert new or left == olds
        if ended.returncode == 0:
            break
        assert ended.returncode == -signal.SIGKILL, ended.stderr
        kills += 1
        complete += bool(new)
        for name in new:  # of the same second
            (folder / name).unlink()
        last = Path(json.loads(done(folder, "--output", "json", data=home.data))["file"])
        assert not (folder / SCRATCH).exists()
        assert set(members(last.read_bytes())) == CLEAR
    assert kills > 30
    assert complete
    with started(home.data) as service:
        home.assert_works(service)


def test_one_that_is_interrupted_leaves_nothing(home: Gateway, tmp_path: Path) -> None:
    """It is held up by somebody who writes the passphrase slowly."""
    os.mkfifo(tmp_path / "passphrase")
    (tmp_path / "backups").mkdir()
    command = ["env", "--default-signal=INT", *PROGRAM, "backup", str(tmp_path / "backups"), "--passphrase-file"]
    process = subprocess.Popen(
        [*command, str(tmp_path / "passphrase")], env=environment(home.data), stderr=subprocess.PIPE, text=True
    )
    with (tmp_path / "passphrase").open("w"):  # which returns when the other one reads
        process.send_signal(signal.SIGINT)
        _, told = process.communicate()
    assert (process.returncode, told) == (130, "edgeclients: interrupted\n")
    assert names(tmp_path / "backups") == []


@pytest.mark.skipif(disks.WAY is None, reason="this machine lets nobody mount a disk for himself")
def test_a_disk_that_is_full_halfway(home: Gateway, passphrase: Path, tmp_path: Path) -> None:
    """Wherever that is: nothing is left but what was there."""
    assert disks.WAY is not None
    script = 'mount -t tmpfs -o size="$1" tmpfs "$2" && touch "$2/old" && out="$2" && shift 2 && '
    script += '"$@"; code=$?; ls -A "$out"; [ $code -ne 0 ] || wc -c < "$out/b"; exit $code'
    (tmp_path / "disk").mkdir()
    failures = 0
    for size in range(4, 400, 8):
        command = [*PROGRAM, "backup", str(tmp_path / "disk" / "b"), "--with-pepper", "--passphrase-file", str(passphrase)]
        ended = subprocess.run(
            [*disks.WAY, "sh", "-c", script, "sh", f"{size}k", str(tmp_path / "disk"), *command],
            env=environment(home.data),
            capture_output=True,
            text=True,
            check=False,
        )
        if ended.returncode == 0:
            break
        failures += 1
        assert ended.stdout.split() == ["old"]
        line = Ended(ended.returncode, ended.stdout, ended.stderr).line
        assert f"cannot be written into {tmp_path / 'disk'} (No space left on device): free space on its disk" in line
    assert "b" in ended.stdout.split()
    assert failures > 5
    with started(home.data) as service:
        home.assert_works(service)


@pytest.mark.source_only("an executable loads other things")
def test_a_large_database_takes_little_memory(home: Gateway, passphrase: Path, tmp_path: Path) -> None:
    """All of it is read and written piece by piece; a passphrase takes 64 MiB for a moment."""
    with opened(home.data / "clients.db") as file:
        file.execute("BEGIN")
        for number in range(1, 301):
            file.execute("INSERT INTO outbox VALUES (?, 's', 'c', ?, 0)", (1_000_000 + number, os.urandom(400_000)))
        file.execute("COMMIT")
    identity = pyrage.x25519.Identity.generate()
    least = _most_mib(["version"], home.data)
    for more, allowed in (
        ([], 24),
        (["--recipient", str(identity.to_public())], 24),
        (["--passphrase-file", str(passphrase)], 64 + 24),
    ):
        (tmp_path / "b").unlink(missing_ok=True)
        taken = _most_mib(["backup", str(tmp_path / "b"), *more], home.data) - least
        print(f"{taken} MiB more than nothing for {(tmp_path / 'b').stat().st_size >> 20} MiB {more[:1]}")
        assert (tmp_path / "b").stat().st_size > 100_000_000
        assert taken <= allowed


def _most_mib(arguments: list[str], data: Path) -> int:
    """What a command that succeeds takes of the memory, at most."""
    ended = measured([*PROGRAM, *arguments], environment(data))
    assert ended.code == 0, ended
    return ended.most >> 20


# As root, beside somebody else's service.


def test_root_leaves_nothing_of_its_own_beside_a_service_that_runs(elsewhere: Elsewhere) -> None:
    folder = elsewhere.data.parent / "root"
    folder.mkdir(mode=0o700)
    with elsewhere.started() as service, Api(service, DOMAIN) as api:
        api.create()
        elsewhere.done("backup", str(folder / "b"))
        elsewhere.assert_all_theirs()
        api.create()
    elsewhere.assert_all_theirs()
    assert (folder / "b").stat().st_uid == 0
    assert set(members((folder / "b").read_bytes())) == CLEAR
    with elsewhere.started() as service, Api(service, DOMAIN) as api:
        assert len(api.listed()) == 2


def test_root_leaves_nothing_of_its_own_beside_one_that_is_stopped(elsewhere: Elsewhere) -> None:
    folder = elsewhere.data.parent / "root"
    folder.mkdir(mode=0o700)
    with elsewhere.started():
        pass
    for way in ("removed", "left"):
        if way == "removed":
            for path in elsewhere.data.glob("*.db-*"):
                path.unlink()
        elsewhere.done("backup", str(folder / way))
        elsewhere.assert_all_theirs()
        with elsewhere.started():
            pass
        elsewhere.assert_all_theirs()


def test_the_services_user_needs_no_root(elsewhere: Elsewhere) -> None:
    """And what root has made in its folder is its own, so it can remove it."""
    with elsewhere.started():
        folder = elsewhere.data.parent / "backups"
        folder.mkdir(mode=0o700)
        os.chown(folder, NOBODY, NOBODY)
        for user in (NOBODY, 0, NOBODY):
            ended = elsewhere.run("backup", str(folder), "--keep", "1d", "--output", "json", user=user)
            assert Path(json.loads(ended.out)["file"]).name in names(folder)  # others of the same second are kept
            assert {path.stat().st_uid for path in folder.iterdir()} == {NOBODY}
        elsewhere.assert_all_theirs()


def test_root_does_not_follow_links_in_somebody_elses_directory(elsewhere: Elsewhere, tmp_path: Path) -> None:
    """What its owner cannot read is not put into a backup for him."""
    secret = tmp_path / "secret"
    secret.write_text("of root alone")
    secret.chmod(0o600)
    tmp_path.chmod(0o755)
    with elsewhere.started():
        pass
    (elsewhere.data / "operator.id").unlink()
    (elsewhere.data / "operator.id").symlink_to(secret)
    ended = elsewhere.run("backup", str(tmp_path / "b"))
    assert f"{elsewhere.data / 'operator.id'} cannot be read (Permission denied)" in ended.line
    assert not (tmp_path / "b").exists()


def test_somebody_without_rights_is_told(elsewhere: Elsewhere, tmp_path: Path) -> None:
    with elsewhere.started():
        pass
    ended = subprocess.run(
        as_user(12345, [*elsewhere.program, "backup", "/tmp/no-such-backup"]),
        env=elsewhere.environment(),
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
    )
    assert f"there is no data in {elsewhere.data} (Permission denied)" in ended.stderr
    assert not Path("/tmp/no-such-backup").exists()
