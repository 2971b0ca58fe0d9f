"""Callouts over TLS, and settings of theirs that cannot be."""

import ssl
from pathlib import Path

import pytest

from tests.support.api import Api, error_of
from tests.support.callee import asked_by_http
from tests.support.certificates import Authority, Pair
from tests.support.commands import refused, run
from tests.support.service import started


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


def serving(folder: Path, pair: Pair, callers: Authority | None = None) -> ssl.SSLContext:
    """What a server has: its pair, and who signs its callers."""
    (folder / "server.pem").write_text(pair.certificate + pair.key)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(folder / "server.pem")
    if callers is not None:
        tls.load_verify_locations(cadata=callers.certificate)
        tls.verify_mode = ssl.CERT_REQUIRED
    return tls


@pytest.mark.parametrize(
    ("trusted", "verification", "passes"),
    [("its own", "true", True), ("its own", "", True), ("another", "true", False), ("none", "true", False),
     ("none", "false", True), ("another", "0", True)],
)  # fmt: skip
def test_it_has_to_prove_who_it_is_unless_told_otherwise(
    tmp_path: Path, authority: Authority, trusted: str, verification: str, passes: bool
) -> None:
    authorities = {"its own": authority.certificate, "another": Authority("stranger").certificate, "none": ""}
    with asked_by_http(serving(tmp_path, authority.sign("callee"))) as callee:
        env = {
            "MG_CLIENTS_CALLOUT_URLS": callee.url,
            "MG_CLIENTS_CALLOUT_OPERATIONS": "create_clients",
            "MG_CLIENTS_CALLOUT_CA_CERT": authorities[trusted],
            "MG_CLIENTS_CALLOUT_TLS_VERIFICATION": verification,
        }
        with started(tmp_path / "data", env) as service, Api(service) as api:
            response = api.request("POST", "/clients", json={})
            if passes:
                assert response.status_code == 201, response.text
            else:
                assert error_of(response) == (503, "callout_failed")
        assert len(callee.asked) == passes


@pytest.mark.parametrize("shown", ["paths", "PEM", "none"])
def test_it_may_ask_for_a_certificate(tmp_path: Path, authority: Authority, shown: str) -> None:
    pair = authority.sign("gateway 7")
    (tmp_path / "cert.pem").write_text(pair.certificate)
    (tmp_path / "key.pem").write_text(pair.key)
    certificate, key = {
        "paths": (str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")),
        "PEM": (pair.certificate, pair.key),
        "none": ("", ""),
    }[shown]
    with asked_by_http(serving(tmp_path, authority.sign("callee"), authority)) as callee:
        env = {
            "MG_CLIENTS_CALLOUT_URLS": callee.url,
            "MG_CLIENTS_CALLOUT_OPERATIONS": "create_clients",
            "MG_CLIENTS_CALLOUT_CA_CERT": authority.certificate,
            "MG_CLIENTS_CALLOUT_CERT": certificate,
            "MG_CLIENTS_CALLOUT_KEY": key,
        }
        with started(tmp_path / "data", env) as service, Api(service) as api:
            response = api.request("POST", "/clients", json={})
        if shown == "none":
            assert error_of(response) == (503, "callout_failed")
        else:
            assert response.status_code == 201, response.text
            assert [asked.certificate for asked in callee.asked] == ["gateway 7"]
    assert "PRIVATE KEY" not in str(service.lines)


URL = "https://user:geheim@callee/"


@pytest.mark.parametrize(
    ("env", "told"),
    [
        ({"OPERATIONS": "create_client"}, "'create_client' is not an operation"),
        ({"URLS": "ftp://:geheim@callee"}, "MG_CLIENTS_CALLOUT_URLS: one of them is not a URL"),
        ({"URLS": f"{URL},callee"}, "MG_CLIENTS_CALLOUT_URLS: one of them is not a URL"),
        ({"METHOD": "PUT"}, "MG_CLIENTS_CALLOUT_METHOD: 'PUT' is not one of: post, get"),
        ({"TLS_VERIFICATION": "yes"}, "MG_CLIENTS_CALLOUT_TLS_VERIFICATION: 'yes' is not true or false"),
        ({"TIMEOUT": "0"}, "MG_CLIENTS_CALLOUT_TIMEOUT: '0' is not 0.001 or more"),
        ({"CERT": "x"}, "MG_CLIENTS_CALLOUT_KEY is missing"),
        ({"KEY": "x"}, "MG_CLIENTS_CALLOUT_CERT is missing"),
        ({"URLS": URL, "OPERATIONS": "view", "CA_CERT": "/nowhere"}, "MG_CLIENTS_CALLOUT_CA_CERT cannot be read"),
    ],
)
def test_settings_that_cannot_be(tmp_path: Path, env: dict[str, str], told: str) -> None:
    ended = refused(tmp_path / "data", {f"MG_CLIENTS_CALLOUT_{name}": value for name, value in env.items()})
    assert told in ended.line
    assert "geheim" not in ended.err


def test_a_certificate_that_is_none(tmp_path: Path, authority: Authority) -> None:
    env = {
        "MG_CLIENTS_CALLOUT_URLS": URL,
        "MG_CLIENTS_CALLOUT_OPERATIONS": "view",
        "MG_CLIENTS_CALLOUT_CERT": authority.sign("a").certificate,
        "MG_CLIENTS_CALLOUT_KEY": authority.sign("b").key,
    }
    ended = refused(tmp_path / "data", env)
    assert "MG_CLIENTS_CALLOUT_CA_CERT, _CERT or _KEY cannot be used" in ended.line
    assert "PRIVATE KEY" not in ended.err


def test_urls_that_are_never_asked_are_noticed(tmp_path: Path) -> None:
    with started(tmp_path / "data", {"MG_CLIENTS_CALLOUT_URLS": URL}) as service, Api(service) as api:
        api.create(name="n")
    (line,) = [line for line in service.lines if "CALLOUT" in line["msg"]]
    assert (line["level"], "geheim" in str(line)) == ("WARN", False)


def test_what_is_asked_is_not_shown(tmp_path: Path) -> None:
    shown = run("config", "check", data=tmp_path, env={"MG_CLIENTS_CALLOUT_URLS": URL})
    assert "MG_CLIENTS_CALLOUT_URLS=********" in shown.out
    assert "geheim" not in shown.out + shown.err
