"""What a client presents, and what that proves."""

import binascii
from typing import NamedTuple

from edgeclients.model import SecretRow

_BASIC, _DOMAIN = b"Basic", b"Domain"


class ParsedToken(NamedTuple):
    """What a token says: a secret, of a client (`Basic`) or of some client of a domain (`Domain`)."""

    by_id: bool
    subject: str
    secret: str


class Proof(NamedTuple):
    """The secret that a token is, as of a revision of the store, and when it expires."""

    row: SecretRow
    revision: int
    expires_at: int | None

    @property
    def client_id(self) -> str:
        """Whose secret it is."""
        return self.row.client_id


def parse(token: bytes) -> ParsedToken | None:
    """What `token` says: prefix, base64 without a space between, cut at the first colon (contract 5.3).

    None for anything else.
    """
    if token.startswith(_BASIC):
        by_id, text = True, token[len(_BASIC) :]
    elif token.startswith(_DOMAIN):
        by_id, text = False, token[len(_DOMAIN) :]
    else:
        return None
    try:
        payload = binascii.a2b_base64(text.replace(b"\r", b"").replace(b"\n", b""), strict_mode=True).decode()
    except ValueError:  # binascii.Error and UnicodeDecodeError both are
        return None
    subject, colon, secret = payload.partition(":")
    return ParsedToken(by_id, subject, secret) if colon and secret else None
