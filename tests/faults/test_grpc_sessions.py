"""A TLS session of gRPC that a caller resumes says nothing about the authorities that are trusted now."""

import signal
import socket
import ssl
from pathlib import Path

import pytest

from tests.support.certificates import Authority
from tests.support.service import Service, started
from tests.support.waiting import PATIENCE

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"


def greeted(service: Service, context: ssl.SSLContext, session: ssl.SSLSession | None = None) -> ssl.SSLSession | None:
    """The session of a caller to whom the service speaks; None if it does not."""
    host, _, port = service.grpc.rpartition(":")
    try:
        with (
            socket.create_connection((host, int(port)), PATIENCE) as plain,
            context.wrap_socket(plain, server_hostname="localhost", session=session) as caller,
        ):
            caller.sendall(PREFACE)
            return caller.session if caller.recv(9) else None
    except OSError:
        return None


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_who_was_trusted_once_is_not_let_in_again(tmp_path: Path, version: ssl.TLSVersion, grpc_server: str) -> None:
    old, new = Authority(), Authority()
    server, broker = old.sign("server"), old.sign("broker")
    trusted, pair = tmp_path / "trusted", tmp_path / "pair"
    trusted.write_text(old.certificate)
    pair.write_text(broker.certificate + broker.key)
    env = {
        "MG_CLIENTS_GRPC_SERVER": grpc_server,
        "MG_CLIENTS_GRPC_SERVER_CERT": server.certificate,
        "MG_CLIENTS_GRPC_SERVER_KEY": server.key,
        "MG_CLIENTS_GRPC_CLIENT_CA_CERTS": str(trusted),
    }
    context = ssl.create_default_context(cadata=old.certificate)
    context.load_cert_chain(pair)
    context.set_alpn_protocols(["h2"])
    context.minimum_version = context.maximum_version = version
    with started(tmp_path / "data", env) as service:
        session = greeted(service, context)
        assert session is not None
        trusted.write_text(new.certificate)
        service.process.send_signal(signal.SIGHUP)
        service.wait_for("certificates and keys reloaded")
        assert greeted(service, context) is None
        assert greeted(service, context, session) is None
