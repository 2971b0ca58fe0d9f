"""Certificates and keys: a path, or PEM itself (contract 11.2)."""

import os
import ssl
from pathlib import Path
from typing import NamedTuple

from edgeclients.errors import StartError

_PEM = "-----BEGIN"


class Tls(NamedTuple):
    """PEM of a server's certificate and key, and of the authority whose client certificates it demands, if any."""

    certificate: bytes
    key: bytes
    client_ca: bytes | None


def load(certificate: str, key: str, client_ca: str, prefix: str) -> Tls | None:
    """What the settings of one server give; None when it serves without TLS.

    Args:
        certificate: a path or PEM, or nothing.
        key: likewise; there is one where there is a certificate.
        client_ca: likewise.
        prefix: of the variables' names, for errors.

    Raises:
        StartError: a file cannot be read, or is no PEM.
    """
    if not certificate:
        return None
    tls = Tls(
        _pem(certificate, f"{prefix}_SERVER_CERT"),
        _pem(key, f"{prefix}_SERVER_KEY"),
        _pem(client_ca, f"{prefix}_CLIENT_CA_CERTS") if client_ca else None,
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
        # Python loads key pairs from files only; these exist in memory.
        with _in_memory(tls.certificate) as certificate, _in_memory(tls.key) as key:
            made.load_cert_chain(certificate.path, key.path, password=_no_password)
        if tls.client_ca is not None:
            made.load_verify_locations(cadata=tls.client_ca.decode("ascii", "replace"))
            made.verify_mode = ssl.CERT_REQUIRED
    except (ssl.SSLError, ValueError, OSError) as error:
        raise StartError(
            f"{prefix}_SERVER_CERT, _SERVER_KEY or _CLIENT_CA_CERTS cannot be used: check that they are "
            "PEM, unencrypted, and belong together"
        ) from error
    return made


def to_server(mode: str, certificate: str, key: str, root: str, prefix: str) -> ssl.SSLContext | None:
    """What a connection to a server of somebody else's takes; None for one in clear.

    Args:
        mode: `disable`, `require`, `verify-ca` or `verify-full`, as PostgreSQL's clients mean them.
        certificate: to show there, a path or PEM, or nothing.
        key: likewise; there is one where there is a certificate.
        root: who signs the server's certificate, a path or PEM; nothing: whom the system trusts.
        prefix: of the variables' names, for errors.

    Raises:
        StartError: a file cannot be read, or is no PEM, or they do not belong together.
    """
    if mode == "disable":
        return None
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.check_hostname = mode == "verify-full"
    if mode == "require" and not root:
        made.verify_mode = ssl.CERT_NONE
    try:
        if root:
            made.load_verify_locations(cadata=_pem(root, f"{prefix}_ROOT_CERT").decode("ascii", "replace"))
        else:
            made.load_default_certs()
        if certificate:
            pair = _pem(certificate, f"{prefix}_CERT"), _pem(key, f"{prefix}_KEY")
            with _in_memory(pair[0]) as shown, _in_memory(pair[1]) as kept:
                made.load_cert_chain(shown.path, kept.path, password=_no_password)
    except (ssl.SSLError, ValueError, OSError) as error:
        raise StartError(
            f"{prefix}_CERT, _KEY or _ROOT_CERT cannot be used: check that they are PEM, unencrypted, and belong together"
        ) from error
    return made


class _in_memory:  # noqa: N801 - reads as a verb
    def __init__(self, content: bytes) -> None:
        self._descriptor = os.memfd_create("pem", os.MFD_CLOEXEC)
        os.write(self._descriptor, content)
        self.path = f"/proc/self/fd/{self._descriptor}"

    def __enter__(self) -> "_in_memory":
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)


def _no_password() -> str:
    raise ValueError("the key is encrypted")


def _pem(text: str, variable: str) -> bytes:
    if _PEM in text:
        return text.encode()
    try:
        content = Path(text).read_bytes()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no path"
        raise StartError(f"{variable} cannot be read ({reason}): set a path, or PEM") from error
    if _PEM.encode() not in content:
        raise StartError(f"{variable} is not PEM")
    return content
