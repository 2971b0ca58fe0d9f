"""Which of the secrets that were read is the one presented."""

from collections.abc import Callable

from edgeclients.core.presented import Presented, Proof
from edgeclients.core.upkeep import Upkeep
from edgeclients.model import SecretRead, SecretRow, Status
from edgeclients.ports import Store


class Matching:
    """Finds the row that proves a token, among those that may be used now.

    Args:
        store: whose time counts.
        upkeep: what a success sets going.
    """

    def __init__(self, store: Store, upkeep: Upkeep) -> None:
        self._store = store
        self._upkeep = upkeep

    def usable(self, read: SecretRead) -> list[SecretRow]:
        """Secrets of enabled clients that have not expired."""
        latest = self._store.latest()
        return [
            row for row in read.rows if row.status == Status.ENABLED and (row.expires_at is None or row.expires_at > latest)
        ]

    def proof(self, presented: Presented, read: SecretRead, matches: Callable[[SecretRow], bool]) -> Proof | None:
        """Whose secret `presented` is, if it is somebody's."""
        for row in self.usable(read):
            if (presented.by_id or row.domain_id == presented.subject) and matches(row):
                self._upkeep.after_success(row, presented.secret)
                return Proof(row.client_id, read.revision, row.expires_at, row.hash)
        return None
