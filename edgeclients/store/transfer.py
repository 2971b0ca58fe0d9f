"""Copies a store to one of another engine: its rows in a form that both engines share, compared afterwards.

Derived rows (those that lists search by) are not copied: the target makes its own.
"""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import NamedTuple, Protocol, TypeAlias

from edgeclients.errors import StartError

BATCH = 100  # rows; a client can have 128 KiB of metadata, and a gateway 256 MB of memory

Row: TypeAlias = tuple[object, ...]
"""Values in the order of a table's columns: texts, numbers, bytes, None; tags are a tuple, metadata is its JSON text."""


class Table(NamedTuple):
    """A table: its columns, those of its primary key first."""

    name: str
    columns: tuple[str, ...]
    keys: int

    @property
    def order(self) -> str:
        """The columns of the primary key."""
        return ", ".join(self.columns[: self.keys])


def _table(name: str, columns: str, keys: int = 1) -> Table:
    return Table(name, tuple(columns.split()), keys)


CLIENTS = _table(
    "clients",
    "id domain_id status secret secret_lookup secret_scheme name name_folded tags identity external_id parent_group_id"
    " created_at updated_at changed_at updated_by metadata private_metadata",
)
LAST_SEEN = _table("last_seen", "client_id at")
DENIALS = _table("denials", "hour client_id domain_id count at n", keys=2)
JOURNAL = _table("journal", "ring n at operation domain_id client_id user_id attributes", keys=2)
STATE = _table(
    "store_state",
    "id revision newest_at steady_since outbox_seq outbox_rows outbox_bytes outbox_lost outbox_lost_through"
    " journal_rows journal_bytes journal_short_rows journal_short_bytes",
)

CONTENT = (
    _table("peppers", "key_id check_value created_at"),
    CLIENTS,
    _table(
        "secret_retirements", "lookup client_id domain_id secret secret_scheme expires_at last_used_at retired_at counted_from"
    ),
    _table("connections", "channel_id domain_id client_id type", keys=4),
    _table("clients_roles", "entity_id name id actions created_at created_by updated_at updated_by", keys=2),
    _table("clients_role_members", "entity_id member_id role_id", keys=2),
    LAST_SEEN,
    _table("operators", "id name created_at"),
    _table("operator_domains", "operator_id domain_id standing", keys=2),
    _table("operator_tokens", "digest key_id operator_id name created_at expires_at last_used_at counted_from"),
    _table("imports", "domain_id source line finished", keys=2),
    _table("revocations", "revision client_id at"),
    _table("outbox", "seq stream client_id payload occurred_at"),
    JOURNAL,
    DENIALS,
)
"""Tables without rows in an empty store; each after those it refers to."""

# The lease is not copied: no process sends events from the target.
SEEDED = (_table("relay", "id store_id sent_through sent_at gap_rows gap_first gap_last"), STATE)
"""Tables with one row in every store."""

EMPTY_STATE: Row = (1, *(0,) * (len(STATE.columns) - 1))


class Origin(Protocol):
    """A store that does not change during the copy."""

    def rows(self, table: Table) -> AsyncGenerator[Sequence[Row], None]:
        """All rows of a table in the order of its key, `BATCH` at a time; close the generator.

        Raises:
            StartError: they cannot be read.
        """


class Target(Origin, Protocol):
    """A store with an open transaction."""

    async def write(self, table: Table, rows: Sequence[Row]) -> None:
        """Add rows to a table.

        Raises:
            StartError: they cannot be written.
        """

    async def clear(self, table: Table) -> None:
        """Delete the row of one of `SEEDED`."""


async def check_empty(target: Origin, place: str) -> None:
    """Return if `target` has always been empty.

    Raises:
        StartError: it has held something.
    """
    for table in (one for one in (*CONTENT, STATE) if one not in {LAST_SEEN, DENIALS}):  # in a file of their own
        async with aclosing(target.rows(table)) as found:
            if await anext(found, [EMPTY_STATE]) != [EMPTY_STATE]:
                raise StartError(f"{place} is not empty ({table.name}): move into a new one")


async def copy(origin: Origin, target: Target) -> dict[str, int]:
    """Copy every row to an empty store, and compare each copy with the original.

    Returns:
        The number of rows by table.

    Raises:
        StartError: rows cannot be read or written, or a copy differs.
    """
    for table in SEEDED:
        await target.clear(table)
    for table in (*CONTENT, *SEEDED):
        async with aclosing(origin.rows(table)) as batches:
            async for rows in batches:
                await target.write(table, rows)
    return {table.name: await _compared(table, origin, target) for table in (*CONTENT, *SEEDED)}


async def _compared(table: Table, origin: Origin, target: Origin) -> int:
    count = 0
    async with aclosing(origin.rows(table)) as batches, aclosing(target.rows(table)) as copied:
        async for rows in batches:
            if rows != await anext(copied, []):
                raise _differs(table)
            count += len(rows)
        if await anext(copied, None) is not None:
            raise _differs(table)
    return count


def _differs(table: Table) -> StartError:
    return StartError(f"the copy of {table.name} differs from the original: nothing was moved")
