"""Finds the stored secret that was presented."""

from collections.abc import Callable, Sequence

from edgeclients.core.authn.tokens import ParsedToken, Proof
from edgeclients.model import SecretRead, SecretRow, Status
from edgeclients.ports import Store
from edgeclients.times import ends_at


class Matching:
    """Reads the candidate secrets of a token, and finds the matching one.

    Args:
        store: the secrets, and the time for checking expiry.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    async def find(
        self, token: ParsedToken, digests: Callable[[], Sequence[bytes]], matches: Callable[[SecretRow], bool]
    ) -> Proof | None:
        """The proof of `token` as of now; None if no secret matches.

        Args:
            token: a token that names a client, or a domain.
            digests: returns the lookup digests, for a token that names a domain.
            matches: whether a stored secret is the presented one.
        """
        return self.proof(token, await self.read(token, digests), matches)

    async def find_of(self, client_id: str, token: ParsedToken, matches: Callable[[SecretRow], bool]) -> Proof | None:
        """The proof of `token` as of now, where the client is known."""
        return self.proof(token, await self._store.secrets_of(client_id), matches)

    async def read(self, token: ParsedToken, digests: Callable[[], Sequence[bytes]]) -> SecretRead:
        """The secrets that `token` may be about; `digests` as in `find`."""
        if token.by_id:
            return await self._store.secrets_of(token.subject)
        return await self._store.secrets_by_lookup(digests())

    def read_at_once(self, token: ParsedToken, digests: Callable[[], Sequence[bytes]]) -> SecretRead | None:
        """The result of `read`, if that needs no waiting; else None."""
        if token.by_id:
            return self._store.secrets_of_at_once(token.subject)
        return self._store.secrets_by_lookup_at_once(digests())

    async def usable_of(self, client_id: str) -> list[SecretRow]:
        """The secrets of a client that are valid now."""
        return self.usable(await self._store.secrets_of(client_id))

    def proof(self, token: ParsedToken, read: SecretRead, matches: Callable[[SecretRow], bool]) -> Proof | None:
        """The proof of `token` by one of the secrets that were read; None if none matches."""
        for row in self.usable(read):
            if (token.by_id or row.domain_id == token.subject) and matches(row):
                return Proof(row, read.revision, _end_of(row, self._store.now()))
        return None

    def usable(self, read: SecretRead) -> list[SecretRow]:
        """Secrets of enabled clients that have not expired."""
        now = self._store.now()
        return [row for row in read.rows if row.status == Status.ENABLED and ((end := _end_of(row, now)) is None or end > now)]


def _end_of(row: SecretRow, now: int) -> int | None:
    if row.expires_at is None or row.retired_at is None:
        return row.expires_at
    return ends_at(row.retired_at, row.expires_at, row.counted_from, now)
