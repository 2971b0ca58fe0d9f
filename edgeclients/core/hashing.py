"""Where argon2 runs: threads of its own, few, with a short queue. A full queue is said so at once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from edgeclients.core.credentials import Argon2, Keyring

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import ThreadPoolExecutor

    from edgeclients.errors import DomainError


class HashLane:
    """Bounded argon2 work: `workers` × the scheme's memory at most.

    Args:
        keyring: whose salts are used.
        workers: threads, made when first needed.
        waiting: digests that may wait or run.
        full: raised when more are asked for.
    """

    def __init__(self, keyring: Keyring, workers: int, waiting: int, full: type[DomainError]) -> None:
        self._keyring = keyring
        self._workers = workers
        self._waiting = waiting
        self._full = full
        self._pool: ThreadPoolExecutor | None = None
        self._pending = 0

    async def digest(self, scheme: Argon2, domain_id: str, secret: str) -> bytes:
        """The digest of a chosen secret.

        Raises:
            DomainError: of the lane's kind: too many wait already.
        """
        if self._pending >= self._waiting:
            raise self._full("argon2 lane is full", retry_after=1)
        loop = asyncio.get_running_loop()
        self._pending += 1
        future = self._threads().submit(scheme.digest, secret, self._keyring.salt(scheme, domain_id))
        future.add_done_callback(lambda _: _tell(loop, self._release))
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """Drop what waits; what runs ends by itself within milliseconds."""
        if self._pool:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def _threads(self) -> ThreadPoolExecutor:
        if self._pool is None:
            from concurrent.futures import ThreadPoolExecutor

            self._pool = ThreadPoolExecutor(self._workers, thread_name_prefix="argon2")
        return self._pool

    def _release(self) -> None:
        self._pending -= 1


def _tell(loop: asyncio.AbstractEventLoop, release: Callable[[], None]) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(release)
