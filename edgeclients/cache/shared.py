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

from edgeclients.cache.memory import MemoryTokenCache
from edgeclients.errors import DomainError
from edgeclients.model import Effects
from edgeclients.ports import Store

_log = logging.getLogger(__name__)

LOOK_SECONDS = 2.0
TRUST_SECONDS = 5.0


class SharedTokenCache(MemoryTokenCache):
    """`ports.TokenCache` that says nothing it could be wrong about."""

    def __init__(self, seconds: float, size: int, latest: Callable[[], int]) -> None:
        super().__init__(seconds, size, latest)
        self._trusted_until = float("-inf")

    @property
    def trusted(self) -> bool:
        """Whether its answers are believed now."""
        return time.monotonic() < self._trusted_until

    def hit(self, key: bytes) -> str | None:  # noqa: D102 - see ports.TokenCache
        return super().hit(key) if time.monotonic() < self._trusted_until else None

    def trust_until(self, moment: float) -> None:
        """Believe what is here until then, by the monotonic clock."""
        self._trusted_until = moment


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
            self._task.cancel()
            await asyncio.wait([self._task])

    async def look(self) -> None:
        """Ask once.

        Raises:
            DomainError: the store cannot say.
            TimeoutError: it took too long.
        """
        asked_at = time.monotonic()
        async with asyncio.timeout(TRUST_SECONDS):
            found = await self._store.revocations(self._revision)
        if len(found.revoked) < found.revision - self._revision:
            self._cache.clear(found.revision)  # the oldest of them are forgotten already
        else:
            self._cache.apply(Effects(revoked=found.revoked))
        self._revision = found.revision
        self._cache.trust_until(asked_at + TRUST_SECONDS)

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
