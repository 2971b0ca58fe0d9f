"""`edgeclients restore`: a backup becomes a data directory, or that stays as empty as it was."""

import contextlib
import gzip
import hashlib
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pyrage
import pytest

from edgeclients.store.datadir import RESTORED
from edgeclients.store.restoring import GATHERED
from tests.cli.test_upgrade import CURRENT, versions, with_schema_1
from tests.support import asking, disks
from tests.support.api import Api
from tests.support.commands import Ended, run
from tests.support.database import opened, rows
from tests.support.elsewhere import Elsewhere
from tests.support.gateways import DOMAIN, Gateway, content
from tests.support.program import PROGRAM
from tests.support.redis import RedisServer
from tests.support.service import environment, started
from tests.support.streams import arrived, wait_until_all_is_sent

PASSPHRASE = "correct horse battery staple"
PLACED = {"activity.db", "clients.db", "operator.id", "pepper"}
LOCK = {"lock"}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Gateway:
    return Gateway.made(tmp_path_factory.mktemp("gateway") / "data")


@pytest.fixture(scope="module")
def passphrase(gateway: Gateway) -> Path:
    path = gateway.data.parent / "passphrase"
    path.write_text(PASSPHRASE)
    return path


@pytest.fixture(scope="module")
def clear(gateway: Gateway) -> Path:
    """A backup without the pepper."""
    return made(gateway.data, "clear")


@pytest.fixture(scope="module")
def sealed(gateway: Gateway, passphrase: Path) -> Path:
    """A backup with the pepper."""
    return made(gateway.data, "sealed", "--with-pepper", "--passphrase-file", passphrase)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Where there is nothing yet."""
    return tmp_path / "box" / "data"


def made(data: Path, name: str, *more: str | Path) -> Path:
    path = data.parent / name
    ended = run("backup", str(path), *map(str, more), data=data)
    assert (ended.code, ended.err) == (0, ""), ended
    return path


def restore(*arguments: str | Path, data: Path, **env: str) -> Ended:
    return run("restore", *map(str, arguments), data=data, env=env)


def done(*arguments: str | Path, data: Path, **env: str) -> str:
    ended = restore(*arguments, data=data, **env)
    assert (ended.code, ended.err) == (0, ""), ended
    return ended.out


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


def modes(folder: Path) -> set[int]:
    return {path.stat().st_mode & 0o777 for path in folder.iterdir()}


def changed(backup: Path, target: Path, change: Callable[[dict[str, bytes]], None], **more: object) -> Path:
    """A clear backup with other content and fields of the manifest, which agrees with the content."""
    with tarfile.open(backup, "r:gz") as found:
        files = {member.name: file.read() for member in found if (file := found.extractfile(member))}
    manifest = json.loads(files.pop("manifest.json"))
    change(files)
    entries = [{"name": name, "size": len(text), "sha256": hashlib.sha256(text).hexdigest()} for name, text in files.items()]
    text = json.dumps({**manifest, "files": entries, **more}).encode()
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as made_again:
        for name, content_of_it in {"manifest.json": text, **files}.items():
            info = tarfile.TarInfo(name)
            info.size = len(content_of_it)
            made_again.addfile(info, io.BytesIO(content_of_it))
        size = archive.tell()
    target.write_bytes(gzip.compress(archive.getvalue()[:size] + bytes(1024)))
    return target


def nothing(_: dict[str, bytes]) -> None:
    """Change no file."""


def with_database(change: Callable[[Path], None], tmp_path: Path) -> Callable[[dict[str, bytes]], None]:
    def spoil(files: dict[str, bytes]) -> None:
        path = tmp_path / "changed.db"
        path.write_bytes(files["clients.db"])
        change(path)
        files["clients.db"] = path.read_bytes()

    return spoil


# What comes back.


def test_a_backup_with_the_pepper_brings_all_back(gateway: Gateway, sealed: Path, passphrase: Path, target: Path) -> None:
    printed = done(sealed, "--passphrase-file", passphrase, data=target)
    assert re.match(rf"{target} is restored: 3 clients, as of 2\S+Z, \d+ (seconds|minutes) ago\.\n", printed)
    assert "Secrets and tokens that were revoked since then work again" in printed
    assert names(target) == PLACED | {"operator.token"} | LOCK
    assert modes(target) == {0o600}
    assert target.stat().st_mode & 0o777 == 0o700
    assert rows(target, "SELECT * FROM clients ORDER BY id") == rows(gateway.data, "SELECT * FROM clients ORDER BY id")
    with started(target) as service:
        assert "incomplete" not in asking.get(f"{service.http}/ready").text
        assert (service.token, service.operator_id) == (gateway.token, (gateway.data / "operator.id").read_text())
        gateway.assert_works(service)


def test_one_to_a_recipient(gateway: Gateway, tmp_path: Path, target: Path) -> None:
    identity = pyrage.x25519.Identity.generate()
    (tmp_path / "identity").write_text(f"# mine\n{identity}\n")
    backup = made(gateway.data, "recipient", "--with-pepper", "--recipient", str(identity.to_public()))
    done(backup, "--identity-file", tmp_path / "identity", data=target)
    with started(target) as service:
        gateway.assert_works(service)


def test_one_without_the_pepper_takes_it_from_a_file(gateway: Gateway, clear: Path, target: Path) -> None:
    """The operator's id is kept, and a new token is made at the next start."""
    done(clear, "--pepper", gateway.data / "pepper", data=target)
    assert names(target) == PLACED | LOCK
    assert (target / "pepper").read_bytes() == (gateway.data / "pepper").read_bytes()
    with started(target) as service:
        assert service.operator_id == (gateway.data / "operator.id").read_text()
        assert service.token != gateway.token
        gateway.assert_works(service)


def test_last_seen_times_come_back(gateway: Gateway, sealed: Path, passphrase: Path, target: Path) -> None:
    done(sealed, "--passphrase-file", passphrase, data=target)
    with opened(target / "activity.db") as file, opened(gateway.data / "activity.db") as original:
        found = file.execute("SELECT * FROM last_seen").fetchall()
        assert found == original.execute("SELECT * FROM last_seen").fetchall()
        assert [client for client, *_ in found] == [gateway.clients["random"]["id"]]


def test_a_client_that_was_disabled_since_is_enabled_again(gateway: Gateway, tmp_path: Path, target: Path) -> None:
    """As the command says. What was disabled before stays so."""
    home = gateway.copied(tmp_path / "data")
    backup = made(home.data, "b")
    with started(home.data) as service, Api(service, DOMAIN) as api:
        for client in home.clients.values():
            api.request("POST", f"/clients/{client['id']}/disable")
    done(backup, "--pepper", home.data / "pepper", data=target)
    with started(target) as service:
        gateway.assert_works(service)


def test_no_event_id_is_used_again(gateway: Gateway, tmp_path: Path, target: Path) -> None:
    """Though the numbers are."""
    home = gateway.copied(tmp_path / "data")
    with RedisServer() as redis:
        stream = {"MG_CLIENTS_ES_URL": redis.address}
        with started(home.data, stream) as service, Api(service, DOMAIN) as api:
            api.create()
            wait_until_all_is_sent(service)
            backup = made(home.data, "b")
            for _ in range(5):
                api.create()
            wait_until_all_is_sent(service)
        before = arrived(redis)
        done(backup, "--pepper", home.data / "pepper", data=target)
        with redis.client() as client:
            client.flushall()
        with started(target, stream) as service, Api(service, DOMAIN) as api:
            for _ in range(5):
                api.create()
            wait_until_all_is_sent(service)
        after = arrived(redis)
    assert len(after) == 5
    assert {event["sequence"] for event in after} <= {event["sequence"] for event in before}
    assert not {event["event_id"] for event in after} & {event["event_id"] for event in before}


def test_nobody_has_the_lease_of_the_outbox(gateway: Gateway, tmp_path: Path, target: Path) -> None:
    home = gateway.copied(tmp_path / "data")
    with opened(home.data / "clients.db") as file:
        file.execute("UPDATE relay SET lease_owner = 'another', lease_until = 1 << 62")
        ((store_id,),) = file.execute("SELECT store_id FROM relay").fetchall()
    done(made(home.data, "b"), "--pepper", home.data / "pepper", data=target)
    ((restored, owner, until),) = rows(target, "SELECT store_id, lease_owner, lease_until FROM relay")
    assert (owner, until) == (None, 0)
    assert restored != store_id
    assert re.fullmatch(r"[0-9a-f]{32}", restored)


def test_each_restore_is_a_store_of_its_own(sealed: Path, passphrase: Path, tmp_path: Path) -> None:
    ids = set()
    for number in range(2):
        done(sealed, "--passphrase-file", passphrase, data=tmp_path / f"r{number}")
        ids |= {*rows(tmp_path / f"r{number}", "SELECT store_id FROM relay")}
    assert len(ids) == 2


def test_a_backup_of_an_older_schema_is_brought_up_to_date(gateway: Gateway, tmp_path: Path, target: Path) -> None:
    older = with_schema_1(gateway.data, tmp_path / "older", tmp_path / "schema")
    done(made(older, "b"), "--pepper", older / "pepper", data=target)
    assert versions(target) == CURRENT
    assert names(target) == PLACED | LOCK, "and no copy of the older one"
    with started(target) as service, Api(service, DOMAIN) as api:
        assert set(api.listed(status="all")) == {client["id"] for client in gateway.clients.values()}


def test_what_it_prints_as_json(sealed: Path, passphrase: Path, target: Path) -> None:
    printed = json.loads(done(sealed, "--passphrase-file", passphrase, "--output", "json", data=target))
    assert re.fullmatch(r"2\S+Z", printed.pop("created_at"))
    assert printed.pop("age_seconds") >= 0
    assert printed == {"data_dir": str(target), "clients": 3, "with_pepper": True}


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (5, "seconds ago"),
        (3 * 60 + 10, "3 minutes ago"),
        (5 * 3600 + 10, "5 hours ago"),
        (40 * 86_400 + 10, "40 days ago"),
        (-3600, "which is later than the clock of this machine says"),
    ],
)
def test_it_says_how_old_the_backup_is(
    gateway: Gateway, clear: Path, tmp_path: Path, target: Path, seconds: int, words: str
) -> None:
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - seconds))
    backup = changed(clear, tmp_path / "b", nothing, created_at=at)
    printed = done(backup, "--pepper", gateway.data / "pepper", data=target)
    assert f"as of {at}, " in printed
    assert f"{words}." in printed


def test_a_backup_comes_through_a_pipe(gateway: Gateway, clear: Path, target: Path) -> None:
    """From another machine, for example."""
    command = ["sh", "-c", 'cat "$0" | "$@"', str(clear), *PROGRAM, "restore", "/dev/stdin", "--pepper"]
    subprocess.run([*command, str(gateway.data / "pepper")], env=environment(target), check=True, capture_output=True)
    assert names(target) == PLACED | LOCK


# Peppers.


def test_peppers_go_where_the_settings_want_them(gateway: Gateway, passphrase: Path, tmp_path: Path, target: Path) -> None:
    home = gateway.copied(tmp_path / "data")
    (home.data / "new").write_bytes(os.urandom(32))
    two = {"MG_CLIENTS_PEPPER_FILE": f"{home.data / 'new'},{home.data / 'pepper'}"}
    backup = tmp_path / "b"
    ended = run("backup", str(backup), "--with-pepper", "--passphrase-file", str(passphrase), data=home.data, env=two)
    assert ended.code == 0, ended
    line = restore(backup, "--passphrase-file", passphrase, data=target).line
    assert "peppers in use: 2, files for them: 1: set MG_CLIENTS_PEPPER_FILE to one for each, separated by `,`" in line
    assert names(target) <= LOCK
    env = {"MG_CLIENTS_PEPPER_FILE": f"{target / 'first'},{tmp_path / 'second'}"}
    done(backup, "--passphrase-file", passphrase, data=target, **env)
    assert (target / "first").read_bytes() == (home.data / "new").read_bytes()
    assert (tmp_path / "second").read_bytes() == (home.data / "pepper").read_bytes()
    assert ((tmp_path / "second").stat().st_mode & 0o777) == 0o600
    with started(target, env) as service:
        gateway.assert_works(service)


def test_a_pepper_that_this_machine_has_already(gateway: Gateway, clear: Path, tmp_path: Path, target: Path) -> None:
    """As one in systemd's credentials, which stay where they are."""
    (tmp_path / "edgeclients.pepper").write_bytes((gateway.data / "pepper").read_bytes())
    done(clear, data=target, CREDENTIALS_DIRECTORY=str(tmp_path))
    assert names(target) == (PLACED - {"pepper"}) | LOCK


def test_another_pepper_on_this_machine_is_not_overwritten(
    gateway: Gateway, sealed: Path, passphrase: Path, tmp_path: Path, target: Path
) -> None:
    mine = tmp_path / "mine"
    mine.write_bytes(os.urandom(32))
    line = restore(sealed, "--passphrase-file", passphrase, data=target, MG_CLIENTS_PEPPER_FILE=str(mine)).line
    assert f"{mine} holds something else than the pepper: name another file" in line
    assert names(target) <= LOCK


def test_a_pepper_is_needed_and_must_be_the_right_one(gateway: Gateway, clear: Path, tmp_path: Path, target: Path) -> None:
    wrong, short = tmp_path / "wrong", tmp_path / "short"
    wrong.write_bytes(os.urandom(32))
    short.write_bytes(b"x")
    assert f"{clear} holds no pepper, and its secrets need one: name the file" in restore(clear, data=target).line
    assert "secrets need the pepper with key id" in restore(clear, "--pepper", wrong, data=target).line
    assert "has 1 bytes, not 32" in restore(clear, "--pepper", short, data=target).line
    assert "cannot be read" in restore(clear, "--pepper", tmp_path / "nowhere", data=target).line
    assert names(target) <= LOCK
    done(clear, "--pepper", gateway.data / "pepper", data=target)


def test_a_pepper_that_the_backup_holds_is_not_named(gateway: Gateway, sealed: Path, passphrase: Path, target: Path) -> None:
    ended = restore(sealed, "--passphrase-file", passphrase, "--pepper", gateway.data / "pepper", data=target)
    assert "holds its pepper: leave out --pepper" in ended.line
    assert names(target) <= LOCK


def test_where_no_secret_needs_a_pepper_none_is_needed(tmp_path: Path, target: Path) -> None:
    with started(tmp_path / "data"):
        pass
    done(made(tmp_path / "data", "b"), data=target)
    with started(target):
        assert (target / "pepper").exists()


# What it refuses.


def test_a_box_with_data_keeps_them(gateway: Gateway, sealed: Path, passphrase: Path, tmp_path: Path) -> None:
    home = gateway.copied(tmp_path / "data")
    before = content(home.data)
    line = restore(sealed, "--passphrase-file", passphrase, data=home.data).line
    assert f"data directory {home.data} is not empty (activity.db): restore into an empty one" in line
    assert content(home.data) == before
    for name in ("pepper", ".hidden"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).write_text("mine")
        assert f"is not empty ({name})" in restore(sealed, "--passphrase-file", passphrase, data=tmp_path / name).line
        assert content(tmp_path / name) == {name: b"mine"}


def test_a_service_that_runs_keeps_its_data(sealed: Path, passphrase: Path, tmp_path: Path) -> None:
    with started(tmp_path / "data") as service, Api(service, DOMAIN) as api:
        assert "is not empty" in restore(sealed, "--passphrase-file", passphrase, data=tmp_path / "data").line
        for path in (tmp_path / "data").iterdir():
            if path.name != "lock":
                path.rename(tmp_path / path.name)
        assert (
            "is in use by another edgeclients" in restore(sealed, "--passphrase-file", passphrase, data=tmp_path / "data").line
        )
        for path in (*tmp_path.glob("*.db*"), tmp_path / "pepper", *tmp_path.glob("operator.*")):
            path.rename(tmp_path / "data" / path.name)
        assert api.listed() == []


def test_what_a_disk_and_an_attempt_leave_is_nothing(sealed: Path, passphrase: Path, target: Path) -> None:
    target.mkdir(parents=True, mode=0o750)
    (target / "lost+found").mkdir()
    (target / "lock").touch()
    (target / GATHERED / "deeper").mkdir(parents=True)
    (target / GATHERED / "deeper" / "clients.db").write_text("half")
    done(sealed, "--passphrase-file", passphrase, data=target)
    assert names(target) == PLACED | {"operator.token", "lost+found"} | LOCK
    assert target.stat().st_mode & 0o777 == 0o750, "it is not ours to change"


def test_a_wrong_passphrase(sealed: Path, clear: Path, target: Path, tmp_path: Path) -> None:
    (tmp_path / "wrong").write_text("wrong")
    line = restore(sealed, "--passphrase-file", tmp_path / "wrong", data=target).line
    assert line == f"edgeclients: {sealed} cannot be decrypted, because the passphrase is wrong"
    assert not target.exists()


@pytest.mark.parametrize("kind", ["clear", "sealed"])
def test_a_backup_that_is_cut_short(
    gateway: Gateway, clear: Path, sealed: Path, passphrase: Path, tmp_path: Path, kind: str
) -> None:
    target, whole = tmp_path / "data", (clear if kind == "clear" else sealed).read_bytes()
    more = ("--pepper", gateway.data / "pepper") if kind == "clear" else ("--passphrase-file", passphrase)
    for end in (0, 1, 10, 100, 1000, len(whole) // 2, len(whole) - 20, len(whole) - 1):
        (tmp_path / "cut").write_bytes(whole[:end])
        line = restore(tmp_path / "cut", *more, data=target).line
        assert line.startswith(f"edgeclients: {tmp_path / 'cut'} is "), line
        assert line.endswith((": use another backup", ": name another file")), line
        assert names(target) <= LOCK


def test_a_backup_of_a_newer_version(clear: Path, target: Path, tmp_path: Path) -> None:
    cases: tuple[tuple[dict[str, object], str], ...] = (
        ({"format": 2}, "was made by a newer edgeclients: restore it with that version"),
        (
            {"schema": 9999, "edgeclients": "7.1.0"},
            f"has schema 9999, this program knows {len(CURRENT)}: restore it with edgeclients 7.1.0",
        ),
    )
    for more, why in cases:
        backup = changed(clear, tmp_path / "b", nothing, **more)
        assert why in restore(backup, data=target).line
        assert not target.exists()


def newer(path: Path) -> None:
    with opened(path) as file:
        file.execute("INSERT INTO schema_migrations VALUES (9999, 'later', 'x', 0)")


def of_the_original(path: Path) -> None:
    with opened(path) as file:
        file.execute("CREATE TABLE gorp_migrations (id TEXT)")


def torn(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: 20 * 2048])


def noise(path: Path) -> None:
    path.write_bytes(os.urandom(50_000))


def without_a_row_in_an_index(path: Path) -> None:
    with opened(path) as file:
        file.execute("PRAGMA writable_schema = ON")
        file.execute("UPDATE sqlite_schema SET sql = sql || ' WHERE n > 1' WHERE name = 'client_rows_by_id'")


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (newer, "run a newer edgeclients"),
        (of_the_original, "belongs to the original Magistrala service"),
        (torn, "holds a database that is damaged: use another backup"),
        (noise, "holds a database that is damaged: use another backup"),
        (without_a_row_in_an_index, "holds a database that is damaged: use another backup"),
    ],
)
def test_a_database_that_cannot_be_used(
    gateway: Gateway, clear: Path, target: Path, tmp_path: Path, spoil: Callable[[Path], None], why: str
) -> None:
    """Though the checksums are right."""
    backup = changed(clear, tmp_path / "b", with_database(spoil, tmp_path))
    assert why in restore(backup, "--pepper", gateway.data / "pepper", data=target).line
    assert names(target) <= LOCK


def test_what_is_no_backup(target: Path, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello")
    assert "is not a backup of edgeclients: name another file" in restore(tmp_path / "text", data=target).line
    assert "cannot be read (No such file or directory)" in restore(tmp_path / "nowhere", data=target).line
    assert "cannot be read (Is a directory)" in restore(tmp_path, data=target).line
    assert not target.exists()


def test_cloud_mode_has_other_tools(clear: Path, target: Path) -> None:
    assert "restore it with pg_restore" in restore(clear, data=target, MG_CLIENTS_MODE="cloud").line


@pytest.mark.parametrize("place", ["/sys/kernel", "/sys/edgeclients", "/dev/null", "/dev/null/data"])
def test_a_directory_that_cannot_be_written(sealed: Path, passphrase: Path, place: str) -> None:
    """Not even by root."""
    line = restore(sealed, "--passphrase-file", passphrase, data=Path(place)).line
    assert place in line
    assert "is not empty" in line or "cannot be used" in line


def test_a_backup_that_would_not_fit_is_refused_at_once(gateway: Gateway, clear: Path, target: Path, tmp_path: Path) -> None:
    """Before it is extracted, for what expands without end."""
    files = [{"name": "clients.db", "size": 2**60, "sha256": ""}]
    line = restore(changed(clear, tmp_path / "b", nothing, files=files), "--pepper", gateway.data / "pepper", data=target).line
    assert "the backup needs 1152921504607 MB" in line
    assert names(target) <= LOCK


# Killed, or without space.


@pytest.mark.source_only("it looks into the program, step by step")
def test_one_that_is_killed_leaves_nothing_or_all(gateway: Gateway, sealed: Path, passphrase: Path, tmp_path: Path) -> None:
    """Wherever it was."""
    kills, complete = 0, 0
    for step in range(1, 1000):
        target = tmp_path / f"killed-{step}"
        command = [sys.executable, "-m", "tests.support.killing", str(step), "restore", str(sealed), "--passphrase-file"]
        ended = subprocess.run([*command, str(passphrase)], env=environment(target), capture_output=True, check=False)
        if ended.returncode == 0:
            break
        assert ended.returncode == -signal.SIGKILL, ended.stderr
        kills += 1
        left = names(target) - LOCK
        if left <= {GATHERED}:
            done(sealed, "--passphrase-file", passphrase, data=target)
        else:
            # A start completes it; another restore does not take it for empty.
            complete += 1
            line = restore(sealed, "--passphrase-file", passphrase, data=target).line
            assert ("lacks only its last step: start the service" if RESTORED in left else "is not empty") in line
            with started(target) as service:
                gateway.assert_works(service)
        assert names(target) - {f"{name}.db-{kind}" for name in ("clients", "activity") for kind in ("wal", "shm")} == (
            PLACED | {"operator.token"} | LOCK
        )
        assert rows(target, "SELECT count(*) FROM clients") == [(3,)]
    assert kills > 50
    assert complete > 3


def test_a_restore_that_lacks_its_last_step_is_completed_by_the_service(
    gateway: Gateway, sealed: Path, passphrase: Path, target: Path
) -> None:
    done(sealed, "--passphrase-file", passphrase, data=target)
    (target / RESTORED).mkdir()
    for name in PLACED | {"operator.token"}:
        (target / name).rename(target / RESTORED / name)
    assert "there is no data" in run("operators", "list", data=target).line
    with started(target) as service:
        assert "incomplete" not in asking.get(f"{service.http}/ready").text
        gateway.assert_works(service)
    assert not (target / RESTORED).exists()


@pytest.mark.skipif(disks.WAY is None, reason="this machine lets nobody mount a disk for himself")
def test_a_disk_that_is_full_halfway(gateway: Gateway, sealed: Path, passphrase: Path, tmp_path: Path) -> None:
    """Wherever that is, nothing is left of it."""
    assert disks.WAY is not None
    script = (
        'mount -t tmpfs -o size="$1" tmpfs "$2" && out="$2" && shift 2 && "$@"; code=$?; ls -A "$out" "$out/data"; exit $code'
    )
    (tmp_path / "disk").mkdir()
    said: set[str] = set()
    for size in range(4, 1200, 8):
        command = [*PROGRAM, "restore", str(sealed), "--passphrase-file", str(passphrase)]
        ended = subprocess.run(
            [*disks.WAY, "sh", "-c", script, "sh", f"{size}k", str(tmp_path / "disk"), *command],
            env=environment(tmp_path / "disk" / "data"),
            capture_output=True,
            text=True,
            check=False,
        )
        if ended.returncode == 0:
            break
        left = set(ended.stdout.split()) - {f"{tmp_path / 'disk'}:", f"{tmp_path / 'disk' / 'data'}:", "data", "lock"}
        assert not left, (size, ended)
        line = ended.stderr.splitlines()[0]
        assert re.search(r"free space on its disk|free some space|check that the disk has space", line), ended.stderr
        said.add(line)
    assert ended.returncode == 0
    assert "clients.db" in ended.stdout
    assert len(said) > 3, said


# As root, for somebody else.


def test_files_belong_to_the_owner_of_the_directory(elsewhere: Elsewhere) -> None:
    root = elsewhere.data.parent / "root"
    root.mkdir(mode=0o700)
    (root / "passphrase").write_text(PASSPHRASE)
    with elsewhere.started() as service, Api(service, DOMAIN) as api:
        client = api.create()
        elsewhere.done("backup", str(root / "b"), "--with-pepper", "--passphrase-file", str(root / "passphrase"))
        elsewhere.done("backup", str(root / "clear"))
        shutil.copy(elsewhere.data / "pepper", root / "pepper")
    for arguments in (("b", "--passphrase-file", str(root / "passphrase")), ("clear", "--pepper", str(root / "pepper"))):
        for path in elsewhere.data.iterdir():
            path.unlink()
        elsewhere.done("restore", str(root / arguments[0]), *arguments[1:])
        elsewhere.assert_all_theirs()
        with elsewhere.started() as service, Api(service, DOMAIN) as api:
            assert api.listed() == [client["id"]]
        elsewhere.assert_all_theirs()


def test_root_puts_peppers_where_only_root_can(elsewhere: Elsewhere, tmp_path: Path) -> None:
    """As into systemd's credentials."""
    root = elsewhere.data.parent / "root"
    root.mkdir(mode=0o700)
    (root / "passphrase").write_text(PASSPHRASE)
    with elsewhere.started():
        elsewhere.done("operators", "add", "ann")
        elsewhere.done("operators", "token", "add", "ann", "t")
        elsewhere.done("backup", str(root / "b"), "--with-pepper", "--passphrase-file", str(root / "passphrase"))
    pepper = (elsewhere.data / "pepper").read_bytes()
    for path in elsewhere.data.iterdir():
        path.unlink()
    env = {"MG_CLIENTS_PEPPER_FILE": str(root / "pepper")}
    elsewhere.done("restore", str(root / "b"), "--passphrase-file", str(root / "passphrase"), env=env)
    elsewhere.assert_all_theirs()
    assert not (elsewhere.data / "pepper").exists()
    assert ((root / "pepper").read_bytes(), (root / "pepper").stat().st_uid) == (pepper, 0)


def test_a_failure_of_roots_leaves_nothing_of_roots(elsewhere: Elsewhere, clear: Path) -> None:
    ended = elsewhere.run("restore", str(clear))
    assert "holds no pepper" in ended.line
    assert names(elsewhere.data) <= LOCK
    elsewhere.assert_all_theirs()
    with elsewhere.started():
        pass


def test_somebody_without_rights_is_told(elsewhere: Elsewhere, clear: Path) -> None:
    ended = elsewhere.run("restore", str(clear), user=12345)
    assert "Permission denied" in ended.line
    assert names(elsewhere.data) == set()


# Asked at a terminal.


@contextlib.contextmanager
def _terminal(arguments: list[str], data: Path) -> Iterator[tuple[int, "subprocess.Popen[str]"]]:
    """A command with a terminal of its own, whose other end this is."""
    ours, theirs = os.openpty()
    program = "import os, sys; os.setsid(); os.close(os.open(sys.argv[1], os.O_RDWR)); os.execv(sys.argv[2], sys.argv[2:])"
    process = subprocess.Popen(
        [sys.executable, "-c", program, os.ttyname(theirs), *PROGRAM, *arguments],
        env=environment(data),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield ours, process
    finally:
        os.close(theirs)
        os.close(ours)


def _asked(arguments: list[str], data: Path, *typed: str) -> Ended:
    """How a command ends that asks for passphrases, each of which is typed after it was asked for."""
    with _terminal(arguments, data) as (terminal, process):
        shown = ""
        for place, text in enumerate(typed, 1):
            while shown.count("Passphrase: ") < place:
                shown += os.read(terminal, 1000).decode()
            os.write(terminal, f"{text}\n".encode())
        out, err = process.communicate()
        assert not any(text in shown for text in typed if text), "it is not shown"
        return Ended(process.returncode, out, err)


def test_a_passphrase_is_asked_for(gateway: Gateway, target: Path, tmp_path: Path) -> None:
    ended = _asked(["backup", str(tmp_path / "b"), "--with-pepper"], gateway.data, "one of mine", "one of mine")
    assert (ended.code, ended.err) == (0, "")
    ended = _asked(["restore", str(tmp_path / "b")], target, "one of yours")
    assert "the passphrase is wrong" in ended.line
    ended = _asked(["restore", str(tmp_path / "b")], target, "one of mine")
    assert (ended.code, ended.err) == (0, "")
    with started(target) as service:
        gateway.assert_works(service)


def test_two_passphrases_that_differ_and_none_at_all(gateway: Gateway, tmp_path: Path) -> None:
    ended = _asked(["backup", str(tmp_path / "b"), "--with-pepper"], gateway.data, "one", "two")
    assert "the two passphrases differ: try again" in ended.line
    ended = _asked(["backup", str(tmp_path / "b"), "--with-pepper"], gateway.data, "")
    assert "no passphrase was typed" in ended.line
    assert not (tmp_path / "b").exists()
    (tmp_path / "b").touch()
    assert "exists" in _asked(["backup", str(tmp_path / "b"), "--with-pepper"], gateway.data).line, "before it asks"


def test_where_nobody_can_be_asked_it_is_said_what_to_do(sealed: Path, target: Path) -> None:
    command = [sys.executable, "-c", "import os, sys; os.setsid(); os.execv(sys.argv[1], sys.argv[1:])"]
    ended = subprocess.run(
        [*command, *PROGRAM, "restore", str(sealed)],
        env=environment(target),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "there is no terminal to ask for the passphrase: use --passphrase-file" in ended.stderr
    assert not target.exists()
