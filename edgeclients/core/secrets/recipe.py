"""What argon2id takes besides a secret."""

from typing import NamedTuple

DIGEST_BYTES = 32


class Recipe(NamedTuple):
    """The parameters of argon2id, and the salt."""

    memory_kib: int
    passes: int
    lanes: int
    salt: bytes

    def digest(self, secret: str) -> bytes:
        """The raw hash: takes 23 ms and `memory_kib` of memory, so not to be called in the event loop."""
        from argon2.low_level import Type, hash_secret_raw

        return hash_secret_raw(secret.encode(), self.salt, self.passes, self.memory_kib, self.lanes, DIGEST_BYTES, Type.ID)
