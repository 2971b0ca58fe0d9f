"""Checks tokens with chosen secrets: one argon2 run for all concurrent callers with the same token."""

import asyncio
from collections.abc import Callable

from edgeclients.core.authn.maintenance import Maintenance
from edgeclients.core.authn.matching import Matching
from edgeclients.core.authn.proofs import SharedProofs
from edgeclients.core.authn.queue import Check, CheckQueue
from edgeclients.core.authn.tokens import ParsedToken, Proof
from edgeclients.core.secrets.keyring import Argon2, Keyring, scheme_of
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
        digests: dict[tuple[Argon2, str], bytes] = {}
        # Repeated until no candidate is left: the secret may have moved to another scheme while a hash was computed.
        while untried := await self._candidates(parsed) - digests.keys():
            for scheme, domain_id in untried:
                ask = self._queue.ask_again if digests else self._queue.ask
                flight.check = Check(subject, scheme, domain_id, parsed.secret)
                ask(flight.check)
                digest = digests[scheme, domain_id] = await flight.check.future
                flight.check = None
                proof = await self._compare(parsed, scheme, domain_id, digest)
                if proof is not None:
                    self._queue.succeeded(subject)
                    return proof
        # It may also have moved to a scheme that had been tried by then.
        for (scheme, domain_id), digest in digests.items():
            proof = await self._compare(parsed, scheme, domain_id, digest) if len(digests) > 1 else None
            if proof is not None:
                self._queue.succeeded(subject)
                return proof
        return None

    async def _compare(self, parsed: ParsedToken, scheme: Argon2, domain_id: str, digest: bytes) -> Proof | None:
        """Look for the digest in the current rows: computing it took time."""
        return await self._matching.find(parsed, lambda: [digest], _match(scheme, domain_id, digest))

    async def _candidates(self, parsed: ParsedToken) -> set[tuple[Argon2, str]]:
        """The argon2 schemes that the secret may be stored under, each with the domain of its salt."""
        if parsed.by_id:
            rows = await self._matching.usable_of(parsed.subject)
            found = {(scheme, row.domain_id) for row in rows if (scheme := scheme_of(row.hash))}
        else:
            found = {(Argon2.parse(text), parsed.subject) for text in await self._store.schemes(parsed.subject)}
        return {(scheme, domain_id) for scheme, domain_id in found if self._keyring.usable(scheme)}


def _match(scheme: Argon2, domain_id: str, digest: bytes) -> Callable[[SecretRow], bool]:
    """Whether a row is the hash `digest`, made under this scheme in this domain."""
    return lambda row: row.domain_id == domain_id and scheme_of(row.hash) == scheme and Keyring.matches_chosen(row.hash, digest)


def _retrieve_exception(task: "asyncio.Task[Proof | None]") -> None:
    """Mark the exception of `task` as retrieved: every waiting caller got it, and without callers it does not matter."""
    if not task.cancelled():
        task.exception()
