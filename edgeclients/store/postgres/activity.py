"""When clients last authenticated, in a table that every process writes to."""

from collections.abc import Callable, Mapping

from edgeclients.store.activity import Activity
from edgeclients.store.postgres.connect import PostgresConnection
from edgeclients.store.postgres.pool import Pool

SHARED_SECONDS = 30.0  # maximum delay until other processes see what is in this one's memory

# In one order for all, so that no two processes deadlock; nothing is written for removed clients.
_SEEN = """
INSERT INTO last_seen (client_id, at)
SELECT c.id, seen.at FROM unnest($1::text[], $2::bigint[]) AS seen (client_id, at) JOIN clients c ON c.id = seen.client_id
ORDER BY c.id
ON CONFLICT (client_id) DO UPDATE SET at = greatest(last_seen.at, excluded.at)
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

    async def _write(self, news: Mapping[str, int | None]) -> None:
        seen = [(client_id, at) for client_id, at in news.items() if at is not None]  # rows of the others are deleted already
        if not seen:
            return

        async def work(connection: PostgresConnection) -> None:
            await connection.execute(_SEEN, [client_id for client_id, _ in seen], [at for _, at in seen])

        await self._pool.run(self._pool.changes, work)
