"""New ids. The functions of `uuid` cost 4 µs; a bulk create needs three ids per client."""

import os


def new_uuid() -> str:
    """A random UUIDv4 in canonical form: 122 random bits."""
    raw = bytearray(os.urandom(16))
    raw[6] = raw[6] & 0x0F | 0x40  # version 4
    raw[8] = raw[8] & 0x3F | 0x80  # the variant of RFC 9562
    return _canonical(raw.hex())


class EntityIds:
    """New ids of clients: UUIDv7, each greater than the one before. Use it in one thread.

    Ids that ascend with time are neighbours in an index: a change writes one page of it, where random ids write one page each.
    """

    def __init__(self) -> None:
        self._last = 0  # the bits of the newest id without version and variant: a time, then a random number

    def new(self, now: int) -> str:
        """An id in canonical form; `now` is in microseconds since 1970 UTC.

        A clock that stands still or is set back makes ids that follow the newest one by a random step (RFC 9562, section 6.2,
        method 2): they ascend all the same, and nobody can guess them.
        """
        random = int.from_bytes(os.urandom(10), "big")
        bits = (now // 1000 & _48_BITS) << 74 | random >> 6
        if bits <= self._last:
            bits = self._last + 1 + (random & 0xFFFFFFFF)
        self._last = bits
        digits = f"{bits >> 74:012x}7{bits >> 62 & 0xFFF:03x}{bits & _62_BITS | _VARIANT:016x}"
        return _canonical(digits)


_48_BITS = (1 << 48) - 1
_62_BITS = (1 << 62) - 1
_VARIANT = 0b10 << 62  # of RFC 9562


def _canonical(digits: str) -> str:
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
