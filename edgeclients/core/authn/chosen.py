"""Whether a token with a chosen secret proves somebody: argon2, once for all who present the same token at the same time."""

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
    """The one check of a token under way: what it waits for in the lane, and how many wait for it."""

    __slots__ = ("check", "task", "waiting")

    def __init__(self) -> None:
        self.check: Check | None = None
        self.task: asyncio.Task[Proof | None]
        self.waiting = 0


class ChosenSecrets:
    """Checks chosen secrets.

    Args:
        store: where secrets are.
        cache: recent answers.
        keyring: the peppers.
        lane: where argon2 runs.
        matching: which row it is.
        shared: what other processes know.
        maintenance: of secrets that were used.
    """

    def __init__(
        self,
        store: Store,
        cache: TokenCache,
        keyring: Keyring,
        lane: CheckQueue,
        matching: Matching,
        shared: SharedProofs,
        maintenance: Maintenance,
    ) -> None:
        self._store = store
        self._cache = cache
        self._keyring = keyring
        self._lane = lane
        self._matching = matching
        self._shared = shared
        self._maintenance = maintenance
        self._flights: dict[bytes, _Flight] = {}

    async def check(self, key: bytes, token: bytes, parsed: ParsedToken) -> Proof | None:
        """Whose secret `parsed` is, if it is somebody's; as of a moment ago.

        Raises:
            CheckRationed: too many are being checked.
            Unavailable: nothing is checked any more.
        """
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = _Flight()
            flight.task = asyncio.ensure_future(self._fly(flight, key, token, parsed))
            flight.task.add_done_callback(_heard)
        flight.waiting += 1
        try:
            return await asyncio.shield(flight.task)
        except CheckRationed as error:
            raise CheckRationed(error.detail, retry_after=error.retry_after) from None  # one for each who waited
        finally:
            flight.waiting -= 1
            # What runs is finished and remembered, for the next time this token comes; what waits has nobody left.
            if not flight.waiting and flight.check is not None and self._lane.drop(flight.check):
                self._land(key, flight)

    async def close(self) -> None:
        """Check nothing more, and wait for what has begun."""
        self._lane.close()
        if self._flights:
            await asyncio.wait([flight.task for flight in self._flights.values()])

    def _land(self, key: bytes, flight: _Flight) -> None:
        """Nobody can join `flight` any more."""
        if self._flights.get(key) is flight:
            del self._flights[key]

    async def _fly(self, flight: _Flight, key: bytes, token: bytes, parsed: ParsedToken) -> Proof | None:
        generation = self._cache.generation()
        try:
            proof = await self._shared.find(token, parsed) or await self._prove(flight, token, parsed)
        finally:
            self._land(key, flight)
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
        # Again until nothing is left to try: while one hash was computed, the secret may have been moved to another scheme.
        while untried := await self._candidates(parsed) - digests.keys():
            for scheme, domain_id in untried:
                ask = self._lane.ask_again if digests else self._lane.ask
                flight.check = Check(subject, scheme, domain_id, parsed.secret)
                ask(flight.check)
                digest = digests[scheme, domain_id] = await flight.check.future
                flight.check = None
                proof = await self._compare(parsed, scheme, domain_id, digest)
                if proof is not None:
                    self._lane.succeeded(subject)
                    return proof
        # Or to one that had been tried by then.
        for (scheme, domain_id), digest in digests.items():
            proof = await self._compare(parsed, scheme, domain_id, digest) if len(digests) > 1 else None
            if proof is not None:
                self._lane.succeeded(subject)
                return proof
        return None

    async def _compare(self, parsed: ParsedToken, scheme: Argon2, domain_id: str, digest: bytes) -> Proof | None:
        """Look for the digest among what the store says now: computing it took its time."""
        return await self._matching.find(parsed, lambda: [digest], _match(scheme, domain_id, digest))

    async def _candidates(self, parsed: ParsedToken) -> set[tuple[Argon2, str]]:
        """The argon2 schemes under which the secret may be kept, each with the domain whose salt it takes."""
        if parsed.by_id:
            rows = await self._matching.usable_of(parsed.subject)
            found = {(scheme, row.domain_id) for row in rows if (scheme := scheme_of(row.hash))}
        else:
            found = {(Argon2.parse(text), parsed.subject) for text in await self._store.schemes(parsed.subject)}
        return {(scheme, domain_id) for scheme, domain_id in found if self._keyring.usable(scheme)}


def _match(scheme: Argon2, domain_id: str, digest: bytes) -> Callable[[SecretRow], bool]:
    """Whether a row is the hash `digest`, made under this scheme in this domain."""
    return lambda row: row.domain_id == domain_id and scheme_of(row.hash) == scheme and Keyring.matches_chosen(row.hash, digest)


def _heard(task: "asyncio.Task[Proof | None]") -> None:
    """Whoever waited for `task` has been told how it ended; if nobody did, it is not news."""
    if not task.cancelled():
        task.exception()
