"""Cloud mode, as its users run it: everything in PostgreSQL, a pepper that was given, no directory needed."""

import asyncio
import configparser
import json
import os
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from edgeclients import settings
from tests.support import asking
from tests.support.api import Api, error_of
from tests.support.commands import Ended, refused, run
from tests.support.on_postgres import OPERATOR, Cloud, secret_works
from tests.support.pages import in_language
from tests.support.service import started

PASSWORD = "quite secret, this"


def test_http_and_grpc_are_served_without_a_data_directory(cloud: Cloud, tmp_path: Path) -> None:
    with started(tmp_path / "data", cloud.env) as service, Api(service) as api:
        assert (service.ready["data"], service.ready["token_file"]) == ("", "")
        client = api.create(name="boiler", tags=["a"], metadata={"n": 2**70, "x": 1.0})
        secret = client["credentials"]["secret"]
        assert api.listed(metadata='{"x":1}', tags="a", name="BOIL") == [client["id"]]
        assert secret_works(service, client)
        assert api.request("POST", f"/clients/{client['id']}/disable").status_code == 200
        assert not secret_works(service, client)
        ready = asking.get(f"{service.http}/ready").json()
        assert ready["storage"]["backend"] == "postgresql"
        assert ready["status"] == "ready"
        assert "clients_store_writable 1.0" in asking.get(f"{service.http}/metrics").text
    assert not (tmp_path / "data").exists()
    assert secret not in "".join(map(json.dumps, service.lines))


def test_what_was_written_is_there_after_a_restart(cloud: Cloud, tmp_path: Path) -> None:
    with started(tmp_path / "data", cloud.env) as service, Api(service, "plant") as api:
        client = api.create(name="boiler")
    with started(tmp_path / "data", cloud.env) as service, Api(service, "plant") as api:
        assert api.listed() == [client["id"]]
        assert secret_works(service, client)


def test_an_operator_who_is_not_named_is_kept_in_the_data_directory(cloud: Cloud, tmp_path: Path) -> None:
    env = cloud.storage
    with started(tmp_path / "data", env) as service, Api(service) as api:
        api.create()
        assert sorted(path.name for path in service.data.iterdir()) == ["lock", "operator.id", "operator.token"]
        assert "in use by another edgeclients" in refused(service.data, env).line


def test_two_processes_share_what_they_keep(cloud: Cloud, tmp_path: Path) -> None:
    with (
        started(tmp_path / "a", cloud.env) as one,
        started(tmp_path / "b", cloud.env) as other,
        Api(one, "plant") as here,
        Api(other, "plant") as there,
    ):
        client = here.create(name="boiler")
        assert there.listed() == [client["id"]]
        assert secret_works(other, client)
        body = {"name": "again", "credentials": {"secret": client["credentials"]["secret"]}}
        assert error_of(there.request("POST", "/clients", json=body)) == (409, "secret_taken")


def test_operators_are_kept_in_the_database(cloud: Cloud, tmp_path: Path) -> None:
    data = tmp_path / "none"

    def operators(*arguments: str) -> Ended:
        return run("operators", *arguments, data=data, env=cloud.env)

    assert "does not have the schema" in operators("list").line
    with started(data, cloud.env) as service:
        assert operators("add", "ann", "--domain", "plant=admin").code == 0
        token = operators("token", "add", "ann", "laptop").out.strip()
        with Api(service, "plant", token) as ann:
            ann.create(name="ann's")
            assert operators("token", "remove", "ann", "laptop").code == 0
            assert ann.request("GET", "/clients").status_code == 401
        assert operators("add", OPERATOR).line == "edgeclients: operator already exists (the standalone operator's)"
        assert operators("remove", "ann").out.strip() == "ann is removed, with 1 role memberships"
    assert not data.exists()
    other = tmp_path / "other-pepper"
    other.write_bytes(os.urandom(32))
    elsewhere = {**cloud.env, "MG_CLIENTS_PEPPER_FILE": str(other)}
    assert operators("add", "bob").code == 0
    assert "uses another pepper" in run("operators", "token", "add", "bob", "laptop", data=data, env=elsewhere).line


def test_a_pepper_is_never_made(cloud: Cloud, tmp_path: Path) -> None:
    line = refused(tmp_path / "data", {**cloud.env, "MG_CLIENTS_PEPPER_FILE": ""}).line
    assert "MG_CLIENTS_PEPPER_FILE" in line
    assert not (tmp_path / "data").exists()


def test_a_pepper_comes_as_a_systemd_credential(cloud: Cloud, tmp_path: Path) -> None:
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / "edgeclients.pepper").write_bytes(os.urandom(32))
    env = {**cloud.env, "MG_CLIENTS_PEPPER_FILE": "", "CREDENTIALS_DIRECTORY": str(credentials)}
    with started(tmp_path / "data", env) as service, Api(service) as api:
        client = api.create()
        assert secret_works(service, client)


def test_another_pepper_is_refused_while_secrets_need_the_first(cloud: Cloud, tmp_path: Path) -> None:
    with started(tmp_path / "data", cloud.env) as service, Api(service) as api:
        api.create()
    other = tmp_path / "other-pepper"
    other.write_bytes(os.urandom(32))
    line = refused(tmp_path / "data", {**cloud.env, "MG_CLIENTS_PEPPER_FILE": str(other)}).line
    assert "1 secrets need the pepper with key id" in line


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        ("CREATE TABLE gorp_migrations (id text)", "belongs to the original Magistrala service"),
        ("CREATE TABLE clients (id text)", "is not a database of edgeclients"),
        ("CREATE TABLE schema_migrations (version bigint, dirty boolean)", "holds another program's schema_migrations"),
    ],
)
def test_another_programs_database_is_refused(cloud: Cloud, tmp_path: Path, spoil: str, told: str) -> None:
    cloud.execute(spoil)
    tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
    line = refused(tmp_path / "data", cloud.env).line
    assert told in line
    assert cloud.name in line
    assert cloud.rows(tables) == [(1,)]


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        ("INSERT INTO schema_migrations VALUES (9999, 'later', 'x', 0)", "has schema 9999, this program knows"),
        ("UPDATE schema_migrations SET checksum = 'x' WHERE version = 1", "was migrated by a different 0001_clients.sql"),
    ],
)
def test_a_schema_that_is_not_ours_is_refused(cloud: Cloud, tmp_path: Path, spoil: str, told: str) -> None:
    started_once(cloud, tmp_path)
    cloud.execute(spoil)
    assert told in refused(tmp_path / "data", cloud.env).line


def started_once(cloud: Cloud, tmp_path: Path) -> None:
    with started(tmp_path / "data", cloud.env):
        pass


def test_an_encoding_that_cannot_keep_all_text_is_refused(cloud: Cloud, tmp_path: Path) -> None:
    name = f"{cloud.name}_latin"
    asyncio.run(cloud.server.execute(f"CREATE DATABASE \"{name}\" TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'"))
    try:
        line = refused(tmp_path / "data", {**cloud.env, "MG_CLIENTS_DB_NAME": name}).line
    finally:
        asyncio.run(cloud.server.execute(f'DROP DATABASE "{name}"'))
    assert "encoded in LATIN1" in line


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"MG_CLIENTS_DB_PORT": "1"}, "cannot be reached (Connection refused)"),
        ({"MG_CLIENTS_DB_HOST": "no-such-host.invalid"}, "cannot be reached"),
        ({"MG_CLIENTS_DB_NAME": "no_such_database"}, "has no database 'no_such_database'"),
        ({"MG_CLIENTS_DB_USER": "nobody_there"}, "rejects user 'nobody_there'"),
        ({"MG_CLIENTS_DB_SSL_MODE": "require"}, "offers no TLS"),
        ({"MG_CLIENTS_DB_MAX_CONNECTIONS": "1000"}, "MG_CLIENTS_DB_MAX_CONNECTIONS is 1000"),
        (
            {"MG_CLIENTS_DB_SSL_MODE": "verify-ca", "MG_CLIENTS_DB_SSL_ROOT_CERT": "/no/such/file"},
            "SSL_ROOT_CERT cannot be read",
        ),
    ],
)
def test_a_database_that_cannot_be_used(cloud: Cloud, tmp_path: Path, wrong: dict[str, str], told: str) -> None:
    password = cloud.server.password or PASSWORD
    ended = refused(tmp_path / "data", {**cloud.env, "MG_CLIENTS_DB_PASS": password, **wrong})
    assert told in ended.line
    assert password not in ended.line + ended.out


def test_a_user_who_may_not_create_is_told_so(cloud: Cloud, tmp_path: Path) -> None:
    user = f"poor_{uuid.uuid4().hex[:8]}"
    cloud.execute(f"CREATE USER {user} PASSWORD 'poor'; REVOKE CREATE ON SCHEMA public FROM public")
    try:
        env = {**cloud.env, "MG_CLIENTS_DB_USER": user, "MG_CLIENTS_DB_PASS": "poor"}
        assert f"user '{user}' may not use database" in refused(tmp_path / "data", env).line
        cloud.execute(f"ALTER USER {user} CONNECTION LIMIT 4; GRANT CREATE ON SCHEMA public TO {user}")
        assert f"has 4 for user '{user}'" in refused(tmp_path / "data", env).line
        with (
            started(tmp_path / "data", {**env, "MG_CLIENTS_DB_MAX_CONNECTIONS": "3"}) as service,
            Api(service) as api,
        ):
            api.create()
    finally:
        cloud.execute(f"DROP OWNED BY {user}; DROP USER {user}")


@pytest.mark.source_only("a package is hidden from the program")
def test_what_is_not_installed_is_named(tmp_path: Path, cloud: Cloud) -> None:
    """Without asyncpg, as after an installation without the extra `cloud`."""
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.modules['asyncpg'] = None")
    env = {**os.environ, **cloud.env, "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-m", "edgeclients", "serve"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])
    assert done.returncode != 0
    assert done.stderr == "edgeclients: PostgreSQL needs asyncpg, which is not installed: install edgeclients[cloud]\n"


@pytest.mark.source_only("it looks into a file of the sources")
def test_the_example_of_the_page_names_settings() -> None:
    (example,) = in_language("packaging/operations/cloud-mode.md", "ini")
    parser = configparser.ConfigParser()
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(f"[cloud]\n{example}")
    loaded = settings.load(dict(parser["cloud"]))
    assert (loaded.mode, loaded.db_host, loaded.db_ssl_mode) == ("cloud", "db.example", "verify-full")
    assert settings.unknown(dict(parser["cloud"])) == []
