"""The end of a certificate is what a library for certificates says."""

import datetime as dt
import random

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID

from edgeclients.ops.validity import ends
from tests.support.certificates import AnyKey, Authority

KEYS: list[AnyKey] = [
    ec.generate_private_key(ec.SECP256R1()),
    ed25519.Ed25519PrivateKey.generate(),
    rsa.generate_private_key(65537, 2048),
]
YEARS = (1960, 1999, 2030, 2049, 2050, 2400)


def certificate(key: AnyKey, end: dt.datetime, *, serial: int = 0, name: str = "device") -> bytes:
    subject = x509.Name(
        [x509.NameAttribute(NameOID.COMMON_NAME, name), x509.NameAttribute(NameOID.ORGANIZATION_NAME, "ö" * 60)]
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(serial or x509.random_serial_number())
        .not_valid_before(dt.datetime(1955, 1, 1, tzinfo=dt.UTC))
        .not_valid_after(end)
    )
    signed = builder.sign(key, None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM)


@pytest.mark.parametrize("year", YEARS)
@pytest.mark.parametrize("key", KEYS, ids=lambda key: type(key).__name__)
def test_the_end_of_a_certificate(key: AnyKey, year: int) -> None:
    end = dt.datetime(year, 2, 28, 23, 59, 59, tzinfo=dt.UTC)
    for serial in (1, 127, 128, 2**150):
        made = certificate(key, end, serial=serial)
        assert x509.load_pem_x509_certificate(made).not_valid_after_utc == end
        assert ends(made) == [end]


def test_every_certificate_of_a_file_counts() -> None:
    days = [dt.datetime(2030, 1, day, tzinfo=dt.UTC) for day in (3, 1, 2)]
    chain = b"# a comment \xc3\xb6\n" + b"\n".join(certificate(KEYS[0], day) for day in days)
    assert ends(chain) == days
    pair = Authority().sign("server")
    assert len(ends(pair.key.encode() + pair.certificate.encode())) == 1


def test_what_is_no_certificate_has_no_end() -> None:
    made = certificate(KEYS[0], dt.datetime(2030, 1, 1, tzinfo=dt.UTC))
    text = made.replace(b"-----BEGIN CERTIFICATE-----\n", b"").replace(b"-----END CERTIFICATE-----\n", b"")
    generator = random.Random(1)
    for _ in range(300):
        start = generator.randrange(len(text))
        spoilt = text[:start] + bytes(generator.choices(b"ABCabc019+/\n=", k=20)) + text[start + 20 :]
        assert len(ends(b"-----BEGIN CERTIFICATE-----\n" + spoilt + b"-----END CERTIFICATE-----\n")) <= 1
    assert ends(b"") == ends(b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n") == []
    assert ends(b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n") == []
