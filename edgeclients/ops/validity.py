"""When certificates end: read from their DER, as Python shows that of authorities alone."""

import re
import ssl
from datetime import UTC, datetime

_BLOCK = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_VERSION, _UTC_TIME = 0xA0, 0x17
_LONG = 0x80


def ends(content: bytes) -> list[datetime]:
    """The end of each certificate in PEM that can be read, in their order."""
    found = []
    for block in _BLOCK.findall(content):
        try:
            found.append(_end(ssl.PEM_cert_to_DER_cert(block.decode("ascii"))))
        except (ValueError, IndexError):
            continue
    return found


def _end(der: bytes) -> datetime:
    """`notAfter` of RFC 5280: certificate > tbsCertificate > validity, its second time."""
    _, certificate, _ = _element(der)
    _, fields, _ = _element(certificate)
    tag, _, rest = _element(fields)
    if tag == _VERSION:
        _, _, rest = _element(rest)  # the serial number
    for _ in ("signature", "issuer"):
        _, _, rest = _element(rest)
    _, validity, _ = _element(rest)
    _, _, after = _element(validity)
    kind, text, _ = _element(after)
    shown = text.decode("ascii")
    if kind == _UTC_TIME:  # two digits of the year, from 1950 on
        shown = ("19" if shown >= "50" else "20") + shown
    return datetime.strptime(shown, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)


def _element(der: bytes) -> tuple[int, bytes, bytes]:
    """The tag and content of the first element, and what follows it."""
    tag, size, start = der[0], der[1], 2
    if size & _LONG:
        start += size & ~_LONG
        size = int.from_bytes(der[2:start], "big")
    if len(der) < start + size:
        raise ValueError("cut short")
    return tag, der[start : start + size], der[start + size :]
