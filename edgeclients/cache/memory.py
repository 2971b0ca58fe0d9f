"""`ports.TokenCache` in the process: bounded, and void for a client from the commit on that took its access away."""

import hmac
import secrets
import time
from typing import NamedTuple

from cachetools import TLRUCache, TTLCache

from edgeclients.model import Effects

_DENIAL_SECONDS = 5
_DENIALS = 10_000
_REVOCATIONS = 100_000


class _Entry(NamedTuple):
    client_id: str
    revision: int
    seconds: float


def _end(_key: bytes, entry: _Entry, now: float) -> float:
    return now + entry.seconds


class MemoryTokenCache:
    """See `ports.TokenCache`.

    Args:
        seconds: how long a success is remembered.
        size: how many are.
    """

    def __init__(self, seconds: float, size: int) -> None:
        self._key = secrets.token_bytes(32)
        self._seconds = seconds
        self._entries: TLRUCache[bytes, _Entry] = TLRUCache(size, ttu=_end, timer=time.monotonic)
        self._denials: TTLCache[bytes, int] = TTLCache(_DENIALS, _DENIAL_SECONDS, timer=time.monotonic)
        self._generation = 0
        # Newest revocation by client, the oldest first. Past the bound the oldest are forgotten, and `_floor` keeps every
        # entry out that they could have voided.
        self._revoked: dict[str, int] = {}
        self._floor = 0

    def __len__(self) -> int:
        return len(self._entries)

    def key(self, token: bytes) -> bytes:  # noqa: D102 - see ports.TokenCache, here and below
        return hmac.digest(self._key, token, "sha256")

    def hit(self, key: bytes) -> str | None:  # noqa: D102
        entry = self._entries.get(key)
        if entry is None:
            return None
        if entry.revision < self._revoked.get(entry.client_id, self._floor):
            del self._entries[key]
            return None
        return entry.client_id

    def remember(self, key: bytes, client_id: str, revision: int, seconds: float | None) -> None:  # noqa: D102
        if revision >= self._revoked.get(client_id, self._floor):
            lifetime = self._seconds if seconds is None else min(self._seconds, seconds)
            self._entries[key] = _Entry(client_id, revision, lifetime)

    def generation(self) -> int:  # noqa: D102
        return self._generation

    def deny(self, key: bytes, generation: int) -> None:  # noqa: D102
        if generation == self._generation:
            self._denials[key] = generation

    def denied(self, key: bytes) -> bool:  # noqa: D102
        return self._denials.get(key) == self._generation

    def apply(self, effects: Effects) -> None:
        """Make the effects of a commit felt; called before its caller is answered."""
        if effects.granted:
            self._generation += 1
        for client_id, revision in effects.revoked:
            self._revoked.pop(client_id, None)
            self._revoked[client_id] = revision
        while len(self._revoked) > _REVOCATIONS:
            self._floor = self._revoked.pop(next(iter(self._revoked)))
