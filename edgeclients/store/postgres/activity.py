"""When clients last proved themselves, in a table that every process writes to."""

from collections.abc import Callable, Mapping

from edgeclients.store.activity import Activity
from edgeclients.store.postgres.connect import PostgresConnection
from edgeclients.store.postgres.pool import Pool

SHARED_SECONDS = 30.0  # others see what is in this process's memory no later

# In one order for all, so that no two processes wait for each other; of clients that are no more nothing is kept.
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
        seconds: how often what is new is written.
        now: the store's time.
    """

    def __init__(self, pool: Pool, seconds: float, now: Callable[[], int]) -> None:
        super().__init__(seconds, now)
        self._pool = pool

    async def _write(self, news: Mapping[str, int | None]) -> None:
        seen = [(client_id, at) for client_id, at in news.items() if at is not None]  # of the others the rows have gone already
        if not seen:
            return

        async def work(connection: PostgresConnection) -> None:
            await connection.execute(_SEEN, [client_id for client_id, _ in seen], [at for _, at in seen])

        await self._pool.run(self._pool.changes, work)
