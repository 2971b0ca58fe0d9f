"""New ids. `uuid.uuid4` costs 4 µs; a bulk create needs three per client."""

import os


def new_uuid() -> str:
    """A random UUIDv4 in canonical form: 122 random bits."""
    raw = bytearray(os.urandom(16))
    raw[6] = raw[6] & 0x0F | 0x40  # version 4
    raw[8] = raw[8] & 0x3F | 0x80  # the variant of RFC 9562
    digits = raw.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def new_role_id() -> str:
    """A new role id; opaque to callers (schema/README.md#roles)."""
    return f"client_{os.urandom(16).hex()}"


OPERATOR_TOKEN_PREFIX = "mgo_"  # noqa: S105 - no secret
_TOKEN_BYTES = 32
OPERATOR_TOKEN_CHARACTERS = len(OPERATOR_TOKEN_PREFIX) + 36 + 1 + 2 * _TOKEN_BYTES


def new_operator_token(operator_id: str) -> str:
    """A new bearer token of an operator: `mgo_<operator's id>_<256 random bits>`."""
    return f"{OPERATOR_TOKEN_PREFIX}{operator_id}_{os.urandom(_TOKEN_BYTES).hex()}"
