"""Threads for argon2, and a bounded queue for secrets to be stored. A full queue refuses at once."""

from __future__ import annotations

import asyncio
import os
import threading
from typing import TYPE_CHECKING

from edgeclients.errors import Busy

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

    from edgeclients.core.secrets.recipe import Recipe

_NICENESS = 10  # of the threads: answers from the cache have priority


class Argon2Threads:
    """Threads for argon2, started on demand: they take `workers` × a recipe's memory at most.

    Args:
        workers: the number of threads.
    """

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._pool: ThreadPoolExecutor | None = None

    def digest(self, recipe: Recipe, secret: str) -> asyncio.Future[bytes]:
        """The digest of a secret, running or waiting for a thread. If cancelled while it waits, it never runs."""
        if self._pool is None:
            from concurrent.futures import ThreadPoolExecutor

            self._pool = ThreadPoolExecutor(self.workers, thread_name_prefix="argon2", initializer=_lower_priority)
        loop = asyncio.get_running_loop()
        return loop.run_in_executor(self._pool, recipe.digest, secret)

    def close(self) -> None:
        """Drop waiting digests; running ones end within milliseconds."""
        if self._pool:
            self._pool.shutdown(wait=True, cancel_futures=True)


class HashQueue:
    """Hashes secrets to be stored, in the order of their arrival.

    Args:
        threads: where argon2 runs.
        waiting: how many digests may wait or run.
    """

    def __init__(self, threads: Argon2Threads, waiting: int) -> None:
        self._threads = threads
        self._waiting = waiting
        self._pending = 0

    async def digest(self, recipe: Recipe, secret: str) -> bytes:
        """The digest of a chosen secret.

        Raises:
            Busy: too many digests wait.
        """
        if self._pending >= self._waiting:
            raise Busy("argon2 queue is full", retry_after=1)
        future = self._threads.digest(recipe, secret)
        self._pending += 1
        future.add_done_callback(self._release)
        return await future

    def _release(self, _: object) -> None:
        self._pending -= 1


def _lower_priority() -> None:
    """Lower the priority of this thread, on systems with priorities per thread (Linux)."""
    try:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
    except OSError:
        return
