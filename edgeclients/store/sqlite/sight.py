"""Pages in the order of when clients were last seen.

Times are in a file with an index of its own, and the newest of them in memory. So a page is made of three parts: those with
newer times, those with written times, and those that were never seen; the last come first if the order ascends.
"""

from collections.abc import Mapping

import aiosqlite

from edgeclients.store.clause import Clause
from edgeclients.store.sqlite.filters import WRITTEN
from edgeclients.store.sqlite.ids import uuid_bytes
from edgeclients.store.sqlite.matches import Matches
from edgeclients.store.sqlite.scanner import rows

_NEWER = f"""
SELECT c.n, max(t.at, coalesce({WRITTEN}, t.at)) AS at, c.id FROM temp.seen t CROSS JOIN client_rows c ON c.id = t.id
WHERE t.at IS NOT NULL AND {{where}}
"""
_IN_FILE = """
SELECT c.n, s.at, c.id FROM activity.seen_rows s CROSS JOIN client_rows c ON c.id = s.id
WHERE NOT EXISTS (SELECT 1 FROM temp.seen t WHERE t.id = s.id) AND {where}
ORDER BY s.at {direction}, s.id {direction} LIMIT ?
"""
_NEVER = """
SELECT c.n FROM client_rows c WHERE {where}
AND NOT EXISTS (SELECT 1 FROM temp.seen t WHERE t.id = c.id AND t.at IS NOT NULL)
AND (EXISTS (SELECT 1 FROM temp.seen t WHERE t.id = c.id) OR NOT EXISTS (SELECT 1 FROM activity.seen_rows s WHERE s.id = c.id))
ORDER BY c.id {direction} LIMIT ?
"""


async def write_newer(connection: aiosqlite.Connection, newer: Mapping[str, int | None]) -> None:
    """Copy the times in memory to a temporary table, for the statements of this transaction."""
    await connection.execute("CREATE TEMP TABLE IF NOT EXISTS seen (id BLOB NOT NULL PRIMARY KEY, at INTEGER) WITHOUT ROWID")
    await connection.execute("DELETE FROM temp.seen")
    values = [(uuid_bytes(client_id), at) for client_id, at in newer.items()]
    await connection.executemany("INSERT INTO temp.seen VALUES (?, ?)", values)


async def page(connection: aiosqlite.Connection, matches: Matches) -> list[int]:
    """The numbers of a page's clients, in order."""
    wanted = matches.wanted
    end = wanted.offset + wanted.limit
    seen, never = (_seen, _never) if wanted.descending else (_never, _seen)
    found = await rows(connection, seen(matches, end))
    if len(found) < end:
        found += await rows(connection, never(matches, end - len(found)))
    return [number for number, *_ in found[wanted.offset :]]


def _seen(matches: Matches, limit: int) -> Clause:
    where, parameters = matches.where()
    direction = _direction(matches)
    newer, in_file = _NEWER.format(where=where), _IN_FILE.format(where=where, direction=direction)
    return Clause(
        f"SELECT * FROM ({newer}) UNION ALL SELECT * FROM ({in_file}) ORDER BY 2 {direction}, 3 {direction} LIMIT ?",
        (*parameters, *parameters, limit, limit),
    )


def _never(matches: Matches, limit: int) -> Clause:
    where, parameters = matches.where()
    return Clause(_NEVER.format(where=where, direction=_direction(matches)), (*parameters, limit))


def _direction(matches: Matches) -> str:
    return "DESC" if matches.wanted.descending else "ASC"
