"""Hashes secrets to be stored."""

from collections.abc import Sequence

from edgeclients.core.secrets.keyring import Argon2, Keyring, is_generated_form
from edgeclients.core.secrets.pool import HashQueue
from edgeclients.model import StoredSecret
from edgeclients.ports import Store


class Hashing:
    """Makes the stored form of secrets, with all that shows whether a client of the domain uses them.

    Args:
        store: the schemes in use.
        keyring: the peppers.
        queue: where chosen secrets are hashed.
    """

    def __init__(self, store: Store, keyring: Keyring, queue: HashQueue) -> None:
        self._store = store
        self._keyring = keyring
        self._queue = queue

    async def form(self, domain_id: str, secret: str) -> StoredSecret:
        """The stored form of a secret.

        Raises:
            Busy: too many chosen secrets wait to be hashed.
        """
        if is_generated_form(secret):
            return self._keyring.keep_generated(domain_id, secret)
        return (await self.chosen(domain_id, [secret]))[secret]

    async def chosen(self, domain_id: str, secrets: Sequence[str]) -> dict[str, StoredSecret]:
        """The stored form of each of these chosen secrets.

        Raises:
            Busy: too many chosen secrets wait to be hashed.
        """
        current = self._keyring.argon2
        in_use = [Argon2.parse(text) for text in await self._store.schemes(domain_id)]
        others = [scheme for scheme in in_use if scheme != current and self._keyring.usable(scheme)]
        recipes = [self._keyring.recipe(scheme, domain_id) for scheme in (current, *others)]
        hashed = {}
        for secret in dict.fromkeys(secrets):
            digest, *equivalents = [await self._queue.digest(recipe, secret) for recipe in recipes]
            hashed[secret] = self._keyring.keep_chosen(domain_id, current, digest, equivalents)
        return hashed
