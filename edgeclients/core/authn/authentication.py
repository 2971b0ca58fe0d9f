"""`Authenticate`: finds the client that a token belongs to, independent of the transport (edgeclients/README.md#trip-token).

A cache hit costs a keyed hash and a lookup. On a miss the token is parsed, and one indexed read finds the candidate
secrets. The form of the secret decides which hash to compute; where a client has a hash from elsewhere, that is tried too.
Every failure is `CredentialsDenied`: no oracle.
"""

from typing import NoReturn

from edgeclients.core import limits
from edgeclients.core.authn.chosen import ChosenSecrets
from edgeclients.core.authn.maintenance import Maintenance
from edgeclients.core.authn.matching import Matching
from edgeclients.core.authn.proofs import SharedProofs
from edgeclients.core.authn.queue import CheckQueue
from edgeclients.core.authn.tokens import ParsedToken, Proof, parse
from edgeclients.core.rules import is_uuid
from edgeclients.core.secrets.foreign import is_foreign
from edgeclients.core.secrets.keyring import Keyring, is_generated_form
from edgeclients.core.secrets.pool import HashQueue
from edgeclients.errors import CheckRationed, CredentialsDenied
from edgeclients.model import SecretRead
from edgeclients.ports import Proofs, Store, TokenCache

_TRIES = 10  # reads of a row that is revoked during the read


class Counts:
    """Counters of the results of `authenticate`, since the start.

    Denials are counted by reason. No reason reveals whether a secret was right.
    """

    __slots__ = ("denied", "hits", "misses", "put_off")

    def __init__(self) -> None:
        self.hits = self.misses = self.put_off = 0
        self.denied = {"malformed": 0, "unmatched": 0, "remembered": 0}


class Authentication:
    """Authenticates clients.

    Args:
        store: the secrets.
        cache: recent results.
        keyring: the peppers.
        checks: the queue for presented chosen secrets.
        writes: the queue for hashes to be stored.
        proofs: the proofs of other processes, if there are any.
    """

    def __init__(
        self,
        store: Store,
        cache: TokenCache,
        keyring: Keyring,
        checks: CheckQueue,
        writes: HashQueue,
        proofs: Proofs | None = None,
    ) -> None:
        self._store = store
        self._note_seen = store.note_seen
        self._note_denied = store.note_denied
        self._cache = cache
        self._keyring = keyring
        self._maintenance = Maintenance(store, keyring, writes)
        self._matching = Matching(store)
        shared = SharedProofs(proofs, self._matching, self._maintenance)
        self._chosen = ChosenSecrets(store, cache, keyring, checks, self._matching, shared, self._maintenance)
        self.counts = Counts()

    async def authenticate(self, token: bytes) -> str:
        """The id of the client that `token` belongs to.

        Raises:
            CredentialsDenied: the token is not valid.
            CheckRationed: too many chosen secrets are being checked.
            Unavailable, Busy: the storage cannot answer.
        """
        return self.recall(token) or await self.prove(token)

    def recall(self, token: bytes) -> str | None:
        """The id of the client that `token` belongs to, if that is cached and still valid."""
        if len(token) > limits.TOKEN_BYTES:
            return None  # not worth hashing
        client_id = self._cache.hit(self._cache.key(token))
        if client_id is not None:
            self.counts.hits += 1
            self._note_seen(client_id)
        return client_id

    async def prove(self, token: bytes) -> str:
        """The id of the client that `token` belongs to, after a miss of `recall`."""
        self.counts.misses += 1
        if len(token) > limits.TOKEN_BYTES:
            self._deny("malformed", None)
        client_id = await self._prove(self._cache.key(token), token)
        self._note_seen(client_id)
        return client_id

    def prove_at_once(self, token: bytes) -> str | None:
        """The result of `prove`, if that needs no waiting; None otherwise, and then nothing has been counted.

        Raises:
            CredentialsDenied, Unavailable: as `authenticate`.
        """
        parsed = parse(token) if len(token) <= limits.TOKEN_BYTES else None
        if parsed is None or not is_generated_form(parsed.secret):
            return None
        read = self._matching.read_at_once(parsed, lambda: self._keyring.lookups(parsed.subject, parsed.secret))
        if read is None:
            return None
        proof = self._generated(parsed, read)
        if proof is None:
            if parsed.by_id and self._has_foreign(read):
                return None
            self.counts.misses += 1
            self._deny("unmatched", parsed)
        if not self._cache.remember(self._cache.key(token), proof.client_id, proof.revision, proof.expires_at):
            return None
        self.counts.misses += 1
        self._note_seen(proof.client_id)
        return proof.client_id

    async def close(self) -> None:
        """Start no more checks, and wait for those in progress."""
        await self._chosen.close()
        await self._maintenance.close()

    async def _prove(self, key: bytes, token: bytes) -> str:
        """The id of the client that `token` belongs to, which is cached from here on."""
        parsed = parse(token)
        if parsed is None:
            self._deny("malformed", None)
        # Repeated if the client was revoked after its row was read: the new row shows the current state.
        for _ in range(_TRIES):
            proof = await self._check(key, token, parsed)
            if proof is None:
                self._deny("unmatched", parsed)
            if self._cache.remember(key, proof.client_id, proof.revision, proof.expires_at):
                return proof.client_id
        self.counts.put_off += 1
        raise CheckRationed("the client changes too fast")

    async def _check(self, key: bytes, token: bytes, parsed: ParsedToken) -> Proof | None:
        if is_generated_form(parsed.secret):
            return await self._check_generated(key, token, parsed)
        return await self._check_chosen(key, token, parsed)

    async def _check_chosen(self, key: bytes, token: bytes, parsed: ParsedToken) -> Proof | None:
        if self._cache.denied(key):
            self._deny("remembered", parsed)
        try:
            return await self._chosen.check(key, token, parsed)
        except CheckRationed:
            self.counts.put_off += 1
            raise

    async def _check_generated(self, key: bytes, token: bytes, parsed: ParsedToken) -> Proof | None:
        read = await self._matching.read(parsed, lambda: self._keyring.lookups(parsed.subject, parsed.secret))
        proof = self._generated(parsed, read)
        if proof is None and parsed.by_id and self._has_foreign(read):
            return await self._check_chosen(key, token, parsed)
        return proof

    def _generated(self, parsed: ParsedToken, read: SecretRead) -> Proof | None:
        """The proof of a generated secret; None if it is none of those that were read."""
        proof = self._matching.proof(parsed, read, lambda row: self._keyring.matches(row.hash, row.domain_id, parsed.secret))
        if proof is not None:
            self._maintenance.after_success(proof.row, parsed.secret)
        return proof

    def _has_foreign(self, read: SecretRead) -> bool:
        return any(is_foreign(row.hash) for row in self._matching.usable(read))

    def _deny(self, reason: str, parsed: ParsedToken | None) -> NoReturn:
        self.counts.denied[reason] += 1
        # What stands in place of an id may be a mistyped secret: no more is noted than that a name is unknown.
        self._note_denied(parsed.subject if parsed and parsed.by_id and is_uuid(parsed.subject) else "")
        raise CredentialsDenied(reason)
