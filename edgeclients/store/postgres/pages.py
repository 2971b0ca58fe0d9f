"""A page of rows and the total, in one statement and therefore in one snapshot."""

from collections.abc import Sequence
from typing import Any

from edgeclients.store.clause import Clause
from edgeclients.store.postgres.connect import PostgresConnection


async def counted(connection: PostgresConnection, total: Clause, items: Clause) -> tuple[int, list[Sequence[Any]]]:
    """The total and the rows of `items`, in their order."""
    # The LEFT JOIN returns the total even if the page has no row.
    rows = await rows_of(
        connection,
        Clause(
            f"SELECT total.n, page.place, page.* FROM ({total.sql}) total (n) LEFT JOIN "
            f"(SELECT row_number() OVER () AS place, found.* FROM ({items.sql}) found) page ON TRUE ORDER BY page.place",
            (*total.parameters, *items.parameters),
        ),
    )
    return rows[0][0], [tuple(row)[3:] for row in rows if row[1] is not None]


async def rows_of(connection: PostgresConnection, clause: Clause) -> list[Sequence[Any]]:
    """The rows of one statement."""
    return await connection.fetch(clause.numbered(), *clause.parameters)
