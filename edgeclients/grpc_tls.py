"""Checks certificates and keys for gRPC, whose TLS library supports less than Python's."""

import re
import secrets
from binascii import Error, a2b_base64
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from edgeclients.errors import StartError

_MARKED = re.compile(rb"^\xef\xbb\xbf-----BEGIN", re.MULTILINE)
_BLOCK = re.compile(rb"-----BEGIN [A-Z ]+-----([A-Za-z0-9+/=\s]+)-----END")
_CURVE = re.compile(rb"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01(?:\x06(.)|\x30)", re.DOTALL)  # id-ecPublicKey (RFC 5480), curve
_KNOWN = {
    b"\x2a\x86\x48\xce\x3d\x03\x01\x07",  # P-256
    b"\x2b\x81\x04\x00\x22",  # P-384
    b"\x2b\x81\x04\x00\x23",  # P-521
}
_NAMES = {b"\x2b\x81\x04\x00\x0a": "secp256k1", b"\x2b\x81\x04\x00\x21": "P-224"}
_ED448 = b"\x30\x05\x06\x03\x2b\x65\x71"  # RFC 8410
_BRAINPOOL = b"\x2b\x24\x03\x03\x02\x08\x01\x01"  # RFC 5639


class Pem(NamedTuple):
    """PEM, and the setting that contains it."""

    variable: str
    content: bytes


def check(certificate: Pem | None, key: Pem | None, authorities: Pem | None) -> None:
    """Return if the gRPC library can use these; Python's TLS can.

    Args:
        certificate: the local certificate, if any.
        key: its private key.
        authorities: the CA certificates for the peers, if any.

    Raises:
        StartError: gRPC cannot; the text names the setting and the reason.
    """
    for one in (certificate, key, authorities):
        if one is not None and _MARKED.search(one.content):
            raise StartError(f"gRPC cannot use {one.variable}: a byte order mark precedes its PEM, save it without one")
    check_curves(certificate, authorities)
    if certificate is not None and key is not None and not _is_accepted(certificate, key, authorities):
        variables = ", ".join(one.variable for one in (certificate, key, authorities) if one is not None)
        raise StartError(f"gRPC cannot use {variables}; see the log line of gRPC. Use an RSA or a P-256 key")


def check_curves(certificate: Pem | None, authorities: Pem | None) -> None:
    """Return if the gRPC library of a caller, too, knows the kinds of these keys.

    Raises:
        StartError: it does not; the text names the setting and the kind.
    """
    if certificate is not None:
        _check_curves(certificate.variable, _unsupported(certificate.content)[:1])  # gRPC computes nothing with the others
    if authorities is not None:
        _check_curves(authorities.variable, _unsupported(authorities.content))


def _check_curves(variable: str, unsupported: list[str | None]) -> None:
    """Return if at least one of the keys can be used."""
    if unsupported and unsupported[0] is not None and all(unsupported):
        raise StartError(f"gRPC cannot use {variable}: its key is on {unsupported[0]}, use a P-256, P-384 or RSA key")


def _unsupported(content: bytes) -> list[str | None]:
    """The curve of each certificate's key if gRPC does not support it, else None."""
    return [_unsupported_curve(block) for block in _BLOCK.findall(content)]


def _unsupported_curve(block: bytes) -> str | None:
    try:
        binary = a2b_base64(block)
    except Error:
        return None
    found = _CURVE.search(binary)
    if found is None:
        return "Ed448" if _ED448 in binary else None
    curve = binary[found.end() :][: found[1][0]] if found[1] else b""
    if curve in _KNOWN:
        return None
    return _NAMES.get(curve, "a Brainpool curve" if curve.startswith(_BRAINPOOL) else "a curve without a name")


def _is_accepted(certificate: Pem, key: Pem, authorities: Pem | None) -> bool:
    """Whether a test server accepts them: gRPC reports that only when it opens a port, and without the reason."""
    import grpc

    credentials = grpc.ssl_server_credentials(
        [(key.content, certificate.content)],
        root_certificates=authorities.content if authorities else None,
        require_client_auth=authorities is not None,
    )
    with ThreadPoolExecutor(1) as executor:
        server = grpc.server(executor)
        try:
            server.add_secure_port(f"unix-abstract:edgeclients-{secrets.token_hex(16)}", credentials)
        except RuntimeError:
            return False
        server.start()  # a server that was not started would never release its port
        server.stop(None).wait()
    return True
