"""Which of the secrets that were read is the one presented."""

from collections.abc import Callable

from edgeclients.core.authn.maintenance import Upkeep
from edgeclients.core.authn.tokens import Presented, Proof
from edgeclients.model import SecretRead, SecretRow, Status
from edgeclients.ports import Store
from edgeclients.times import ends_at


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
        now = self._store.now()
        return [row for row in read.rows if row.status == Status.ENABLED and ((end := _end_of(row, now)) is None or end > now)]

    def proof(self, presented: Presented, read: SecretRead, matches: Callable[[SecretRow], bool]) -> Proof | None:
        """Whose secret `presented` is, if it is somebody's."""
        for row in self.usable(read):
            if (presented.by_id or row.domain_id == presented.subject) and matches(row):
                self._upkeep.after_success(row, presented.secret)
                return Proof(row.client_id, read.revision, _end_of(row, self._store.now()), row.hash)
        return None


def _end_of(row: SecretRow, now: int) -> int | None:
    if row.expires_at is None or row.retired_at is None:
        return row.expires_at
    return ends_at(row.retired_at, row.expires_at, row.counted_from, now)
