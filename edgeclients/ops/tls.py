"""Certificates and keys: a path, or PEM itself (contract 11.2)."""

import ssl
from collections.abc import Callable, Mapping
from typing import NamedTuple

from edgeclients import pem


class Tls(NamedTuple):
    """PEM of a server's certificate and key, and of the authority whose client certificates it demands, if any."""

    certificate: bytes
    key: bytes
    client_ca: bytes | None


def load(certificate: str, key: str, client_ca: str, prefix: str) -> Tls:
    """What the settings of one server give.

    Args:
        certificate: a path or PEM.
        key: likewise.
        client_ca: likewise, or nothing.
        prefix: of the variables' names, for errors.

    Raises:
        StartError: a file cannot be read, or is no PEM.
    """
    tls = Tls(
        pem.read(certificate, f"{prefix}_SERVER_CERT"),
        pem.read(key, f"{prefix}_SERVER_KEY"),
        pem.read(client_ca, f"{prefix}_CLIENT_CA_CERTS") if client_ca else None,
    )
    context(tls, prefix)
    return tls


def context(tls: Tls, prefix: str) -> ssl.SSLContext:
    """What Python's servers take.

    Raises:
        StartError: certificate and key do not belong together, or are none.
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


def following(current: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
    """What Python's servers take, with the certificate that `current` has at each handshake."""
    made = current()

    def choose(handshake: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        handshake.context = current()

    # A context that is used already keeps an old certificate beside the new one where their keys are of different kinds.
    made.sni_callback = choose
    return made


def caller_context(authority: str, certificate: str, key: str, prefix: str, *, verify: bool) -> ssl.SSLContext:
    """What a caller of somebody else's server takes.

    Args:
        authority: who signs servers' certificates, a path or PEM; empty: those the system trusts.
        certificate: shown to servers that ask for one, a path or PEM, or nothing.
        key: of the certificate.
        prefix: of the variables' names, for errors.
        verify: whether servers have to prove who they are.

    Raises:
        StartError: a file cannot be read, is no PEM, or does not belong to another.
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
    """What a connection to a Redis server takes.

    Args:
        files: paths by the names redis-py has for them: `ssl_ca_certs` (trusted beside those the system trusts),
            `ssl_certfile`, `ssl_keyfile` (where it is not in the same file).
        variable: that names them, for errors.

    Raises:
        StartError: a file cannot be read, is no PEM, or does not belong to another.
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
    """What a connection to a server of somebody else's takes.

    Args:
        mode: `require`, `verify-ca` or `verify-full`, as PostgreSQL's clients mean them.
        certificate: to show there, a path or PEM, or nothing.
        key: likewise; there is one where there is a certificate.
        root: who signs the server's certificate, a path or PEM; nothing: whom the system trusts.
        prefix: of the variables' names, for errors.

    Raises:
        StartError: a file cannot be read, or is no PEM, or they do not belong together.
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
