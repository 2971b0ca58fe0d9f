"""How far the outbox has been sent, and who holds the lease: reads by key, and the changes of a unit of work."""

import sqlite3
from collections.abc import Sequence

import msgspec
from typing_extensions import override

from edgeclients.model import Gap, OutboxState
from edgeclients.ports import OutboxTransaction
from edgeclients.store.rows import outbox_state, to_outbox_state
from edgeclients.store.sqlite.rows import fetch
from edgeclients.times import DAY, SECOND

GAP = {
    "gap_rows": "gap_rows + outbox_unkept",
    "gap_first": "iif(gap_rows = 0 AND outbox_unkept > 0, outbox_seq - outbox_unkept + 1, gap_first)",
    "gap_last": "iif(outbox_unkept > 0, outbox_seq, gap_last)",
}
"""The SQL of the unreported gap, with the events that were not kept: of `relay` and `store_state`."""

_STATE = outbox_state(", ".join(GAP.values()))
_REMOVE = "DELETE FROM outbox WHERE seq IN (SELECT value FROM json_each(?)) RETURNING seq, length(payload)"


def state(connection: sqlite3.Connection) -> OutboxState:
    """`ports.OutboxStore.outbox_state`."""
    return to_outbox_state(fetch(connection, _STATE, ())[0])


def note_dropped(connection: sqlite3.Connection, gap: Gap) -> None:
    """Extend the unreported gap by `gap`, which is newer than all of it."""
    connection.execute(
        "UPDATE relay SET gap_first = iif(gap_rows = 0, ?, gap_first), gap_last = ?, gap_rows = gap_rows + ? WHERE id = 1",
        (gap.first, gap.last, gap.count),
    )


class SqliteRelay(OutboxTransaction):
    """`ports.OutboxTransaction` on the writer's connection."""

    _connection: sqlite3.Connection
    now: int

    @override
    async def lease_outbox(self, owner: str, seconds: int) -> bool:
        done = self._connection.execute(
            "UPDATE relay SET lease_owner = ?1, lease_until = ?3 + ?2"
            # A lease that ends more than a day from now was taken while the clock was ahead.
            " WHERE id = 1 AND (lease_owner IS NULL OR lease_owner = ?1 OR lease_until NOT BETWEEN ?3 + 1 AND ?3 + ?4)",
            (owner, seconds * SECOND, self.now, DAY),
        )
        return done.rowcount == 1

    @override
    async def release_outbox(self, owner: str) -> None:
        self._connection.execute("UPDATE relay SET lease_owner = NULL WHERE id = 1 AND lease_owner = ?", (owner,))

    @override
    async def remove_sent(self, numbers: Sequence[int], gap: Gap | None = None) -> None:
        if numbers:
            self._remove(numbers)
        if gap is not None:
            self._shrink_gap(gap.count, gap.last)

    def _remove(self, numbers: Sequence[int]) -> None:
        removed = self._connection.execute(_REMOVE, (msgspec.json.encode(numbers).decode(),)).fetchall()
        self._connection.execute(
            "UPDATE store_state SET outbox_rows = outbox_rows - ?, outbox_bytes = outbox_bytes - ? WHERE id = 1",
            (len(removed), sum(length for _, length in removed)),
        )
        self._connection.execute(
            "UPDATE relay SET sent_through = max(sent_through, ?), sent_at = ? WHERE id = 1", (max(numbers), self.now)
        )
        if len(removed) < len(numbers):
            self._subtract_sent(set(numbers).difference(seq for seq, _ in removed))

    def _subtract_sent(self, missing: set[int]) -> None:
        """Subtract from the dropped events those that had been sent or removed before."""
        gap = state(self._connection).gap
        dropped = [number for number in missing if gap is not None and gap.first <= number <= gap.last]
        if dropped:
            self._connection.execute("UPDATE store_state SET outbox_lost = outbox_lost - ? WHERE id = 1", (len(dropped),))
            self._shrink_gap(len(dropped), max(dropped))

    def _shrink_gap(self, count: int, through: int) -> None:
        """Take `count` events, up to number `through`, from the front of the gap."""
        self._connection.execute(
            "UPDATE relay SET gap_rows = max(0, gap_rows - ?1), gap_first = max(gap_first, ?2 + 1) WHERE id = 1",
            (count, through),
        )
