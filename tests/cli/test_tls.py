"""TLS for HTTP and gRPC, and callers who must show a certificate."""

import ssl
from collections.abc import Iterator
from pathlib import Path

import grpc
import httpx
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.support import asking, certificates
from tests.support.certificates import Authority, Pair
from tests.support.commands import refused, run
from tests.support.service import Service, started
from tests.support.waiting import PATIENCE


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def server(authority: Authority) -> Pair:
    return authority.sign("server")


@pytest.fixture(scope="module")
def mutual(authority: Authority, server: Pair, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """HTTPS from files, gRPC from PEM, callers of gRPC with certificates only."""
    folder = tmp_path_factory.mktemp("tls")
    (folder / "cert.pem").write_text(server.certificate)
    (folder / "key.pem").write_text(server.key)
    env = {
        "MG_CLIENTS_HTTP_SERVER_CERT": str(folder / "cert.pem"),
        "MG_CLIENTS_HTTP_SERVER_KEY": str(folder / "key.pem"),
        "MG_CLIENTS_GRPC_SERVER_CERT": server.certificate,
        "MG_CLIENTS_GRPC_SERVER_KEY": server.key,
        "MG_CLIENTS_GRPC_CLIENT_CA_CERTS": authority.certificate,
    }
    with started(folder / "data", env) as service:
        yield service


def trusting(authority: Authority) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=authority.certificate)


def is_serving(address: str, credentials: grpc.ChannelCredentials) -> bool:
    """Whether gRPC answers there."""
    with grpc.secure_channel(address, credentials) as channel:
        try:
            answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=PATIENCE)
        except grpc.RpcError as error:
            if error.code() == grpc.StatusCode.UNAVAILABLE:
                return False
            raise
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


def caller(authority: Authority, pair: Pair | None = None) -> grpc.ChannelCredentials:
    """What a caller shows and whom it trusts."""
    root = authority.certificate.encode()
    if pair is None:
        return grpc.ssl_channel_credentials(root)
    return grpc.ssl_channel_credentials(root, pair.key.encode(), pair.certificate.encode())


def test_https(mutual: Service, authority: Authority) -> None:
    assert mutual.http.startswith("https://")
    with httpx.Client(base_url=mutual.http, verify=trusting(authority), headers=mutual.headers) as http:
        created = http.post("/d/clients", json={"name": "over TLS"})
        assert created.status_code == 201
        assert http.get(f"/d/clients/{created.json()['id']}").json()["name"] == "over TLS"


def test_https_is_not_trusted_by_those_who_do_not_know_it(mutual: Service) -> None:
    stranger = trusting(Authority("stranger"))
    with httpx.Client(verify=stranger) as http, pytest.raises(httpx.ConnectError):
        http.get(f"{mutual.http}/health")


def test_plain_http_to_the_https_port_does_no_harm(mutual: Service, authority: Authority) -> None:
    with pytest.raises(httpx.TransportError):
        asking.get(f"{mutual.http.replace('https', 'http')}/health")
    assert asking.get(f"{mutual.http}/health", verify=trusting(authority)).status_code == 200


def test_grpc_wants_a_certificate_of_its_authority(mutual: Service, authority: Authority) -> None:
    assert is_serving(mutual.grpc, caller(authority, authority.sign("broker")))
    assert not is_serving(mutual.grpc, caller(authority))
    assert not is_serving(mutual.grpc, caller(authority, Authority("stranger").sign("broker")))


def test_grpc_in_clear_is_not_answered(mutual: Service) -> None:
    with grpc.insecure_channel(mutual.grpc) as channel, pytest.raises(grpc.RpcError):
        health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=PATIENCE)


def test_grpc_over_tls_alone(tmp_path: Path, authority: Authority, server: Pair) -> None:
    """From files this time, and HTTP from PEM."""
    (tmp_path / "cert.pem").write_text(server.certificate)
    (tmp_path / "key.pem").write_text(server.key)
    env = {
        "MG_CLIENTS_GRPC_SERVER_CERT": str(tmp_path / "cert.pem"),
        "MG_CLIENTS_GRPC_SERVER_KEY": str(tmp_path / "key.pem"),
        "MG_CLIENTS_HTTP_SERVER_CERT": server.certificate,
        "MG_CLIENTS_HTTP_SERVER_KEY": server.key,
    }
    with started(tmp_path / "data", env) as service:
        assert is_serving(service.grpc, caller(authority))
        assert asking.get(f"{service.http}/health", verify=trusting(authority)).status_code == 200
        told = "\n".join(map(str, service.lines))
        assert "PRIVATE KEY" not in told
        port = {"MG_CLIENTS_HTTP_PORT": service.http.rsplit(":", 1)[1]}
        assert run("health", data=tmp_path, env={**env, **port}).code == 0
        assert run("health", data=tmp_path, env=port).code == 1
        shown = run("config", "check", data=tmp_path, env=env)
        assert "PRIVATE KEY" not in shown.out + shown.err


@pytest.mark.parametrize(
    ("transport", "fault"),
    [
        ("GRPC", "of another certificate"),
        ("HTTP", "of another certificate"),
        ("HTTP", "behind a password"),
        ("HTTP", "cut short"),
        ("HTTP", "no certificate"),
    ],
)
def test_a_pair_that_is_none(tmp_path: Path, authority: Authority, server: Pair, transport: str, fault: str) -> None:
    certificate, key = {
        "of another certificate": (server.certificate, authority.sign("other").key),
        "behind a password": (server.certificate, certificates.encrypted(server, b"secret")),
        "cut short": (server.certificate[:200], server.key),
        "no certificate": (server.key, server.key),
    }[fault]
    ended = refused(
        tmp_path / "data",
        {f"MG_CLIENTS_{transport}_SERVER_CERT": certificate, f"MG_CLIENTS_{transport}_SERVER_KEY": key},
    )
    assert f"MG_CLIENTS_{transport}_SERVER_CERT" in ended.line
    assert "PRIVATE KEY" not in ended.err


@pytest.mark.parametrize("content", ["-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "KEY"])
def test_an_authority_that_is_none(tmp_path: Path, server: Pair, content: str) -> None:
    pair = {"MG_CLIENTS_GRPC_SERVER_CERT": server.certificate, "MG_CLIENTS_GRPC_SERVER_KEY": server.key}
    wanted = server.key if content == "KEY" else content
    line = refused(tmp_path / "data", {**pair, "MG_CLIENTS_GRPC_CLIENT_CA_CERTS": wanted}).line
    assert "CLIENT_CA_CERTS" in line
