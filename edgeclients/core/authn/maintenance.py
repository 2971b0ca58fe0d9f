"""Maintenance of secrets in the background, after their use."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from cachetools import TTLCache

from edgeclients.core.secrets.foreign import is_foreign
from edgeclients.core.secrets.hashing import Hashing
from edgeclients.core.secrets.keyring import Keyring, check_secret, is_generated_form
from edgeclients.core.secrets.pool import HashQueue
from edgeclients.errors import DomainError, InvalidSecret, MalformedRequest, SecretTaken
from edgeclients.model import SecretRow, StoredSecret
from edgeclients.ports import Store, Transaction

_log = logging.getLogger(__name__)

_CONCURRENCY = 32  # work beyond this is skipped; the next use repeats it
_STAYING, _STAYING_SECONDS = 1000, 3600  # hashes from elsewhere that are not tried again for so long


class Maintenance:
    """Records the use of retiring secrets, and moves secrets to the current pepper and parameters.

    A hash from elsewhere becomes one of ours, unless the secret may not be one here: then it stays, and works as before.

    Args:
        store: the secrets.
        keyring: the peppers.
        writes: the queue for hashes to be stored.
    """

    def __init__(self, store: Store, keyring: Keyring, writes: HashQueue) -> None:
        self._store = store
        self._keyring = keyring
        self._writes = writes
        self._hashing = Hashing(store, keyring, writes)
        self._staying: TTLCache[SecretRow, None] = TTLCache(_STAYING, _STAYING_SECONDS)
        self._tasks: set[asyncio.Task[None]] = set()

    def after_success(self, row: SecretRow, secret: str) -> None:
        """Start what follows from a successful use of `secret`, the secret of `row`."""
        if row.expires_at is not None:
            self.start(self._touch(row))
        elif is_foreign(row.hash):
            self.start(self._take_over(row, secret))
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
        if is_generated_form(secret):
            stored = self._keyring.keep_generated(row.domain_id, secret)
        else:
            scheme = self._keyring.argon2
            try:
                digest = await self._writes.digest(self._keyring.recipe(scheme, row.domain_id), secret)
            except DomainError:
                return
            stored = self._keyring.keep_chosen(row.domain_id, scheme, digest, ())
        await self._try(_replacing(row, stored))

    async def _take_over(self, row: SecretRow, secret: str) -> None:
        if row in self._staying:
            return
        try:
            check_secret(secret, row.client_id, row.domain_id)
            stored = await self._hashing.form(row.domain_id, secret)
            await self._store.run(_replacing(row, stored))
        except (InvalidSecret, MalformedRequest, SecretTaken) as error:
            self._staying[row] = None
            reason = type(error).__name__
            _log.info("hash from elsewhere stays", extra={"client_id": row.client_id, "error": reason})
        except DomainError as error:
            _log_postponed(error)

    async def _try(self, unit: Callable[[Transaction], Coroutine[Any, Any, None]]) -> None:
        """Run a unit without a waiting caller: if it fails, the next use of the secret tries again."""
        try:
            await self._store.run(unit)
        except DomainError as error:
            _log_postponed(error)


def _replacing(row: SecretRow, stored: StoredSecret) -> Callable[[Transaction], Coroutine[Any, Any, None]]:
    """A unit that puts `stored` in the place of the hash in `row`, if that still is the current one."""

    async def unit(tx: Transaction) -> None:
        client = await tx.client(row.client_id)
        if client is not None and (await tx.secret(client.id)).hash == row.hash:
            await tx.set_secret(client, stored)

    return unit


def _log_postponed(error: DomainError) -> None:
    _log.info("secret maintenance postponed", extra={"error": type(error).__name__})
