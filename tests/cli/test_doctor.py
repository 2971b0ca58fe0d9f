"""`edgeclients doctor`: what is wrong with an installation, and advice that helps; it changes nothing itself."""

import datetime as dt
import fcntl
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from edgeclients.store.datadir import RESTORED
from tests.cli.test_upgrade import with_schema_1
from tests.support import disks
from tests.support.api import Api
from tests.support.commands import Ended, run
from tests.support.database import keep_events, opened
from tests.support.elsewhere import Elsewhere
from tests.support.gateways import Gateway, content
from tests.support.on_postgres import Cloud
from tests.support.ports import free_port
from tests.support.program import PROGRAM
from tests.support.service import environment, started

CHECKS = [
    *("settings", "data_directory", "permissions", "space", "integrity", "activity", "schema", "clock", "pepper", "outbox"),
    *("ports", "certificates"),
]
WITHOUT_DATA = ["settings", "data_directory", "ports", "certificates"]


class Found(NamedTuple):
    """What the doctor said."""

    code: int
    checks: dict[str, dict[str, str]]

    def well(self, *but: str) -> None:
        """Assert that all is well, but for these."""
        assert {name for name, check in self.checks.items() if check["status"] != "ok"} == set(but), self
        assert all(bool(check["advice"]) == (check["status"] != "ok") for check in self.checks.values()), self

    def only(self, name: str, status: str, message: str, advice: str = "") -> None:
        """Assert that this is all that is wrong."""
        self.well(name)
        check = self.checks[name]
        assert (check["status"], self.code) == (status, {"warning": 1, "broken": 2}[status]), check
        assert message in check["message"], check
        assert advice in check["advice"], check


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Gateway:
    return Gateway.made(tmp_path_factory.mktemp("gateway") / "data")


@pytest.fixture
def home(gateway: Gateway, tmp_path: Path) -> Gateway:
    return gateway.copied(tmp_path / "data")


def examined(data: Path, env: Mapping[str, str] = {}) -> Found:
    return found(run("doctor", "--json", data=data, env=env))


def found(ended: Ended) -> Found:
    assert ended.err == "", ended
    document: dict[str, Any] = json.loads(ended.out)
    assert list(document) == ["checks"]
    assert all(list(check) == ["name", "status", "message", "advice"] for check in document["checks"])
    return Found(ended.code, {check["name"]: check for check in document["checks"]})


# All is well.


def test_a_gateway_that_is_stopped(home: Gateway) -> None:
    for way in ("with", "without"):
        if way == "without":
            for path in home.data.glob("*.db-*"):
                path.unlink()
        before = content(home.data)
        checks = examined(home.data)
        assert (checks.code, list(checks.checks)) == (0, CHECKS)
        checks.well()
        assert content(home.data) == before, "nothing is changed"
    assert "does not run, and its ports are free" in checks.checks["ports"]["message"]


def test_a_gateway_that_runs(home: Gateway) -> None:
    port = str(free_port())
    with started(home.data, {"MG_CLIENTS_HTTP_PORT": port}) as service, Api(service) as api:
        before = set(content(home.data))
        checks = examined(home.data, {"MG_CLIENTS_HTTP_PORT": port})
        assert (checks.code, list(checks.checks)) == (0, CHECKS)
        checks.well()
        assert checks.checks["ports"]["message"] == f"the service is ready at localhost:{port}"
        assert set(content(home.data)) == before
        api.create()
        assert "it cannot be asked" in examined(home.data).checks["ports"]["message"]
    with started(home.data) as service:
        home.assert_works(service)


def test_a_gateway_that_was_killed(home: Gateway) -> None:
    with started(home.data) as service, Api(service) as api:
        api.create()
        service.kill()
    before = {name: text for name, text in content(home.data).items() if not name.endswith("-shm")}
    examined(home.data).well()
    assert {name: text for name, text in content(home.data).items() if not name.endswith("-shm")} == before


def test_what_people_read(home: Gateway) -> None:
    ended = run("doctor", data=home.data)
    assert [line.split()[:2] for line in ended.out.splitlines()] == [["ok", name] for name in CHECKS]
    (home.data / "pepper").chmod(0o644)
    ended = run("doctor", data=home.data)
    assert ended.code == 1
    lines = ended.out.splitlines()
    place = next(number for number, line in enumerate(lines) if line.startswith("warning  permissions"))
    assert lines[place + 1].split(maxsplit=1) == ["->", f"chmod 600 {home.data / 'pepper'}"]


# The data directory.


def test_no_data(tmp_path: Path) -> None:
    checks = examined(tmp_path / "data")
    assert list(checks.checks) == WITHOUT_DATA
    checks.only("data_directory", "broken", f"there is no data in {tmp_path / 'data'}", "start the service once")
    assert not (tmp_path / "data").exists()
    (tmp_path / "data" / RESTORED).mkdir(parents=True)
    examined(tmp_path / "data").only("data_directory", "broken", "lacks its last step", "start the service")


def open_to_others(data: Path) -> None:
    data.chmod(0o755)


def a_pepper_that_others_read(data: Path) -> None:
    (data / "pepper").chmod(0o640)


def a_token_that_others_write(data: Path) -> None:
    (data / "operator.token").chmod(0o602)


@pytest.mark.parametrize("spoil", [open_to_others, a_pepper_that_others_read, a_token_that_others_write])
def test_files_that_others_can_use(home: Gateway, spoil: Callable[[Path], None]) -> None:
    spoil(home.data)
    checks = examined(home.data)
    checks.only("permissions", "warning", "other users can use", "chmod")
    take(checks.checks["permissions"]["advice"])
    examined(home.data).well()


def take(advice: str) -> None:
    """Do as the doctor says."""
    subprocess.run(["sh", "-c", advice], check=True)


def test_files_of_root_in_a_directory_of_somebody_else(elsewhere: Elsewhere) -> None:
    """The service could not write its log."""
    with elsewhere.started():
        pass
    os.chown(elsewhere.data / "operator.id", 0, 0)
    checks = found(elsewhere.run("doctor", "--json"))
    checks.only("permissions", "warning", "does not belong to the owner of its folder", "chown")
    take(checks.checks["permissions"]["advice"])
    found(elsewhere.run("doctor", "--json")).well()
    elsewhere.assert_all_theirs()


def test_a_database_that_the_service_cannot_write(elsewhere: Elsewhere) -> None:
    with elsewhere.started():
        pass
    for path in elsewhere.data.glob("clients.db-*"):
        path.unlink()
    os.chown(elsewhere.data / "clients.db", 0, 0)
    (elsewhere.data / "clients.db").chmod(0o644)
    checks = found(elsewhere.run("doctor", "--json"))
    checks.well("permissions", "integrity")
    assert "cannot be opened (Permission denied)" in checks.checks["integrity"]["message"]
    assert not list(elsewhere.data.glob("clients.db-*"))


def test_somebody_without_rights_is_told(elsewhere: Elsewhere) -> None:
    with elsewhere.started():
        pass
    checks = found(elsewhere.run("doctor", "--json", user=12345))
    checks.only("data_directory", "broken", "cannot be read (Permission denied)", "run this as root, or as the owner")


def test_root_leaves_nothing_of_its_own(elsewhere: Elsewhere) -> None:
    with elsewhere.started():
        found(elsewhere.run("doctor", "--json")).well()
        elsewhere.assert_all_theirs()
    for path in elsewhere.data.glob("*.db-*"):
        path.unlink()
    found(elsewhere.run("doctor", "--json")).well()
    elsewhere.assert_all_theirs()
    with elsewhere.started():
        pass


@pytest.mark.skipif(disks.WAY is None, reason="this machine lets nobody mount a disk for himself")
@pytest.mark.parametrize("options", ["rw", "ro"])
def test_a_disk_that_is_almost_full_or_cannot_be_written(home: Gateway, tmp_path: Path, options: str) -> None:
    assert disks.WAY is not None
    (tmp_path / "disk").mkdir()
    script = (
        f'mount -t tmpfs -o size=1m tmpfs "$1" && cp -a "$2" "$1" && mount -o remount,{options} "$1" && shift 2 && exec "$@"'
    )
    ended = subprocess.run(
        [*disks.WAY, "sh", "-c", script, "sh", str(tmp_path / "disk"), str(home.data), *PROGRAM, "doctor", "--json"],
        env=environment(tmp_path / "disk" / "data"),
        capture_output=True,
        text=True,
        check=False,
    )
    checks = found(Ended(ended.returncode, ended.stdout, ended.stderr))
    assert checks.checks["integrity"]["status"] == "ok"
    checks.only("space", "warning", "MB are free", "268 MB should be free")


# The database.


def torn(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: 20 * 2048])


def noise(path: Path) -> None:
    path.write_bytes(os.urandom(50_000))


def without_a_row_in_an_index(path: Path) -> None:
    with opened(path) as file:
        file.execute("PRAGMA writable_schema = ON")
        file.execute("UPDATE sqlite_schema SET sql = sql || ' WHERE n > 1' WHERE name = 'client_rows_by_id'")


@pytest.mark.parametrize("spoil", [torn, noise, without_a_row_in_an_index])
def test_a_database_that_is_damaged(home: Gateway, spoil: Callable[[Path], None]) -> None:
    for path in home.data.glob("clients.db-*"):
        path.unlink()
    spoil(home.data / "clients.db")
    checks = examined(home.data)
    assert (checks.code, checks.checks["integrity"]["status"]) == (2, "broken")
    assert "damaged" in checks.checks["integrity"]["message"]
    assert "restore" in checks.checks["integrity"]["advice"]


def test_last_seen_times_that_are_damaged(home: Gateway) -> None:
    """The service recreates the file."""
    for path in home.data.glob("activity.db-*"):
        path.unlink()
    noise(home.data / "activity.db")
    (home.data / "activity.db").chmod(0o600)
    examined(home.data).only("activity", "warning", "cannot be used (file is not a database)", "restart the service")
    with started(home.data):
        pass
    examined(home.data).well()


def test_a_database_that_has_lost_its_log(home: Gateway, tmp_path: Path) -> None:
    with started(home.data) as service, Api(service) as api:
        api.create()
        shutil.copytree(home.data, tmp_path / "copy", ignore=shutil.ignore_patterns("*.sock"))
        examined(home.data).well()
    for path in (tmp_path / "copy").glob("clients.db-*"):
        path.unlink()
    for _ in range(2):
        examined(tmp_path / "copy").only("integrity", "broken", "was in use, and has no -wal file", "restore the newest backup")


def test_a_schema_of_another_version(home: Gateway, tmp_path: Path) -> None:
    older = with_schema_1(home.data, tmp_path / "older", tmp_path / "schema")
    checks = examined(older)
    checks.only("schema", "warning", "schema 1 is older than this program", "start the service, which migrates the database")
    assert checks.checks["pepper"]["status"] == "ok"
    (older / "pepper").write_bytes(os.urandom(32))
    assert examined(older).checks["pepper"]["status"] == "broken"
    with opened(home.data / "clients.db") as file:
        file.execute("INSERT INTO schema_migrations VALUES (9999, 'later', 'x', 0)")
    examined(home.data).only("schema", "broken", "has schema 9999", "run a newer edgeclients, or restore the backup")


@pytest.mark.source_only("it moves the clock inside the program")
@pytest.mark.parametrize(
    ("ahead", "message"),
    [(-40 * 365 * 86_400, "before this version was released"), (None, "behind the newest change, or was ahead then")],
)
def test_a_clock_that_is_wrong(home: Gateway, tmp_path: Path, ahead: int | None, message: str) -> None:
    if ahead is None:
        with opened(home.data / "clients.db") as file:
            file.execute("UPDATE store_state SET newest_at = ?", (int((time.time() + 3600) * 1e6),))
    (tmp_path / "ahead").write_text(str(ahead or 0))
    ended = subprocess.run(
        [sys.executable, "-m", "tests.support.shifted", str(tmp_path / "ahead"), "doctor", "--json"],
        env=environment(home.data),
        capture_output=True,
        text=True,
        check=False,
    )
    found(Ended(ended.returncode, ended.stdout, ended.stderr)).only("clock", "warning", message, "set the clock")


# The pepper.


@pytest.mark.parametrize(
    ("pepper", "message", "advice"),
    [
        (None, "cannot be read (No such file or directory)", "restore it from the backup"),
        (b"short", "has 5 bytes, not 32", "restore it from the backup"),
        (bytes(32), "secrets need the pepper with key id", "restore that pepper"),
    ],
)
def test_a_pepper_that_opens_nothing(home: Gateway, pepper: bytes | None, message: str, advice: str) -> None:
    (home.data / "pepper").unlink()
    if pepper is not None:
        (home.data / "pepper").touch(mode=0o600)
        (home.data / "pepper").write_bytes(pepper)
    examined(home.data).only("pepper", "broken", message, advice)


def test_a_pepper_that_is_elsewhere(home: Gateway, tmp_path: Path) -> None:
    (home.data / "pepper").rename(tmp_path / "edgeclients.pepper")
    assert examined(home.data).code == 2
    examined(home.data, {"MG_CLIENTS_PEPPER_FILE": str(tmp_path / "edgeclients.pepper")}).well()
    examined(home.data, {"CREDENTIALS_DIRECTORY": str(tmp_path)}).well()


# Settings, ports and certificates.


def test_settings(home: Gateway) -> None:
    examined(home.data, {"MG_CLIENTS_HTTP_PROT": "1"}).only("settings", "warning", "MG_CLIENTS_HTTP_PROT", "correct the name")
    ended = run("doctor", data=home.data, env={"MG_CLIENTS_HTTP_PORT": "x"})
    assert (ended.code, ended.out) == (78, "")
    assert "MG_CLIENTS_HTTP_PORT" in ended.line


@pytest.mark.parametrize("transport", ["HTTP", "GRPC"])
def test_a_port_that_another_program_has(home: Gateway, transport: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        env = {f"MG_CLIENTS_{transport}_HOST": "127.0.0.1", f"MG_CLIENTS_{transport}_PORT": str(port)}
        message = f"cannot listen on 127.0.0.1:{port} (Address already in use)"
        examined(home.data, env).only("ports", "broken", message, "stop the program that uses it")
    env = {f"MG_CLIENTS_{transport}_HOST": "no-such-host.invalid"}
    examined(home.data, env).only("ports", "broken", "no-such-host.invalid", f"MG_CLIENTS_{transport}_HOST")


def test_a_service_that_does_not_answer(home: Gateway) -> None:
    """As one that migrates."""
    env = {"MG_CLIENTS_HTTP_PORT": str(free_port())}
    with (home.data / "lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        examined(home.data, env).only("ports", "warning", "the service runs, but there is no response", "see its log")
    examined(home.data, env).well()


def test_a_service_that_is_not_ready(home: Gateway) -> None:
    env = {"MG_CLIENTS_HTTP_PORT": str(free_port())}
    with started(home.data, env) as service, Api(service) as api:
        with disks.no_file_grows(service):
            assert api.request("POST", "/clients", json={}).status_code == 503
            examined(home.data, env).only("ports", "broken", "is not ready (storage cannot be written)", "see its log")
        api.create()
        examined(home.data, env).well()


def certificate(folder: Path, *days: float) -> dict[str, str]:
    """Settings with a chain of certificates that end in so many days, and a key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    chain = b""
    for day in days:
        made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        made = made.serial_number(x509.random_serial_number()).not_valid_before(now - dt.timedelta(days=1000))
        chain += (
            made.not_valid_after(now + dt.timedelta(days=day))
            .sign(key, hashes.SHA256())
            .public_bytes(serialization.Encoding.PEM)
        )
    secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "server.pem").write_bytes(chain)
    (folder / "server.key").write_bytes(secret)
    return {
        "MG_CLIENTS_HTTP_SERVER_CERT": str(folder / "server.pem"),
        "MG_CLIENTS_HTTP_SERVER_KEY": str(folder / "server.key"),
    }


@pytest.mark.parametrize(
    ("days", "status"),
    [((31,), "ok"), ((29,), "warning"), ((-1,), "broken"), ((400, 5), "warning"), ((400, -5), "broken")],
)
def test_the_end_of_a_certificate(home: Gateway, tmp_path: Path, days: tuple[float, ...], status: str) -> None:
    checks = examined(home.data, certificate(tmp_path, *days))
    if status == "ok":
        checks.well()
        assert "is the end of MG_CLIENTS_HTTP_SERVER_CERT" in checks.checks["certificates"]["message"]
    else:
        checks.only("certificates", status, "is the end of MG_CLIENTS_HTTP_SERVER_CERT", "renew it")


def test_an_authority_of_the_past_may_stay_beside_one_of_today(home: Gateway, tmp_path: Path) -> None:
    certificate(tmp_path, -400, 400)
    env = {"MG_AUTH_GRPC_SERVER_CA_CERTS": str(tmp_path / "server.pem")}
    examined(home.data, env).well()
    certificate(tmp_path, -400, 10)
    examined(home.data, env).only("certificates", "warning", "MG_AUTH_GRPC_SERVER_CA_CERTS", "renew it")


def test_certificates_of_redis_count(home: Gateway, tmp_path: Path) -> None:
    certificate(tmp_path, 10)
    checks = examined(home.data, {"MG_CLIENTS_ES_URL": f"rediss://localhost?ssl_ca_certs={tmp_path / 'server.pem'}"})
    checks.only("certificates", "warning", "ssl_ca_certs", "renew it")


def test_a_certificate_that_cannot_be_used(home: Gateway, tmp_path: Path) -> None:
    env = certificate(tmp_path, 100)
    certificate(tmp_path, 100)
    shutil.copy(tmp_path / "server.key", tmp_path / "other.key")
    env |= {"MG_CLIENTS_HTTP_SERVER_KEY": str(tmp_path / "other.key")}
    certificate(tmp_path, 100)
    examined(home.data, env).only("certificates", "broken", "cannot be used", "belong together")
    (tmp_path / "server.pem").unlink()
    examined(home.data, env).only("certificates", "broken", "MG_CLIENTS_HTTP_SERVER_CERT cannot be read", "set a path, or PEM")


def test_a_key_that_the_service_cannot_read(elsewhere: Elsewhere) -> None:
    """Root could."""
    with elsewhere.started():
        pass
    root = elsewhere.data.parent / "root"
    root.mkdir(mode=0o700)
    env = certificate(root, 100)
    ended = elsewhere.run("doctor", "--json", env=env)
    found(ended).only("certificates", "broken", "cannot be read (Permission denied)", "set a path, or PEM")


# The outbox.


def test_events_that_wait_for_long(home: Gateway) -> None:
    stream = {"MG_CLIENTS_ES_URL": f"127.0.0.1:{free_port()}"}
    with started(home.data) as service, Api(service) as api:
        keep_events(service)
        api.create()
    with opened(home.data / "clients.db") as file:
        ((count,),) = file.execute("SELECT count(*) FROM outbox").fetchall()
    checks = examined(home.data, stream)
    checks.well()
    assert checks.checks["outbox"]["message"] == f"{count} events wait"
    assert "no stream is set" in examined(home.data).checks["outbox"]["message"]
    with opened(home.data / "clients.db") as file:
        file.execute("UPDATE outbox SET occurred_at = occurred_at - 3600 * 1000000000")
    examined(home.data, stream).only("outbox", "warning", f"{count} events wait, the oldest for 36", "MG_CLIENTS_ES_URL")
    with opened(home.data / "clients.db") as file:
        file.execute("DELETE FROM outbox")
        file.execute("UPDATE relay SET gap_rows = 7, gap_first = 1, gap_last = 7")
    examined(home.data, stream).only("outbox", "warning", "7 events were dropped", "MG_CLIENTS_ES_URL")


# Cloud mode.


def test_the_cloud(cloud: Cloud, tmp_path: Path) -> None:
    env = {**cloud.env, "MG_CLIENTS_HTTP_PORT": str(free_port())}
    checks = examined(tmp_path / "data", env)
    assert checks.code == 2
    assert "the schema of this edgeclients" in checks.checks["schema"]["message"]
    with started(tmp_path / "data", env) as service, Api(service) as api:
        api.create()
        checks = examined(tmp_path / "data", env)
        checks.well()
        assert sorted(checks.checks) == sorted(CHECKS)
        assert "this is for gateways" in checks.checks["integrity"]["message"]
        assert "is ready at" in checks.checks["ports"]["message"]
    checks = examined(tmp_path / "data", env)
    checks.well()
    assert "ports are free" in checks.checks["ports"]["message"]
    (tmp_path / "wrong").write_bytes(os.urandom(32))
    wrong = {"MG_CLIENTS_PEPPER_FILE": str(tmp_path / "wrong")}
    examined(tmp_path / "data", {**env, **wrong}).only("pepper", "broken", "secrets need the pepper", "restore that pepper")
    away = {"MG_CLIENTS_DB_HOST": "127.0.0.1", "MG_CLIENTS_DB_PORT": str(free_port())}
    checks = examined(tmp_path / "data", {**env, **away})
    assert (checks.code, checks.checks["schema"]["status"]) == (2, "broken")
