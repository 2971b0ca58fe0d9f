"""Client tokens, and what they prove."""

import binascii
from typing import NamedTuple

from edgeclients.model import SecretRow

_BASIC, _DOMAIN = b"Basic", b"Domain"


class ParsedToken(NamedTuple):
    """The content of a token: a secret, and the client (`Basic`) or the domain (`Domain`) that it belongs to."""

    by_id: bool
    subject: str
    secret: str


class Proof(NamedTuple):
    """The stored secret that a token matches, the store's revision when it was read, and its expiry."""

    row: SecretRow
    revision: int
    expires_at: int | None

    @property
    def client_id(self) -> str:
        """The client that the secret belongs to."""
        return self.row.client_id


def parse(token: bytes) -> ParsedToken | None:
    """The content of `token`: a prefix directly followed by base64, split at the first colon (schema/README.md#authenticate).

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
    except ValueError:  # covers binascii.Error and UnicodeDecodeError
        return None
    subject, colon, secret = payload.partition(":")
    return ParsedToken(by_id, subject, secret) if colon and secret else None
