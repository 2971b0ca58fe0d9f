"""Secrets and their stored form (edgeclients/README.md#credentials).

A secret in the generated form (a random UUIDv4) is stored as a keyed hash. Any other secret was chosen by a person and is
stored as argon2id. The form of a presented secret decides which hash to compute. Nothing faster than argon2id is derived
from a chosen secret. Hashes of other systems are for both forms (`foreign.py`).
"""

import hmac
import re
import secrets
from base64 import b64decode, b64encode
from collections.abc import Sequence
from typing import NamedTuple, Self

from edgeclients.core import limits
from edgeclients.core.ids import new_uuid
from edgeclients.core.rules import check_text
from edgeclients.core.secrets.foreign import check_foreign, is_affordable, is_foreign, recipe_of_foreign
from edgeclients.core.secrets.recipe import DIGEST_BYTES, Recipe
from edgeclients.errors import InvalidSecret
from edgeclients.model import StoredSecret

_GENERATED = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_DIFFERENT_DIGITS = 8
_SCHEME = re.compile(r"m=([0-9]+),t=([0-9]+),p=([0-9]+),keyid=([0-9a-f]+)")
_HMAC = re.compile(r"\$hmac-sha256\$([0-9a-f]+)\$([0-9a-f]{64})")
_ARGON2 = re.compile(
    r"\$argon2id\$v=19\$(m=[0-9]+,t=[0-9]+,p=[0-9]+,keyid=[0-9a-f]+)\$([A-Za-z0-9+/]{22})\$([A-Za-z0-9+/]{43})"
)
_SALT_BYTES = 16


def generate() -> str:
    """A new secret: 122 random bits."""
    while not _is_varied(secret := new_uuid()):
        pass
    return secret


def is_generated_form(secret: str) -> bool:
    """Whether `secret` is a canonical UUIDv4 with at least 8 different hex digits."""
    return _GENERATED.fullmatch(secret) is not None and _is_varied(secret)


def _is_varied(secret: str) -> bool:
    return len(set(secret)) > _DIFFERENT_DIGITS  # one is the hyphen


def check_secret(secret: str, client_id: str, domain_id: str) -> None:
    """Raise `InvalidSecret` if `secret` is too long, white space only, or equals a public id."""
    check_text(secret)
    if secret.isspace():
        raise InvalidSecret("white space only")
    if len(secret) > limits.SECRET_BYTES or len(secret.encode()) > limits.SECRET_BYTES:
        raise InvalidSecret("too long")
    if secret in {client_id, domain_id}:
        raise InvalidSecret("equal to the client's or domain's id")


class Argon2(NamedTuple):
    """One argon2id parameter set under one pepper; its text is the parameter part of a PHC string."""

    memory_kib: int
    passes: int
    lanes: int
    key_id: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """The parameter set in the text made by `str`."""
        match = _SCHEME.fullmatch(text)
        if match is None:
            raise ValueError("not an argon2 scheme")
        return cls(int(match[1]), int(match[2]), int(match[3]), match[4])

    def __str__(self) -> str:
        return f"m={self.memory_kib},t={self.passes},p={self.lanes},keyid={self.key_id}"


class Pepper:
    """A key outside the database; without it the stored hashes are useless. Each purpose has its own sub-key."""

    def __init__(self, secret: bytes) -> None:
        self.key_id = hmac.digest(secret, b"edgeclients key id", "sha256").hex()[:8]
        self.check_value = hmac.digest(secret, b"edgeclients check value", "sha256")
        self._lookup = hmac.digest(secret, b"edgeclients K_lookup", "sha256")
        self._salt = hmac.digest(secret, b"edgeclients K_salt", "sha256")
        self._auth = hmac.digest(secret, b"edgeclients K_auth", "sha256")
        self.cache_key = hmac.digest(secret, b"edgeclients K_cache", "sha256")

    def digest(self, domain_id: str, secret: str) -> bytes:
        """The keyed hash of a generated secret: 1.5 µs."""
        return hmac.digest(self._lookup, f"{domain_id}\0{secret}".encode(), "sha256")

    def salt(self, domain_id: str) -> bytes:
        """The argon2 salt of a domain: common to the domain, so that a secret can be found by its hash."""
        return hmac.digest(self._salt, domain_id.encode(), "sha256")[:_SALT_BYTES]

    def token_digest(self, token: str) -> bytes:
        """The keyed hash of a local operator's token."""
        return hmac.digest(self._auth, token.encode("utf-8", "surrogateescape"), "sha256")


class Keyring:
    """The peppers in use, the one for new secrets first, and the argon2 parameters for new chosen secrets."""

    def __init__(self, peppers: Sequence[bytes], memory_kib: int, passes: int) -> None:
        self._peppers = {pepper.key_id: pepper for pepper in map(Pepper, peppers)}
        self._current = next(iter(self._peppers.values()))
        self.argon2 = Argon2(memory_kib, passes, 1, self._current.key_id)

    @property
    def key_id(self) -> str:
        """The key id of the pepper for new secrets."""
        return self._current.key_id

    @property
    def cache_key(self) -> bytes:
        """K_cache: the key for messages between processes with the same pepper."""
        return self._current.cache_key

    def check_values(self) -> dict[str, bytes]:
        """The check values that the database compares, by key id."""
        return {key_id: pepper.check_value for key_id, pepper in self._peppers.items()}

    def keep_generated(self, domain_id: str, secret: str) -> StoredSecret:
        """The stored form of a generated secret."""
        digest = self._current.digest(domain_id, secret)
        others = self.lookups(domain_id, secret)[1:] if len(self._peppers) > 1 else ()
        return StoredSecret(f"$hmac-sha256${self._current.key_id}${digest.hex()}", digest, None, others)

    def keep_chosen(self, domain_id: str, scheme: Argon2, digest: bytes, equivalents: Sequence[bytes]) -> StoredSecret:
        """The stored form of a chosen secret whose `digest` under `scheme` was computed."""
        stored = f"$argon2id$v=19${scheme}${_unpadded(self._salt(scheme, domain_id))}${_unpadded(digest)}"
        return StoredSecret(stored, digest, str(scheme), tuple(equivalents))

    def adopt(self, domain_id: str, stored: str) -> StoredSecret:
        """The stored form of a secret whose hash was written by an installation with one of these peppers, or elsewhere.

        Raises:
            InvalidSecret: it is no such hash, or that of another domain.
        """
        if is_foreign(stored):
            check_foreign(stored)
            return StoredSecret(stored, secrets.token_bytes(DIGEST_BYTES), None)  # no lookup finds it
        if (generated := _HMAC.fullmatch(stored)) is not None and generated[1] in self._peppers:
            return StoredSecret(stored, bytes.fromhex(generated[2]), None)
        if (chosen := _ARGON2.fullmatch(stored)) is not None:
            scheme = Argon2.parse(chosen[1])
            digest = b64decode(chosen[3] + "=")
            is_ours = self.usable(scheme) and chosen.group(2, 3) == (
                _unpadded(self._salt(scheme, domain_id)),
                _unpadded(digest),
            )
            if is_ours and is_affordable(scheme.memory_kib, scheme.passes, scheme.lanes):
                return StoredSecret(stored, digest, str(scheme))
        raise InvalidSecret("is no hash from this installation and domain, and no argon2id hash from elsewhere")

    def lookups(self, domain_id: str, secret: str) -> tuple[bytes, ...]:
        """The digests that a generated secret may be stored under, that of new secrets first."""
        return tuple(pepper.digest(domain_id, secret) for pepper in self._peppers.values())

    def keep_token(self, token: str) -> tuple[bytes, str]:
        """The stored form of a local operator's token: its digest, and the key id of the pepper."""
        return self._current.token_digest(token), self._current.key_id

    def token_digests(self, token: str) -> tuple[bytes, ...]:
        """The digests that a local operator's token may be stored under, that of new tokens first."""
        return tuple(pepper.token_digest(token) for pepper in self._peppers.values())

    def matches(self, stored: str, domain_id: str, secret: str) -> bool:
        """Whether `stored` is the hash of a generated `secret`."""
        algorithm, key_id, digest = _parts(stored)
        if algorithm != "hmac-sha256" or (pepper := self._peppers.get(key_id)) is None:
            return False
        return hmac.compare_digest(pepper.digest(domain_id, secret).hex(), digest)

    @staticmethod
    def matches_chosen(stored: str, digest: bytes) -> bool:
        """Whether `digest` is the argon2 hash in `stored`."""
        algorithm, _, text = _parts(stored)
        return algorithm == "argon2id" and hmac.compare_digest(text, _unpadded(digest))

    def recipe(self, scheme: Argon2, domain_id: str) -> Recipe:
        """How to compute the digest of a secret of a domain; the pepper of `scheme` is configured."""
        return Recipe(scheme.memory_kib, scheme.passes, scheme.lanes, self._salt(scheme, domain_id))

    def recipe_of(self, stored: str, domain_id: str) -> Recipe | None:
        """How to compute what to compare with an argon2 hash; None if it is none, or its pepper is not configured."""
        if is_foreign(stored):
            return recipe_of_foreign(stored)
        scheme = scheme_of(stored)
        return self.recipe(scheme, domain_id) if scheme and self.usable(scheme) else None

    def usable(self, scheme: Argon2) -> bool:
        """Whether the pepper of `scheme` is configured."""
        return scheme.key_id in self._peppers

    def is_outdated(self, stored: str) -> bool:
        """Whether a hash was made with another pepper or other parameters than the current ones, or elsewhere."""
        algorithm, parameters, _ = _parts(stored)
        return parameters != (self._current.key_id if algorithm == "hmac-sha256" else str(self.argon2))

    def _salt(self, scheme: Argon2, domain_id: str) -> bytes:
        return self._peppers[scheme.key_id].salt(domain_id)


def scheme_of(stored: str) -> Argon2 | None:
    """The argon2 scheme of a hash; None for a generated secret, and for a hash from elsewhere."""
    algorithm, parameters, _ = _parts(stored)
    return Argon2.parse(parameters) if algorithm == "argon2id" and not is_foreign(stored) else None


def _parts(stored: str) -> tuple[str, str, str]:
    """Algorithm, parameters and digest of `$hmac-sha256$<key id>$<hex>` or `$argon2id$v=19$<parameters>$<salt>$<digest>`."""
    parts = stored.split("$")
    return (parts[1], parts[2], parts[3]) if parts[1] == "hmac-sha256" else (parts[1], parts[3], parts[5])


def _unpadded(data: bytes) -> str:
    """Base64 without padding, as in PHC strings."""
    return b64encode(data).decode().rstrip("=")
