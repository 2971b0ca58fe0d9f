"""Owners of local operators' tokens, read from the store on every request: removal takes effect at once."""

import asyncio
import logging

from cachetools import TTLCache
from typing_extensions import override

from edgeclients.core.ids import OPERATOR_TOKEN_CHARACTERS, OPERATOR_TOKEN_PREFIX
from edgeclients.core.secrets.keyring import Keyring
from edgeclients.errors import DomainError
from edgeclients.model import DomainStanding, OperatorToken
from edgeclients.ports import Operators, Store, Transaction
from edgeclients.times import ends_at, is_plausible

_log = logging.getLogger(__name__)

# The precision of "last used": an SD card can bear one write per hour and token.
_HOUR = 3600 * 1_000_000
_RETRY_SECONDS = 60
_REMEMBERED = 1000


class OperatorTokens(Operators):
    """`ports.Operators`.

    Args:
        store: the operators and their tokens.
        keyring: the peppers.
    """

    def __init__(self, store: Store, keyring: Keyring) -> None:
        self._store = store
        self._keyring = keyring
        self._recorded: TTLCache[bytes, None] = TTLCache(_REMEMBERED, _RETRY_SECONDS)
        self._recording: set[asyncio.Task[None]] = set()

    @override
    def now(self) -> int:
        return self._store.now()

    @override
    async def holder(self, token: str) -> str | None:
        if not token.startswith(OPERATOR_TOKEN_PREFIX) or len(token) > OPERATOR_TOKEN_CHARACTERS:
            return None
        digests = self._keyring.token_digests(token)
        found = await self._store.operator_token(digests)
        if found is None or has_ended(found, self._store.now()):
            return None
        self._record_use(found, token)
        return found.operator_id

    @override
    async def standing(self, operator_id: str, domain_id: str) -> DomainStanding | None:
        return await self._store.operator_standing(operator_id, domain_id)

    async def close(self) -> None:
        """Wait for the writes in progress."""
        if self._recording:
            await asyncio.wait(self._recording)

    def _record_use(self, token: OperatorToken, clear: str) -> None:
        """Record the use of `token` in the background, and move it to the newest pepper."""
        digest, key_id = self._keyring.keep_token(clear)
        if key_id == token.key_id and self._is_fresh(token.last_used_at) and not self._lifetime_starts_now(token):
            return
        if token.digest in self._recorded:
            return
        self._recorded[token.digest] = None
        task = asyncio.ensure_future(self._write(token, digest, key_id))
        self._recording.add(task)
        task.add_done_callback(self._recording.discard)

    async def _write(self, token: OperatorToken, digest: bytes, key_id: str) -> None:
        async def unit(tx: Transaction) -> None:
            await tx.touch_operator_token(token, digest, key_id)

        try:
            await self._store.run(unit)
        except DomainError as error:
            _log.warning("the last use of an operator's token was not recorded", extra={"error": type(error).__name__})

    def _lifetime_starts_now(self, token: OperatorToken) -> bool:
        """Whether its lifetime counts from now, according to the stored token."""
        now = self._store.now()
        counts = token.counted_from is not None and is_plausible(token.counted_from, now)
        return token.expires_at is not None and not counts and not is_plausible(token.created_at, now)

    def _is_fresh(self, used_at: int | None) -> bool:
        """Whether a recorded use is recent, by a clock that may have jumped in either direction."""
        return used_at is not None and 0 <= self._store.now() - used_at < _HOUR


def has_ended(token: OperatorToken, now: int) -> bool:
    """Whether a token has expired."""
    if token.expires_at is None:
        return False
    return ends_at(token.created_at, token.expires_at, token.counted_from, now) <= now
