"""How far the outbox has been sent, and who holds the lease.

Every change locks the store's one row first, as every commit with events does: so all transactions lock the two rows in
the same order.
"""

from collections.abc import Sequence

from typing_extensions import override

from edgeclients.model import Gap, OutboxState
from edgeclients.ports import OutboxTransaction
from edgeclients.store.postgres.connect import Statements
from edgeclients.store.postgres.rows import NOW
from edgeclients.store.rows import outbox_state, to_outbox_state
from edgeclients.times import DAY

_STATE = outbox_state()
_LOCK = "SELECT FROM store_state WHERE id = 1 FOR UPDATE"

# By the server's clock. A lease that ends more than a day from now was taken while that clock was ahead.
_LEASE = f"""
UPDATE relay SET lease_owner = $1, lease_until = {NOW} + $2::bigint * 1000000
WHERE id = 1 AND (
    lease_owner IS NULL OR lease_owner = $1 OR lease_until NOT BETWEEN {NOW} + 1 AND {NOW} + {DAY}
) RETURNING 1
"""

_NOTE_DROPPED = """
UPDATE relay SET gap_first = CASE WHEN gap_rows = 0 THEN $1 ELSE gap_first END, gap_last = $2, gap_rows = gap_rows + $3
WHERE id = 1
"""


async def state(connection: Statements) -> OutboxState:
    """`ports.OutboxStore.outbox_state`."""
    row = await connection.fetchrow(_STATE)
    if row is None:
        raise RuntimeError("relay has lost its row")
    return to_outbox_state(row)


async def note_dropped(connection: Statements, gap: Gap) -> None:
    """Extend the unreported gap by `gap`, which is newer than all of it."""
    await connection.execute(_NOTE_DROPPED, gap.first, gap.last, gap.count)


class PostgresRelay(OutboxTransaction):
    """`ports.OutboxTransaction` on one connection."""

    _connection: Statements
    now: int

    @override
    async def lease_outbox(self, owner: str, seconds: int) -> bool:
        await self._connection.execute(_LOCK)
        return bool(await self._connection.fetch(_LEASE, owner, seconds))

    @override
    async def release_outbox(self, owner: str) -> None:
        await self._connection.execute(_LOCK)
        await self._connection.execute("UPDATE relay SET lease_owner = NULL WHERE id = 1 AND lease_owner = $1", owner)

    @override
    async def remove_sent(self, numbers: Sequence[int], gap: Gap | None = None) -> None:
        await self._connection.execute(_LOCK)
        if numbers:
            await self._remove(numbers)
        if gap is not None:
            await self._shrink_gap(gap.count, gap.last)

    async def _remove(self, numbers: Sequence[int]) -> None:
        removed = await self._connection.fetch(
            "DELETE FROM outbox WHERE seq = ANY ($1) RETURNING seq, length(payload)", numbers
        )
        await self._connection.execute(
            "UPDATE store_state SET outbox_rows = outbox_rows - $1, outbox_bytes = outbox_bytes - $2 WHERE id = 1",
            len(removed),
            sum(length for _, length in removed),
        )
        await self._connection.execute(
            "UPDATE relay SET sent_through = greatest(sent_through, $1), sent_at = $2 WHERE id = 1", max(numbers), self.now
        )
        if len(removed) < len(numbers):
            await self._subtract_sent(set(numbers).difference(seq for seq, _ in removed))

    async def _subtract_sent(self, missing: set[int]) -> None:
        """Subtract from the dropped events those that had been sent or removed before."""
        gap = (await state(self._connection)).gap
        dropped = [number for number in missing if gap is not None and gap.first <= number <= gap.last]
        if dropped:
            await self._connection.execute("UPDATE store_state SET outbox_lost = outbox_lost - $1 WHERE id = 1", len(dropped))
            await self._shrink_gap(len(dropped), max(dropped))

    async def _shrink_gap(self, count: int, through: int) -> None:
        """Take `count` events, up to number `through`, from the front of the gap."""
        await self._connection.execute(
            "UPDATE relay SET gap_rows = greatest(0, gap_rows - $1), gap_first = greatest(gap_first, $2 + 1) WHERE id = 1",
            count,
            through,
        )
