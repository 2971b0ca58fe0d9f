"""TLS to PostgreSQL: what each mode checks, and what is said when that fails."""

from pathlib import Path

import pytest

from tests.support.api import Api
from tests.support.certificates import Authority, Pair, encrypted
from tests.support.commands import refused
from tests.support.fronts import tls_front
from tests.support.on_postgres import Cloud
from tests.support.service import started

TRUSTED, STRANGER = Authority("trusted"), Authority("stranger")
HERE, ELSEWHERE = TRUSTED.sign("db"), TRUSTED.sign("db", hosts=("elsewhere.example",))
ROOT, WRONG_ROOT = {"ROOT_CERT": TRUSTED.certificate}, {"ROOT_CERT": STRANGER.certificate}

UNTRUSTED = "presents an untrusted certificate"


def tls(mode: str, settings: dict[str, str]) -> dict[str, str]:
    """The environment for one mode."""
    return {"MG_CLIENTS_DB_SSL_MODE": mode} | {f"MG_CLIENTS_DB_SSL_{name}": value for name, value in settings.items()}


@pytest.mark.parametrize(
    ("mode", "settings", "shown"),
    [
        ("require", {}, ELSEWHERE),
        ("require", ROOT, ELSEWHERE),
        ("verify-ca", ROOT, ELSEWHERE),
        ("verify-full", ROOT, HERE),
    ],
)
def test_a_server_that_is_trusted_as_far_as_the_mode_asks(
    cloud: Cloud, tmp_path: Path, mode: str, settings: dict[str, str], shown: Pair
) -> None:
    with (
        tls_front(cloud.server, shown) as server,
        started(tmp_path / "data", {**cloud.through(server), **tls(mode, settings)}) as service,
        Api(service) as api,
    ):
        api.create()


@pytest.mark.parametrize(
    ("mode", "settings", "shown"),
    [
        ("require", WRONG_ROOT, HERE),
        ("verify-ca", WRONG_ROOT, HERE),
        ("verify-ca", {}, HERE),
        ("verify-full", WRONG_ROOT, HERE),
        ("verify-full", ROOT, ELSEWHERE),
        ("verify-full", {}, HERE),
    ],
)
def test_a_server_that_is_not(cloud: Cloud, tmp_path: Path, mode: str, settings: dict[str, str], shown: Pair) -> None:
    with tls_front(cloud.server, shown) as server:
        line = refused(tmp_path / "data", {**cloud.through(server), **tls(mode, settings)}).line
    assert UNTRUSTED in line
    assert "MG_CLIENTS_DB_SSL_ROOT_CERT" in line
    if shown is ELSEWHERE:
        assert "127.0.0.1" in line


def test_a_server_that_wants_tls_gets_none_unless_told(cloud: Cloud, tmp_path: Path) -> None:
    with tls_front(cloud.server, HERE) as server:
        line = refused(tmp_path / "data", cloud.through(server)).line
    assert f"PostgreSQL at 127.0.0.1:{server.port} closed the connection" in line
    assert "MG_CLIENTS_DB_SSL_MODE" in line


def test_certificates_may_be_files(cloud: Cloud, tmp_path: Path) -> None:
    ours = TRUSTED.sign("edgeclients")
    files = {"ROOT_CERT": TRUSTED.certificate, "CERT": ours.certificate, "KEY": ours.key}
    for name, pem in files.items():
        (tmp_path / name).write_text(pem)
    env = tls("verify-full", {name: str(tmp_path / name) for name in files})
    with (
        tls_front(cloud.server, HERE, TRUSTED.certificate) as server,
        started(tmp_path / "data", {**cloud.through(server), **env}) as service,
        Api(service) as api,
    ):
        api.create()


def test_a_server_that_wants_a_certificate(cloud: Cloud, tmp_path: Path) -> None:
    ours, theirs = TRUSTED.sign("edgeclients"), STRANGER.sign("edgeclients")
    with tls_front(cloud.server, HERE, TRUSTED.certificate) as server:
        for shown in ({}, {"CERT": theirs.certificate, "KEY": theirs.key}):
            line = refused(tmp_path / "data", {**cloud.through(server), **tls("verify-full", ROOT | shown)}).line
            assert "MG_CLIENTS_DB_SSL_CERT" in line
            assert "PRIVATE KEY" not in line
        env = tls("verify-full", ROOT | {"CERT": ours.certificate, "KEY": ours.key})
        with started(tmp_path / "data", {**cloud.through(server), **env}) as service, Api(service) as api:
            api.create()


@pytest.mark.parametrize(
    "settings",
    [
        {"CERT": HERE.certificate, "KEY": ELSEWHERE.key},
        {"CERT": HERE.certificate, "KEY": encrypted(HERE, b"secret")},
        {"CERT": "/no/such/file", "KEY": HERE.key},
        {"ROOT_CERT": "-----BEGIN CERTIFICATE-----\nnothing\n-----END CERTIFICATE-----\n"},
    ],
)
def test_certificates_that_cannot_be_used(cloud: Cloud, tmp_path: Path, settings: dict[str, str]) -> None:
    line = refused(tmp_path / "data", {**cloud.env, **tls("require", settings)}).line
    assert "MG_CLIENTS_DB_SSL_CERT" in line
    assert "PRIVATE KEY" not in line
