"""The cache of one of several processes on one store: used only while it knows the others' revocations.

The store is asked every two seconds for new revocations. The cache is used until five seconds after the last question
that was answered. So whatever happens to Redis, a revoked secret is invalid in every process at most five seconds after
the change was answered. Revisions are dense and commit in order. So none can be missed unnoticed: neither by clocks
that differ, nor by a process that was suspended.

See edgeclients/DECISIONS.md#revisions.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import NamedTuple

from typing_extensions import override

from edgeclients import concurrency
from edgeclients.cache.memory import MemoryTokenCache
from edgeclients.errors import DomainError
from edgeclients.model import Effects, Revocations
from edgeclients.ports import Store

_log = logging.getLogger(__name__)

LOOK_SECONDS = 2.0
TRUST_SECONDS = 5.0


class _Heard(NamedTuple):
    """A revocation of a client from a hint: its revision, its arrival, and the newest revision known from elsewhere."""

    revision: int
    at: float
    known: int


class SharedTokenCache(MemoryTokenCache):
    """`ports.TokenCache` that returns nothing it could be wrong about."""

    def __init__(self, seconds: float, size: int, now: Callable[[], int]) -> None:
        super().__init__(seconds, size, now)
        self._trusted_until = float("-inf")
        self._unsure_at = float("-inf")
        self._heard: dict[str, _Heard] = {}
        self.newest = 0  # revision seen in commits and rows

    @property
    def trusted(self) -> bool:
        """Whether its results are used now."""
        return time.monotonic() < self._trusted_until

    @override
    def hit(self, key: bytes) -> str | None:
        return super().hit(key) if time.monotonic() < self._trusted_until else None

    @override
    def remember(self, key: bytes, client_id: str, revision: int, expires_at: int | None) -> bool:
        self.newest = max(self.newest, revision)
        return super().remember(key, client_id, revision, expires_at)

    @override
    def apply(self, effects: Effects) -> None:
        super().apply(effects)
        for client_id, revision in effects.revoked:
            self.newest = max(self.newest, revision)
            heard = self._heard.get(client_id)
            if heard is not None and revision > heard.known:
                self._heard[client_id] = heard._replace(known=revision)
        if effects.unsure:
            self._unsure_at = time.monotonic()
            self._trusted_until = float("-inf")

    def hear(self, effects: Effects) -> None:
        """Apply a hint of another process; the store has the last word, see `confirm`."""
        for client_id, revision in effects.revoked:
            before = self._heard.get(client_id)
            known = before.known if before is not None else self.revoked(client_id)
            latest = max(revision, before.revision if before is not None else 0)
            self._heard[client_id] = _Heard(latest, time.monotonic(), known)
        super().apply(effects)

    def confirm(self, revision: int, asked_at: float) -> None:
        """Use the cache, as of a question at `asked_at` that the store answered with `revision`.

        A hint from before that with a later revision came from another store, such as a copy of this one: it is dropped.
        """
        for client_id, heard in list(self._heard.items()):
            if heard.revision <= revision:
                del self._heard[client_id]
            elif heard.at < asked_at:
                del self._heard[client_id]
                self.correct(client_id, max(heard.known, revision))
        if asked_at > self._unsure_at:
            self._trusted_until = asked_at + TRUST_SECONDS

    @override
    def restart(self, revision: int) -> None:
        super().restart(revision)
        self._heard.clear()
        self.newest = revision


class RevocationWatch:
    """Applies the revocations of other processes to a cache.

    Args:
        store: the common store.
        cache: the cache of this process.
    """

    def __init__(self, store: Store, cache: SharedTokenCache) -> None:
        self._store = store
        self._cache = cache
        self._revision = 0
        self._revoked_last = ""  # the client of that revision, if still stored
        self._task: asyncio.Task[None] | None = None
        self._failing = False

    async def start(self) -> None:
        """Start at the current revision.

        Raises:
            DomainError: the store cannot answer.
        """
        self._revision = (await self._store.revocations(0)).revision
        await self.look()
        self._task = asyncio.ensure_future(self._look_regularly())

    async def close(self) -> None:
        """Stop polling."""
        if self._task:
            await concurrency.cancel_and_wait([self._task])

    async def look(self) -> None:
        """Poll once.

        Raises:
            DomainError: the store cannot answer.
            TimeoutError: it took too long.
        """
        asked_at, newest = time.monotonic(), max(self._revision, self._cache.newest)
        async with asyncio.timeout(TRUST_SECONDS):
            found = await self._store.revocations(max(0, self._revision - 1))  # includes the last known one
        new = tuple(one for one in found.revoked if one[1] > self._revision)
        if found.revision < newest or self._is_another(found):
            _log.warning("the database was replaced or restored to an older state: the cache is cleared")
            self._cache.restart(found.revision)
        elif len(new) < found.revision - self._revision:
            self._cache.clear(found.revision)  # the oldest of them are deleted already
        else:
            self._cache.apply(Effects(revoked=new))
        known = self._revoked_last if found.revision == self._revision else ""
        self._revision = found.revision
        self._revoked_last = next((client_id for client_id, revision in found.revoked if revision == found.revision), known)
        self._cache.confirm(found.revision, asked_at)

    def _is_another(self, found: Revocations) -> bool:
        """Whether the known revisions are not those of the store, as after a restore from a backup."""
        last = next((client_id for client_id, revision in found.revoked if revision == self._revision), self._revoked_last)
        return last != self._revoked_last and bool(self._revoked_last)

    async def _look_regularly(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self.look()
            except (DomainError, TimeoutError) as error:
                if not self._failing:
                    _log.warning("revocations cannot be read: the cache is not used", extra={"error": type(error).__name__})
                self._failing = True
            else:
                self._failing = False
