"""What a client presents, and what that proves."""

import binascii
from typing import NamedTuple

_BASIC, _DOMAIN = b"Basic", b"Domain"


class Presented(NamedTuple):
    """What a token says: a secret, of a client (`Basic`) or of some client of a domain (`Domain`)."""

    by_id: bool
    subject: str
    secret: str


class Proof(NamedTuple):
    """Whose token it is, as of a revision of the store; `kept` is the hash that says so."""

    client_id: str
    revision: int
    expires_at: int | None
    kept: str


def unpack(token: bytes) -> Presented | None:
    """What `token` says (contract 5.3): prefix, base64 without a space between, cut at the first colon.

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
    return Presented(by_id, subject, secret) if colon and secret else None
