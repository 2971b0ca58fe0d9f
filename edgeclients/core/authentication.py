"""`Authenticate`: whose token is this? Free of any transport (design 3).

A hit costs a keyed hash and a look into the cache. On a miss the token is unpacked, one indexed read finds the secrets it
could be, and the secret's form says which hash to compute. Every failure is `CredentialsDenied`: no oracle.
"""

import asyncio
import binascii
import logging
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, NamedTuple

from edgeclients.core import limits
from edgeclients.core.credentials import Argon2, Keyring, is_generated_form, scheme_of
from edgeclients.core.hashing import HashLane
from edgeclients.errors import CredentialsDenied, DomainError
from edgeclients.model import SecretRead, SecretRow, Status
from edgeclients.ports import Store, TokenCache, Transaction

_log = logging.getLogger(__name__)

_BASIC, _DOMAIN = b"Basic", b"Domain"
_REFRESHING = 32  # background rewrites at a time; beyond, the next use will do


class Presented(NamedTuple):
    """What a token says: a secret, of a client (`Basic`) or of some client of a domain (`Domain`)."""

    by_id: bool
    subject: str
    secret: str


class Counts:
    """How often `authenticate` went which way, since the start."""

    __slots__ = ("denied", "hits", "misses", "remembered_denials")

    def __init__(self) -> None:
        self.hits = self.misses = self.denied = self.remembered_denials = 0


def unpack(token: bytes) -> Presented | None:
    """What `token` says (contract 5.3): prefix, base64 without a space between, cut at the first colon.

    None for anything else.
    """
    if len(token) > limits.TOKEN_BYTES:
        return None
    if token.startswith(_BASIC):
        by_id, text = True, token[len(_BASIC) :]
    elif token.startswith(_DOMAIN):
        by_id, text = False, token[len(_DOMAIN) :]
    else:
        return None
    try:
        payload = binascii.a2b_base64(text.replace(b"\r", b"").replace(b"\n", b""), strict_mode=True).decode()
    except ValueError:  # binascii.Error and UnicodeDecodeError both are
        return None
    subject, colon, secret = payload.partition(":")
    return Presented(by_id, subject, secret) if colon and secret else None


class Authentication:
    """Answers whose token it is.

    Args:
        store: where secrets are.
        cache: recent answers.
        keyring: the peppers.
        checks: the lane for chosen secrets that are presented.
        writes: the lane for hashes that are to be stored.
    """

    def __init__(self, store: Store, cache: TokenCache, keyring: Keyring, checks: HashLane, writes: HashLane) -> None:
        self._store = store
        self._cache = cache
        self._keyring = keyring
        self._checks = checks
        self._writes = writes
        self._background: set[asyncio.Task[None]] = set()
        self.counts = Counts()

    async def authenticate(self, token: bytes) -> str:
        """The id of the client that `token` proves.

        Raises:
            CredentialsDenied: it proves nobody.
            CheckRationed: too many chosen secrets are being checked.
            Unavailable, Busy: the storage cannot answer.
        """
        key = self._cache.key(token)
        client_id = self._cache.hit(key)
        if client_id is not None:
            self.counts.hits += 1
            return client_id
        self.counts.misses += 1
        presented = unpack(token)
        if presented is None:
            client_id = None
        elif is_generated_form(presented.secret):
            client_id = await self._check_generated(key, presented)
        else:
            client_id = await self._check_chosen(key, presented)
        if client_id is None:
            self.counts.denied += 1
            raise CredentialsDenied
        return client_id

    async def close(self) -> None:
        """Wait for what was started in the background."""
        if self._background:
            await asyncio.wait(self._background)

    async def _check_generated(self, key: bytes, presented: Presented) -> str | None:
        if presented.by_id:
            read = await self._store.secrets_of(presented.subject)
        else:
            read = await self._store.secrets_by_lookup(self._keyring.lookups(presented.subject, presented.secret))
        return self._decide(key, presented, read, lambda row: self._keyring.matches(row.hash, row.domain_id, presented.secret))

    async def _check_chosen(self, key: bytes, presented: Presented) -> str | None:
        if self._cache.denied(key):
            self.counts.remembered_denials += 1
            return None
        generation = self._cache.generation()
        tried: set[tuple[Argon2, str]] = set()
        # Again until nothing is left to try: while one hash was computed, the secret may have been moved to another scheme.
        while untried := await self._candidates(presented) - tried:
            for scheme, domain_id in untried:
                tried.add((scheme, domain_id))
                digest = await self._checks.digest(scheme, domain_id, presented.secret)
                client_id = self._cache.hit(key) or await self._compare(key, presented, scheme, domain_id, digest)
                if client_id is not None:
                    return client_id
        self._cache.deny(key, generation)
        return None

    async def _compare(self, key: bytes, presented: Presented, scheme: Argon2, domain_id: str, digest: bytes) -> str | None:
        """Look for the digest among what the store says now: computing it took its time."""
        if presented.by_id:
            read = await self._store.secrets_of(presented.subject)
        else:
            read = await self._store.secrets_by_lookup([digest])
        return self._decide(key, presented, read, _chosen_match(scheme, domain_id, digest))

    async def _candidates(self, presented: Presented) -> set[tuple[Argon2, str]]:
        """The argon2 schemes under which the secret may be kept, each with the domain whose salt it takes."""
        if presented.by_id:
            rows = self._alive((await self._store.secrets_of(presented.subject)).rows)
            found = {(scheme, row.domain_id) for row in rows if (scheme := scheme_of(row.hash))}
        else:
            found = {(Argon2.parse(text), presented.subject) for text in await self._store.schemes(presented.subject)}
        return {(scheme, domain_id) for scheme, domain_id in found if self._keyring.usable(scheme)}

    def _decide(self, key: bytes, presented: Presented, read: SecretRead, matches: Callable[[SecretRow], bool]) -> str | None:
        """The client whose secret `presented` matches, remembered; None if there is none."""
        for row in self._alive(read.rows):
            if (presented.by_id or row.domain_id == presented.subject) and matches(row):
                self._cache.remember(key, row.client_id, read.revision, row.expires_at)
                self._after_success(row, presented.secret)
                return row.client_id
        return None

    def _alive(self, rows: Iterable[SecretRow]) -> list[SecretRow]:
        latest = self._store.latest()
        return [row for row in rows if row.status == Status.ENABLED and (row.expires_at is None or row.expires_at > latest)]

    def _after_success(self, row: SecretRow, secret: str) -> None:
        if row.expires_at is not None:
            self._start(self._touch(row))
        elif self._keyring.is_outdated(row.hash):
            self._start(self._refresh(row, secret))

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        if len(self._background) >= _REFRESHING:
            work.close()
            return
        task = asyncio.get_running_loop().create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _touch(self, row: SecretRow) -> None:
        await self._try(lambda tx: tx.touch_retirement(row.client_id, row.hash))

    async def _refresh(self, row: SecretRow, secret: str) -> None:
        """Keep the secret under the present pepper and parameters from now on."""
        scheme = self._keyring.argon2
        if scheme_of(row.hash) is None:
            kept = self._keyring.keep_generated(row.domain_id, secret)
        else:
            try:
                digest = await self._writes.digest(scheme, row.domain_id, secret)
            except DomainError:
                return
            kept = self._keyring.keep_chosen(row.domain_id, scheme, digest, ())

        async def unit(tx: Transaction) -> None:
            client = await tx.client(row.client_id)
            if client is not None and (await tx.secret(client.id)).hash == row.hash:
                await tx.set_secret(client, kept)

        await self._try(unit)

    async def _try(self, unit: Callable[[Transaction], Coroutine[Any, Any, None]]) -> None:
        """Run a unit nobody waits for: if it fails, the next use of the secret tries again."""
        try:
            await self._store.run(unit)
        except DomainError as error:
            _log.info("secret upkeep put off", extra={"error": type(error).__name__})


def _chosen_match(scheme: Argon2, domain_id: str, digest: bytes) -> Callable[[SecretRow], bool]:
    """Whether a row is the hash `digest`, made under this scheme in this domain."""
    return lambda row: row.domain_id == domain_id and scheme_of(row.hash) == scheme and Keyring.matches_chosen(row.hash, digest)
