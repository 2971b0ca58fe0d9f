"""TLS contexts from settings, which hold paths or PEM (schema/README.md#settings)."""

import ssl
from collections.abc import Callable, Mapping
from typing import NamedTuple

from edgeclients import pem

_HTTP2_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"


class Tls(NamedTuple):
    """PEM of a server's certificate and key, and of the CA for client certificates, if it requires them."""

    certificate: bytes
    key: bytes
    client_ca: bytes | None


def load(certificate: str, key: str, client_ca: str, prefix: str) -> Tls:
    """The validated PEM from the settings of one server.

    Args:
        certificate: a path or PEM.
        key: a path or PEM.
        client_ca: a path or PEM, or "".
        prefix: the prefix of the variables' names, for errors.

    Raises:
        StartError: a file cannot be read, or is not PEM.
    """
    tls = Tls(
        pem.read(certificate, f"{prefix}_SERVER_CERT"),
        pem.read(key, f"{prefix}_SERVER_KEY"),
        pem.read(client_ca, f"{prefix}_CLIENT_CA_CERTS") if client_ca else None,
    )
    context(tls, prefix)
    return tls


def context(tls: Tls, prefix: str) -> ssl.SSLContext:
    """A server's TLS context.

    Raises:
        StartError: certificate and key are malformed, or do not belong together.
    """
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        pem.load_pair(made, tls.certificate, tls.key)
        if tls.client_ca is not None:
            made.load_verify_locations(cadata=pem.authorities(tls.client_ca))
            made.verify_mode = ssl.CERT_REQUIRED
    except (ssl.SSLError, ValueError, OSError) as error:
        others = "or _SERVER_KEY" if tls.client_ca is None else "_SERVER_KEY or _CLIENT_CA_CERTS"
        raise pem.unusable(f"{prefix}_SERVER_CERT{' ' if tls.client_ca is None else ', '}{others}", error) from error
    return made


def for_http2(context: ssl.SSLContext) -> ssl.SSLContext:
    """`context` for a server of HTTP/2 alone: its protocol, and of TLS 1.2 the ciphers that RFC 9113 (section 9.2.2) allows."""
    context.set_alpn_protocols(["h2"])
    context.options |= ssl.OP_NO_TICKET  # a session that is resumed would pass by certificates that were reloaded
    context.num_tickets = 0
    context.set_ciphers(_HTTP2_CIPHERS)
    return context


def following(current: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
    """A server's TLS context that uses the context of `current` at each handshake."""
    made = current()

    def choose(handshake: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        handshake.context = current()

    # Loading a new certificate into a context is not enough: it keeps the old one too if their key types differ.
    made.sni_callback = choose
    return made


def caller_context(authority: str, certificate: str, key: str, prefix: str, *, verify: bool) -> ssl.SSLContext:
    """The TLS context of an HTTP client.

    Args:
        authority: the CA certificates to trust, a path or PEM; empty: the system's.
        certificate: the client certificate for mutual TLS, a path or PEM, or "".
        key: the private key of `certificate`.
        prefix: the prefix of the variables' names, for errors.
        verify: whether to verify servers' certificates.

    Raises:
        StartError: a file cannot be read or is not PEM, or certificate and key do not belong together.
    """
    trusted = pem.authorities(pem.read(authority, f"{prefix}_CA_CERT")) if authority else None
    try:
        made = ssl.create_default_context(cadata=trusted)
        if certificate:
            pem.load_pair(made, pem.read(certificate, f"{prefix}_CERT"), pem.read(key, f"{prefix}_KEY"))
    except (ssl.SSLError, ValueError, OSError) as error:
        raise pem.unusable(f"{prefix}_CA_CERT, _CERT or _KEY", error) from error
    if not verify:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    return made


def to_redis(files: Mapping[str, str], variable: str) -> ssl.SSLContext:
    """The TLS context of a connection to a Redis server.

    Args:
        files: paths by redis-py's names: `ssl_ca_certs` (trusted in addition to the system's), `ssl_certfile`,
            `ssl_keyfile` (if the key is not in `ssl_certfile`).
        variable: the variable that names them, for errors.

    Raises:
        StartError: a file cannot be read or is not PEM, or certificate and key do not belong together.
    """

    def content(name: str) -> bytes:
        return pem.read(files[name], f"{name} of {variable}")

    try:
        made = ssl.create_default_context()
        if "ssl_ca_certs" in files:
            made.load_verify_locations(cadata=pem.authorities(content("ssl_ca_certs")))
        if "ssl_certfile" in files:
            pem.load_pair(made, content("ssl_certfile"), content("ssl_keyfile" if "ssl_keyfile" in files else "ssl_certfile"))
    except (ssl.SSLError, ValueError, OSError) as error:
        raise pem.unusable(f"{', '.join(files)} of {variable}", error) from error
    return made


def to_server(mode: str, certificate: str, key: str, root: str, prefix: str) -> ssl.SSLContext:
    """The TLS context of a connection to PostgreSQL.

    Args:
        mode: `require`, `verify-ca` or `verify-full`, with PostgreSQL's meaning.
        certificate: the client certificate, a path or PEM, or "".
        key: the private key of `certificate`, a path or PEM.
        root: the CA certificates to trust, a path or PEM; empty: the system's.
        prefix: the prefix of the variables' names, for errors.

    Raises:
        StartError: a file cannot be read or is not PEM, or certificate and key do not belong together.
    """
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.check_hostname = mode == "verify-full"
    if mode == "require" and not root:
        made.verify_mode = ssl.CERT_NONE
    try:
        if root:
            made.load_verify_locations(cadata=pem.authorities(pem.read(root, f"{prefix}_ROOT_CERT")))
        else:
            made.load_default_certs()
        if certificate:
            pem.load_pair(made, pem.read(certificate, f"{prefix}_CERT"), pem.read(key, f"{prefix}_KEY"))
    except (ssl.SSLError, ValueError, OSError) as error:
        raise pem.unusable(f"{prefix}_CERT, _KEY or _ROOT_CERT", error) from error
    return made
