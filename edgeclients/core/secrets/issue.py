"""Makes the stored form of secrets that callers sent, or of generated ones."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from cachetools import TTLCache

from edgeclients.core import limits
from edgeclients.core.secrets.hashing import Hashing
from edgeclients.core.secrets.keyring import Keyring, check_secret, is_generated_form
from edgeclients.core.secrets.pool import HashQueue
from edgeclients.errors import InvalidSecret, Throttled, TooManyChosenSecrets
from edgeclients.model import Session, StoredSecret
from edgeclients.ports import Store

_TAKEN_ANSWERS = 10  # "in use" confirms a guess: at most so many a minute for one caller
_TAKEN_SECONDS = 60
_CALLERS = 10_000


class SuppliedSecret(NamedTuple):
    """A secret that a caller sent for a client."""

    client_id: str
    secret: str


class Secrets:
    """Makes the stored form of secrets.

    Args:
        store: the schemes in use.
        keyring: the peppers.
        queue: where chosen secrets are hashed.
    """

    def __init__(self, store: Store, keyring: Keyring, queue: HashQueue) -> None:
        self._store = store
        self._keyring = keyring
        self._hashing = Hashing(store, keyring, queue)
        self._taken: TTLCache[str, int] = TTLCache(_CALLERS, _TAKEN_SECONDS)

    async def keep(self, session: Session, supplied: Sequence[SuppliedSecret]) -> Callable[[str], StoredSecret]:
        """A function that returns the stored form of each of these secrets, and of generated ones.

        Raises:
            InvalidSecret: a secret is not valid.
            TooManyChosenSecrets: more chosen secrets than one call may contain.
            Throttled: the caller got the error that a secret is in use too often.
            Busy: too many chosen secrets wait to be hashed.
        """
        domain_id = session.domain_id
        for client_id, secret in supplied:
            check_secret(secret, client_id, domain_id)
        if supplied and self._taken.get(session.user_id, 0) >= _TAKEN_ANSWERS:
            raise Throttled("too many secret_taken answers", retry_after=_TAKEN_SECONDS)
        chosen = [secret for _, secret in supplied if not is_generated_form(secret)]
        if len(chosen) > limits.CHOSEN_SECRETS:
            raise TooManyChosenSecrets
        hashed = await self._hashing.chosen(domain_id, chosen) if chosen else {}
        return lambda secret: hashed.get(secret) or self._keyring.keep_generated(domain_id, secret)

    async def adopt(self, session: Session, stored: str) -> StoredSecret:
        """The stored form of a secret of which only the hash is known.

        Raises:
            InvalidSecret: see `Keyring.adopt`; or a third set of argon2 parameters would be in use in the domain. Those of
                hashes from elsewhere do not count.
        """
        adopted = self._keyring.adopt(session.domain_id, stored)
        if adopted.scheme is not None and adopted.scheme != str(self._keyring.argon2):
            others = {*await self._store.schemes(session.domain_id)} - {str(self._keyring.argon2), adopted.scheme}
            if others:
                raise InvalidSecret("is a hash with a third set of argon2 parameters")
        return adopted

    def note_taken(self, session: Session) -> None:
        """Count an error that a secret is in use, which the caller is about to get.

        Raises:
            Throttled: the caller got it too often; of many concurrent requests the rest is withheld.
        """
        self._taken[session.user_id] = self._taken.get(session.user_id, 0) + 1
        if self._taken[session.user_id] > _TAKEN_ANSWERS:
            raise Throttled("too many secret_taken answers", retry_after=_TAKEN_SECONDS)
