"""`ports.TokenCache` in the process: bounded, and void for a client from the commit on that took its access away."""

import hmac
import secrets
import time
from collections.abc import Callable
from typing import NamedTuple

from cachetools import TTLCache

from edgeclients.model import Effects

_DENIAL_SECONDS = 5
_DENIALS = 10_000
_REVOCATIONS = 100_000


class _Entry(NamedTuple):
    client_id: str
    revision: int
    expires_at: int | None


class MemoryTokenCache:
    """See `ports.TokenCache`.

    Args:
        seconds: how long a success is remembered.
        size: how many are.
        latest: the time that expiry is compared with.
    """

    def __init__(self, seconds: float, size: int, latest: Callable[[], int]) -> None:
        self._key = secrets.token_bytes(32)
        self._latest = latest
        self._entries: TTLCache[bytes, _Entry] = TTLCache(size, seconds, timer=time.monotonic)
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
        if entry.revision < self._revoked.get(entry.client_id, self._floor) or self._has_expired(entry):
            del self._entries[key]
            return None
        return entry.client_id

    def remember(self, key: bytes, client_id: str, revision: int, expires_at: int | None) -> None:  # noqa: D102
        if revision >= self._revoked.get(client_id, self._floor):
            self._entries[key] = _Entry(client_id, revision, expires_at)

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
            # Commits that run side by side may be told in another order than they were numbered in.
            self._revoked[client_id] = max(revision, self._revoked.pop(client_id, 0))
        while len(self._revoked) > _REVOCATIONS:
            self._floor = max(self._floor, self._revoked.pop(next(iter(self._revoked))))

    def _has_expired(self, entry: _Entry) -> bool:
        """By the store's time, not by a lifetime counted here: the clock of a gateway may be set meanwhile."""
        return entry.expires_at is not None and entry.expires_at <= self._latest()
