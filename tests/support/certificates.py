"""Certificates made for one test: an authority and what it signs."""

import datetime as dt
import ipaddress
import ssl
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.x509.oid import NameOID

from edgeclients import pem

AnyKey: TypeAlias = ec.EllipticCurvePrivateKey | ed448.Ed448PrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey

_DAY = dt.timedelta(days=1)


class Pair(NamedTuple):
    """A certificate and its key, as PEM."""

    certificate: str
    key: str


class Authority:
    """Signs certificates."""

    def __init__(self, name: str = "test authority") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named(name)
        builder = _builder(self._name, self._name, self._key).add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        self.certificate = _pem(builder.sign(self._key, hashes.SHA256()))

    def sign(self, name: str, hosts: Sequence[str] = ("localhost", "127.0.0.1"), key: AnyKey | None = None) -> Pair:
        """A certificate for these hosts, or of a client called `name`."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        addresses = [_address(host) for host in hosts]
        builder = _builder(_named(name), self._name, key).add_extension(x509.SubjectAlternativeName(addresses), False)
        return Pair(_pem(builder.sign(self._key, hashes.SHA256())), _key_pem(key))


def own(key: AnyKey, hashed: hashes.SHA256 | None = None) -> Pair:
    """A certificate for this machine that `key` itself has signed."""
    name = _named("localhost")
    builder = _builder(name, name, key).add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), False)
    return Pair(_pem(builder.sign(key, hashed)), _key_pem(key))


def server_context(pair: Pair, client_ca: str = "") -> ssl.SSLContext:
    """What a server takes that shows a certificate, and demands one if there is an authority for those."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    pem.load_pair(context, pair.certificate.encode(), pair.key.encode())
    if client_ca:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=client_ca)
    return context


def encrypted(pair: Pair, password: bytes) -> str:
    """The key of `pair`, behind a password."""
    key = serialization.load_pem_private_key(pair.key.encode(), None)
    return _key_pem(key, serialization.BestAvailableEncryption(password))  # type: ignore[arg-type]


def _address(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _builder(subject: x509.Name, issuer: x509.Name, key: AnyKey) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _DAY)
        .not_valid_after(now + _DAY)
    )


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _key_pem(
    key: AnyKey,
    protection: serialization.KeySerializationEncryption | None = None,
) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, protection or serialization.NoEncryption()
    ).decode()
