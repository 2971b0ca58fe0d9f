"""Maintenance of secrets in the background, after their use."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from edgeclients.core.secrets.keyring import Keyring, scheme_of
from edgeclients.core.secrets.pool import HashQueue
from edgeclients.errors import DomainError
from edgeclients.model import SecretRow
from edgeclients.ports import Store, Transaction

_log = logging.getLogger(__name__)

_CONCURRENCY = 32  # work beyond this is skipped; the next use repeats it


class Maintenance:
    """Records the use of retiring secrets, and moves secrets to the current pepper and parameters.

    Args:
        store: the secrets.
        keyring: the peppers.
        writes: the queue for hashes to be stored.
    """

    def __init__(self, store: Store, keyring: Keyring, writes: HashQueue) -> None:
        self._store = store
        self._keyring = keyring
        self._writes = writes
        self._tasks: set[asyncio.Task[None]] = set()

    def after_success(self, row: SecretRow, secret: str) -> None:
        """Start what follows from a successful use of `secret`, the secret of `row`."""
        if row.expires_at is not None:
            self.start(self._touch(row))
        elif self._keyring.is_outdated(row.hash):
            self.start(self._refresh(row, secret))

    async def close(self) -> None:
        """Wait for the work in progress."""
        if self._tasks:
            await asyncio.wait(self._tasks)

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` in the background and log unexpected failures; skips it if too much is running."""
        if len(self._tasks) >= _CONCURRENCY:
            work.close()
            return
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            _log.error("secret maintenance failed unexpectedly", exc_info=error)

    async def _touch(self, row: SecretRow) -> None:
        await self._try(lambda tx: tx.touch_retirement(row.client_id, row.hash))

    async def _refresh(self, row: SecretRow, secret: str) -> None:
        scheme = self._keyring.argon2
        if scheme_of(row.hash) is None:
            stored = self._keyring.keep_generated(row.domain_id, secret)
        else:
            try:
                digest = await self._writes.digest(scheme, row.domain_id, secret)
            except DomainError:
                return
            stored = self._keyring.keep_chosen(row.domain_id, scheme, digest, ())

        async def unit(tx: Transaction) -> None:
            client = await tx.client(row.client_id)
            if client is not None and (await tx.secret(client.id)).hash == row.hash:
                await tx.set_secret(client, stored)

        await self._try(unit)

    async def _try(self, unit: Callable[[Transaction], Coroutine[Any, Any, None]]) -> None:
        """Run a unit without a waiting caller: if it fails, the next use of the secret tries again."""
        try:
            await self._store.run(unit)
        except DomainError as error:
            _log.info("secret maintenance postponed", extra={"error": type(error).__name__})
