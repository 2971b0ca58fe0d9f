"""Where argon2 runs for secrets that are to be stored: a few threads with a short queue. A full queue is said so at once."""

from __future__ import annotations

import asyncio
import os
import threading
from typing import TYPE_CHECKING

from edgeclients.core.secrets.keyring import Argon2, Keyring
from edgeclients.errors import Busy

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

_NICENESS = 10  # of the threads: whoever is answered from the cache comes first


class Argon2Threads:
    """Threads for argon2, made when first needed: `workers` × the scheme's memory at most.

    Args:
        keyring: whose salts are used.
        workers: how many.
    """

    def __init__(self, keyring: Keyring, workers: int) -> None:
        self._keyring = keyring
        self.workers = workers
        self._pool: ThreadPoolExecutor | None = None

    def digest(self, scheme: Argon2, domain_id: str, secret: str) -> asyncio.Future[bytes]:
        """The digest of a chosen secret, under way or waiting for a thread. Cancelled while it waits it does not run."""
        if self._pool is None:
            from concurrent.futures import ThreadPoolExecutor

            self._pool = ThreadPoolExecutor(self.workers, thread_name_prefix="argon2", initializer=_step_back)
        loop = asyncio.get_running_loop()
        return loop.run_in_executor(self._pool, scheme.digest, secret, self._keyring.salt(scheme, domain_id))

    def close(self) -> None:
        """Drop what waits; what runs ends by itself within milliseconds."""
        if self._pool:
            self._pool.shutdown(wait=True, cancel_futures=True)


class HashQueue:
    """Hashes secrets that are to be stored, in the order they come.

    Args:
        threads: where.
        waiting: digests that may wait or run.
    """

    def __init__(self, threads: Argon2Threads, waiting: int) -> None:
        self._threads = threads
        self._waiting = waiting
        self._pending = 0

    async def digest(self, scheme: Argon2, domain_id: str, secret: str) -> bytes:
        """The digest of a chosen secret.

        Raises:
            Busy: too many wait already.
        """
        if self._pending >= self._waiting:
            raise Busy("argon2 lane is full", retry_after=1)
        future = self._threads.digest(scheme, domain_id, secret)
        self._pending += 1
        future.add_done_callback(self._release)
        return await future

    def _release(self, _: object) -> None:
        self._pending -= 1


def _step_back() -> None:
    """Let this thread have what others leave of the processor, where the system has such a thing for threads (Linux)."""
    try:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
    except OSError:
        return
