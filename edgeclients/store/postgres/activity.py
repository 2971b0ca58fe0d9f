"""When clients last authenticated, and denied logins, in tables that every process writes to."""

from collections.abc import Callable, Mapping, Sequence

from typing_extensions import override

from edgeclients.store.activity import Activity
from edgeclients.store.denials import RING_ROWS, Denied, Found
from edgeclients.store.journal import REMOVE
from edgeclients.store.postgres.connect import PostgresConnection
from edgeclients.store.postgres.pool import Pool
from edgeclients.store.postgres.rows import key

SHARED_SECONDS = 30.0  # maximum delay until other processes see what is in this one's memory

# In one order for all, so that no two processes deadlock; nothing is written for removed clients.
_SEEN = """
INSERT INTO last_seen (client_id, at)
SELECT c.id, seen.at FROM unnest($1::text[], $2::bigint[]) AS seen (client_id, at) JOIN clients c ON c.id = seen.client_id
ORDER BY c.id
ON CONFLICT (client_id) DO UPDATE SET at = greatest(last_seen.at, excluded.at)
"""

_DENIED = """
INSERT INTO denials (hour, client_id, domain_id, count, at, n)
SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[])
    AS new (hour, client_id, domain_id, times, at, n)
ORDER BY hour, client_id
ON CONFLICT (hour, client_id) DO UPDATE SET count = denials.count + excluded.count, at = greatest(denials.at, excluded.at)
"""
_FIND = f"""
SELECT wanted.name, coalesce(c.domain_id, j.domain_id)
FROM unnest($1::text[]) AS wanted (name)
LEFT JOIN clients c ON c.id = wanted.name
LEFT JOIN LATERAL (
    SELECT domain_id FROM journal
    WHERE client_id = wanted.name AND client_id <> '' AND operation = '{REMOVE}' ORDER BY ring, n DESC LIMIT 1
) j ON c.id IS NULL
WHERE coalesce(c.domain_id, j.domain_id) IS NOT NULL
"""
_TRIM_DENIALS = f"""
DELETE FROM denials WHERE (hour, client_id) IN (
    SELECT hour, client_id FROM denials ORDER BY hour DESC, client_id DESC OFFSET {RING_ROWS}
    FOR UPDATE SKIP LOCKED
)
"""


class PostgresActivity(Activity):
    """See `store.activity`.

    Args:
        pool: of connections.
        seconds: the interval of writing.
        now: the store's time.
    """

    def __init__(self, pool: Pool, seconds: float, now: Callable[[], int]) -> None:
        super().__init__(seconds, now)
        self._pool = pool

    @override
    async def _write(self, news: Mapping[str, int | None], denied: Sequence[Denied]) -> None:
        seen = [(client_id, at) for client_id, at in news.items() if at is not None]  # rows of the others are deleted already

        async def work(connection: PostgresConnection) -> None:
            if seen:
                await connection.execute(_SEEN, [client_id for client_id, _ in seen], [at for _, at in seen])
            if denied:
                await connection.execute(_TRIM_DENIALS)
                # Last: after a failure all is written again, and these are added to what is there.
                await connection.execute(_DENIED, *map(list, zip(*denied, strict=True)))

        if seen or denied:
            await self._pool.run(self._pool.changes, work)

    @override
    async def _find(self, names: Sequence[str]) -> Found:
        async def work(connection: PostgresConnection) -> Found:
            newest = await connection.fetchval("SELECT last_value FROM journal_n")
            return Found(dict(await connection.fetch(_FIND, list(map(key, names)))), newest)

        return await self._pool.run(self._pool.reads, work)
