"""Clients for other services, which do not authenticate (schema/README.md#entities)."""

from collections.abc import Sequence

from edgeclients.core import limits
from edgeclients.core.rules import is_uuid
from edgeclients.errors import NotFound, TooManyElements
from edgeclients.model import Client
from edgeclients.ports import Store


class Entities:
    """Looks clients up by id, in any domain.

    Args:
        store: the clients.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    async def one(self, client_id: str) -> Client:
        """The client with this id, of any status.

        Raises:
            NotFound: there is no such client.
        """
        client = await self._store.client(client_id) if is_uuid(client_id) else None
        if client is None:
            raise NotFound
        return client

    async def several(self, client_ids: Sequence[str]) -> tuple[Client, ...]:
        """Those of `client_ids` that exist, of any status, the oldest first.

        Raises:
            TooManyElements: more ids than one call may name.
        """
        if len(client_ids) > limits.ENTITIES:
            raise TooManyElements
        wanted = [client_id for client_id in client_ids if is_uuid(client_id)]
        return await self._store.clients(wanted) if wanted else ()
