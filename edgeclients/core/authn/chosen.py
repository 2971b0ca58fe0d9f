"""Checks tokens by argon2: one run for all concurrent callers with the same token.

That is for chosen secrets, and for all secrets of clients that have a hash from elsewhere.
"""

import asyncio
from collections.abc import Mapping

from edgeclients.core.authn.maintenance import Maintenance
from edgeclients.core.authn.matching import Matching
from edgeclients.core.authn.proofs import SharedProofs
from edgeclients.core.authn.queue import Check, CheckQueue
from edgeclients.core.authn.tokens import ParsedToken, Proof
from edgeclients.core.secrets.foreign import is_foreign
from edgeclients.core.secrets.keyring import Argon2, Keyring, is_generated_form
from edgeclients.core.secrets.recipe import Recipe
from edgeclients.errors import CheckRationed
from edgeclients.model import SecretRow
from edgeclients.ports import Store, TokenCache


class _Flight:
    """The check of a token in progress: its check in the queue, and the number of waiting callers."""

    __slots__ = ("check", "task", "waiting")

    def __init__(self) -> None:
        self.check: Check | None = None
        self.task: asyncio.Task[Proof | None]
        self.waiting = 0


class ChosenSecrets:
    """Checks chosen secrets.

    Args:
        store: the secrets.
        cache: recent results.
        keyring: the peppers.
        queue: where argon2 runs.
        matching: finds the row.
        shared: the proofs of other processes.
        maintenance: of used secrets.
    """

    def __init__(
        self,
        store: Store,
        cache: TokenCache,
        keyring: Keyring,
        queue: CheckQueue,
        matching: Matching,
        shared: SharedProofs,
        maintenance: Maintenance,
    ) -> None:
        self._store = store
        self._cache = cache
        self._keyring = keyring
        self._queue = queue
        self._matching = matching
        self._shared = shared
        self._maintenance = maintenance
        self._flights: dict[bytes, _Flight] = {}

    async def check(self, key: bytes, token: bytes, parsed: ParsedToken) -> Proof | None:
        """The proof of `parsed` as of a moment ago; None if it proves no client.

        Raises:
            CheckRationed: too many secrets are being checked.
            Unavailable: the queue is closed.
        """
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = _Flight()
            flight.task = asyncio.ensure_future(self._run(flight, key, token, parsed))
            flight.task.add_done_callback(_retrieve_exception)
        flight.waiting += 1
        try:
            return await asyncio.shield(flight.task)
        except CheckRationed as error:
            raise CheckRationed(error.detail, retry_after=error.retry_after) from None  # a new one for each waiting caller
        finally:
            flight.waiting -= 1
            # A running check is completed and cached for the next use of this token; a waiting one has no caller left.
            if not flight.waiting and flight.check is not None and self._queue.drop(flight.check):
                self._remove(key, flight)

    async def close(self) -> None:
        """Start no more checks, and wait for those in progress."""
        self._queue.close()
        if self._flights:
            await asyncio.wait([flight.task for flight in self._flights.values()])

    def _remove(self, key: bytes, flight: _Flight) -> None:
        """Remove `flight`, so that no caller can join it any more."""
        if self._flights.get(key) is flight:
            del self._flights[key]

    async def _run(self, flight: _Flight, key: bytes, token: bytes, parsed: ParsedToken) -> Proof | None:
        generation = self._cache.generation()
        try:
            proof = await self._shared.find(token, parsed) or await self._prove(flight, token, parsed)
        finally:
            self._remove(key, flight)
        if proof is None:
            self._cache.deny(key, generation)
        else:
            self._maintenance.after_success(proof.row, parsed.secret)
            self._cache.remember(key, proof.client_id, proof.revision, proof.expires_at)
        return proof

    async def _prove(self, flight: _Flight, token: bytes, parsed: ParsedToken) -> Proof | None:
        proof = await self._hash_and_compare(flight, parsed)
        if proof is not None:
            self._shared.note(token, proof)
        return proof

    async def _hash_and_compare(self, flight: _Flight, parsed: ParsedToken) -> Proof | None:
        subject = f"{'client' if parsed.by_id else 'domain'} {parsed.subject}"
        digests: dict[Recipe, bytes] = {}
        # Repeated until no candidate is left: the secret may have moved to another recipe while a hash was computed.
        while untried := await self._candidates(parsed) - digests.keys():
            for recipe in untried:
                ask = self._queue.ask_again if digests else self._queue.ask
                flight.check = Check(subject, recipe, parsed.secret)
                ask(flight.check)
                digest = digests[recipe] = await flight.check.future
                flight.check = None
                proof = await self._compare(parsed, recipe, digest)
                if proof is not None:
                    self._queue.succeeded(subject)
                    return proof
        proof = await self._compare_again(parsed, digests)
        if proof is not None and digests:
            self._queue.succeeded(subject)
        return proof

    async def _compare_again(self, parsed: ParsedToken, digests: Mapping[Recipe, bytes]) -> Proof | None:
        """Look whether the secret has moved to a form that had been tried by then."""
        if is_generated_form(parsed.secret):
            return await self._matching.find_of(
                parsed.subject, parsed, lambda row: self._keyring.matches(row.hash, row.domain_id, parsed.secret)
            )
        for recipe, digest in digests.items() if len(digests) > 1 else ():
            proof = await self._compare(parsed, recipe, digest)
            if proof is not None:
                return proof
        return None

    async def _compare(self, parsed: ParsedToken, recipe: Recipe, digest: bytes) -> Proof | None:
        """Look for the digest in the current rows: computing it took time."""

        def matches(row: SecretRow) -> bool:
            is_made_so = self._keyring.recipe_of(row.hash, row.domain_id) == recipe
            return is_made_so and self._keyring.matches_chosen(row.hash, digest)

        return await self._matching.find(parsed, lambda: [digest], matches)

    async def _candidates(self, parsed: ParsedToken) -> set[Recipe]:
        """How argon2 may have made the hash that the secret is stored as."""
        if not parsed.by_id:
            schemes = map(Argon2.parse, await self._store.schemes(parsed.subject))
            return {self._keyring.recipe(scheme, parsed.subject) for scheme in schemes if self._keyring.usable(scheme)}
        rows = await self._matching.usable_of(parsed.subject)
        if is_generated_form(parsed.secret):
            rows = [row for row in rows if is_foreign(row.hash)]
        return {recipe for row in rows if (recipe := self._keyring.recipe_of(row.hash, row.domain_id))}


def _retrieve_exception(task: "asyncio.Task[Proof | None]") -> None:
    """Mark the exception of `task` as retrieved: every waiting caller got it, and without callers it does not matter."""
    if not task.cancelled():
        task.exception()
