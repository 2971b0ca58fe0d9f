"""TLS for HTTP and gRPC, and callers who must show a certificate."""

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import grpc
import httpx
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
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
def mutual(authority: Authority, server: Pair, grpc_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
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
    with asking.client(base_url=mutual.http, verify=trusting(authority), headers=mutual.headers) as http:
        created = http.post("/d/clients", json={"name": "over TLS"})
        assert created.status_code == 201
        assert http.get(f"/d/clients/{created.json()['id']}").json()["name"] == "over TLS"


def test_https_is_not_trusted_by_those_who_do_not_know_it(mutual: Service) -> None:
    stranger = trusting(Authority("stranger"))
    with asking.client(verify=stranger) as http, pytest.raises(httpx.ConnectError):
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


ODD = {
    "secp256k1": certificates.own(ec.generate_private_key(ec.SECP256K1()), hashes.SHA256()),
    "a Brainpool curve": certificates.own(ec.generate_private_key(ec.BrainpoolP256R1()), hashes.SHA256()),
    "P-224": certificates.own(ec.generate_private_key(ec.SECP224R1()), hashes.SHA256()),
    "Ed448": certificates.own(ed448.Ed448PrivateKey.generate()),
}
GOOD = {
    "P-384": certificates.own(ec.generate_private_key(ec.SECP384R1()), hashes.SHA256()),
    "P-521": certificates.own(ec.generate_private_key(ec.SECP521R1()), hashes.SHA256()),
    "RSA": certificates.own(rsa.generate_private_key(65537, 2048), hashes.SHA256()),
    "Ed25519": certificates.own(ed25519.Ed25519PrivateKey.generate()),
}


def grpc_pair(pair: Pair) -> dict[str, str]:
    return {"MG_CLIENTS_GRPC_SERVER_CERT": pair.certificate, "MG_CLIENTS_GRPC_SERVER_KEY": pair.key}


@pytest.mark.parametrize("name", ODD)
def test_a_key_that_grpc_does_not_know(tmp_path: Path, server: Pair, name: str) -> None:
    """Python does, so HTTPS goes on with it."""
    line = refused(tmp_path / "data", grpc_pair(ODD[name])).line
    assert f"gRPC cannot use MG_CLIENTS_GRPC_SERVER_CERT: its key is on {name}" in line
    env = {**grpc_pair(server), "MG_CLIENTS_GRPC_CLIENT_CA_CERTS": ODD[name].certificate}
    line = refused(tmp_path / "data", env).line
    assert f"gRPC cannot use MG_CLIENTS_GRPC_CLIENT_CA_CERTS: its key is on {name}" in line
    assert "stop" not in line


@pytest.mark.parametrize("name", GOOD)
def test_a_key_that_grpc_knows(tmp_path: Path, name: str) -> None:
    trusting_it = ssl.create_default_context(cadata=GOOD[name].certificate)
    with started(tmp_path / "data", grpc_pair(GOOD[name])) as service:
        host, _, port = service.grpc.rpartition(":")
        with socket.create_connection((host, int(port)), 60) as plain, trusting_it.wrap_socket(plain, server_hostname=host):
            pass


@pytest.mark.parametrize("marked", ["SERVER_CERT", "SERVER_KEY", "CLIENT_CA_CERTS"])
@pytest.mark.parametrize("place", ["file", "variable"])
def test_a_byte_order_mark_before_pem(
    tmp_path: Path, authority: Authority, server: Pair, marked: str, place: str, grpc_server: str
) -> None:
    """The gRPC library takes none; Python does."""
    name = f"MG_CLIENTS_GRPC_{marked}"
    env = {**grpc_pair(server), "MG_CLIENTS_GRPC_CLIENT_CA_CERTS": authority.certificate}
    content = "\ufeff" + env[name]
    if place == "file":
        (tmp_path / "pem").write_text(content, encoding="utf-8")
        content = str(tmp_path / "pem")
    env[name] = content
    if grpc_server == "lane":
        with started(tmp_path / "data", env) as service:
            assert is_serving(service.grpc, caller(authority, authority.sign("broker")))
        return
    assert f"gRPC cannot use {name}: a byte order mark" in refused(tmp_path / "data", env).line


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("-----BEGIN CERTIFICATE-----\n".encode("utf-16"), "it is UTF-16"),
        (ssl.PEM_cert_to_DER_cert(GOOD["RSA"].certificate), "but DER"),
        (b"\xef\xbb\xbf", "it begins with a byte order mark"),
        (b"", "there is no -----BEGIN in it"),
    ],
)
@pytest.mark.parametrize("transport", ["HTTP", "GRPC"])
def test_a_file_that_is_no_pem(tmp_path: Path, server: Pair, transport: str, content: bytes, told: str) -> None:
    (tmp_path / "pem").write_bytes(content)
    name = f"MG_CLIENTS_{transport}_SERVER"
    line = refused(tmp_path / "data", {f"{name}_CERT": str(tmp_path / "pem"), f"{name}_KEY": server.key}).line
    assert f"{name}_CERT is not PEM" in line
    assert told in line


def test_authorities_are_described_in_any_language(tmp_path: Path, authority: Authority, server: Pair) -> None:
    (tmp_path / "ca").write_text("Főtanúsítvány\n" + authority.certificate, encoding="utf-8")
    with started(tmp_path / "data", {**grpc_pair(server), "MG_CLIENTS_GRPC_CLIENT_CA_CERTS": str(tmp_path / "ca")}) as service:
        assert is_serving(service.grpc, caller(authority, authority.sign("broker")))


@pytest.mark.parametrize("transport", ["HTTP", "GRPC"])
def test_what_is_wrong_with_a_pair_is_told(tmp_path: Path, server: Pair, authority: Authority, transport: str) -> None:
    small = certificates.own(rsa.generate_private_key(65537, 1024), hashes.SHA256())
    name = f"MG_CLIENTS_{transport}_SERVER"
    assert "(ee key too small)" in refused(tmp_path / "d", {f"{name}_CERT": small.certificate, f"{name}_KEY": small.key}).line
    other = {f"{name}_CERT": server.certificate, f"{name}_KEY": authority.sign("other").key}
    assert "(key values mismatch)" in refused(tmp_path / "d", other).line
