"""The cache of one of several processes on one store: believed only while it knows what the others have revoked (design 6).

The store is asked every two seconds for the revocations that this process has not seen; its cache is believed until five
seconds after such a question was put that was answered. So whatever happens to Redis, a revoked secret is dead in every
process five seconds after the change was answered at the latest. Revisions are dense and commit in their order, so that none
can be missed unnoticed: not by clocks that differ, nor by a process that slept.
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
    """What was heard to be revoked of a client, when, and up to which revision that is known otherwise."""

    revision: int
    at: float
    known: int


class SharedTokenCache(MemoryTokenCache):
    """`ports.TokenCache` that says nothing it could be wrong about."""

    def __init__(self, seconds: float, size: int, now: Callable[[], int]) -> None:
        super().__init__(seconds, size, now)
        self._trusted_until = float("-inf")
        self._unsure_at = float("-inf")
        self._heard: dict[str, _Heard] = {}
        self.newest = 0  # revision that the store has told of, by commits and rows

    @property
    def trusted(self) -> bool:
        """Whether its answers are believed now."""
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
        """Make felt what another process says of its commits; the store has the last word, see `confirm`."""
        for client_id, revision in effects.revoked:
            before = self._heard.get(client_id)
            known = before.known if before is not None else self.revoked(client_id)
            latest = max(revision, before.revision if before is not None else 0)
            self._heard[client_id] = _Heard(latest, time.monotonic(), known)
        super().apply(effects)

    def confirm(self, revision: int, asked_at: float) -> None:
        """Believe what is here, as of a question put at `asked_at` to which the store said that it is at `revision`.

        What was heard before that of later ones was of another store, such as a copy of this one: nobody waits for it.
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
    """Tells a cache what other processes have revoked.

    Args:
        store: which all of them share.
        cache: of this one.
    """

    def __init__(self, store: Store, cache: SharedTokenCache) -> None:
        self._store = store
        self._cache = cache
        self._revision = 0
        self._whose = ""  # that revision was, if it is still on record
        self._task: asyncio.Task[None] | None = None
        self._failing = False

    async def start(self) -> None:
        """Begin with what is revoked now.

        Raises:
            DomainError: the store cannot say.
        """
        self._revision = (await self._store.revocations(0)).revision
        await self.look()
        self._task = asyncio.ensure_future(self._look_regularly())

    async def close(self) -> None:
        """Look no more."""
        if self._task:
            await concurrency.cancel_and_wait([self._task])

    async def look(self) -> None:
        """Ask once.

        Raises:
            DomainError: the store cannot say.
            TimeoutError: it took too long.
        """
        asked_at, newest = time.monotonic(), max(self._revision, self._cache.newest)
        async with asyncio.timeout(TRUST_SECONDS):
            found = await self._store.revocations(max(0, self._revision - 1))  # the last one that is known is among them
        new = tuple(one for one in found.revoked if one[1] > self._revision)
        if found.revision < newest or self._is_another(found):
            _log.warning("the database is not the one it was, or an older state of it: the cache begins anew")
            self._cache.restart(found.revision)
        elif len(new) < found.revision - self._revision:
            self._cache.clear(found.revision)  # the oldest of them are forgotten already
        else:
            self._cache.apply(Effects(revoked=new))
        known = self._whose if found.revision == self._revision else ""
        self._revision = found.revision
        self._whose = next((client_id for client_id, revision in found.revoked if revision == found.revision), known)
        self._cache.confirm(found.revision, asked_at)

    def _is_another(self, found: Revocations) -> bool:
        """Whether the revisions this process knows are not those of the store, as after a restore from a backup."""
        whose = next((client_id for client_id, revision in found.revoked if revision == self._revision), self._whose)
        return whose != self._whose and bool(self._whose)

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
