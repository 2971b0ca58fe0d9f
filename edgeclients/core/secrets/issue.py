"""From the secret a caller sent, or none, to what is kept of it."""

from collections.abc import Sequence
from typing import NamedTuple

from cachetools import TTLCache

from edgeclients.core import limits
from edgeclients.core.secrets.keyring import Argon2, Keyring, check_secret, generate, is_generated_form
from edgeclients.core.secrets.pool import HashQueue
from edgeclients.errors import Throttled, TooManyChosenSecrets
from edgeclients.model import Session, StoredSecret
from edgeclients.ports import Store

_TAKEN_ANSWERS = 10  # "in use" tells a caller that a guess was right: so many a minute
_TAKEN_SECONDS = 60
_CALLERS = 10_000


class Wish(NamedTuple):
    """A secret wanted for a client; None to have one made."""

    client_id: str
    secret: str | None


class Kept(NamedTuple):
    """A secret in clear, to be told once, and what is kept of it."""

    clear: str
    stored: StoredSecret


class Secrets:
    """Makes what is kept of secrets.

    Args:
        store: where schemes in use are looked up.
        keyring: the peppers.
        lane: where chosen secrets are hashed.
    """

    def __init__(self, store: Store, keyring: Keyring, lane: HashQueue) -> None:
        self._store = store
        self._keyring = keyring
        self._lane = lane
        self._taken: TTLCache[str, int] = TTLCache(_CALLERS, _TAKEN_SECONDS)

    async def keep(self, session: Session, wishes: Sequence[Wish]) -> list[Kept]:
        """What is kept of each secret wished for, in order.

        Raises:
            InvalidSecret: one may not be used.
            TooManyChosenSecrets: more are chosen than one call may hash.
            Throttled: the caller was told too often that a secret is in use.
            Busy: too many chosen secrets wait to be hashed.
        """
        domain_id = session.domain_id
        for wish in wishes:
            if wish.secret:
                check_secret(wish.secret, wish.client_id, domain_id)
        supplied = [wish.secret for wish in wishes if wish.secret]
        if supplied and self._taken.get(session.user_id, 0) >= _TAKEN_ANSWERS:
            raise Throttled("too many secret_taken answers", retry_after=_TAKEN_SECONDS)
        chosen = [secret for secret in supplied if not is_generated_form(secret)]
        if len(chosen) > limits.CHOSEN_SECRETS:
            raise TooManyChosenSecrets
        hashed = await self._hash(domain_id, chosen) if chosen else {}
        return [self._kept(domain_id, wish.secret or generate(), hashed) for wish in wishes]

    def note_taken(self, session: Session) -> None:
        """Count that the caller is about to be told that a secret is in use.

        Raises:
            Throttled: it was told so too often; of many such answers under way at once, the rest is kept back.
        """
        self._taken[session.user_id] = self._taken.get(session.user_id, 0) + 1
        if self._taken[session.user_id] > _TAKEN_ANSWERS:
            raise Throttled("too many secret_taken answers", retry_after=_TAKEN_SECONDS)

    def _kept(self, domain_id: str, secret: str, hashed: dict[str, StoredSecret]) -> Kept:
        return Kept(secret, hashed.get(secret) or self._keyring.keep_generated(domain_id, secret))

    async def _hash(self, domain_id: str, chosen: Sequence[str]) -> dict[str, StoredSecret]:
        current = self._keyring.argon2
        in_use = [Argon2.parse(text) for text in await self._store.schemes(domain_id)]
        others = [scheme for scheme in in_use if scheme != current and self._keyring.usable(scheme)]
        hashed = {}
        for secret in dict.fromkeys(chosen):
            digest, *equivalents = [await self._lane.digest(s, domain_id, secret) for s in (current, *others)]
            hashed[secret] = self._keyring.keep_chosen(domain_id, current, digest, equivalents)
        return hashed
