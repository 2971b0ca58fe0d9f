"""Which lines of an import count: whose client exists, with the secret that was made for it."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence

from edgeclients.core.provisioning.record import BadLine, Generated, Record
from edgeclients.core.secrets.issue import Secrets
from edgeclients.model import Session
from edgeclients.ports import Store, Transaction

_AT_A_TIME = 500


class Holding:
    """Finds clients by what was made for them. Nothing is changed.

    Args:
        store: the clients.
        secrets: makes the stored form of secrets.
    """

    def __init__(self, store: Store, secrets: Secrets) -> None:
        self._store = store
        self._secrets = secrets

    async def find(self, session: Session, lines: AsyncIterator[Record | BadLine]) -> AsyncGenerator[list[int], None]:
        """The lines of which the domain has the client with its secret, some at a time."""
        part: list[tuple[int, Generated]] = []
        async for line in lines:
            if isinstance(line, Record) and line.generated is not None:
                part.append((line.line, line.generated))
            if len(part) == _AT_A_TIME:
                yield await self._held(session, part)
                part.clear()
        yield await self._held(session, part)

    async def _held(self, session: Session, part: Sequence[tuple[int, Generated]]) -> list[int]:
        stored = await self._secrets.keep(session, ())

        async def unit(tx: Transaction) -> list[int]:
            clients = await tx.clients([made.id for _, made in part])
            held = []
            for line, made in part:
                client = clients.get(made.id)
                if client is not None and client.domain_id == session.domain_id:
                    held += [line] if (await tx.secret(client.id)).hash == stored(made.secret).hash else []
            return held

        return await self._store.run(unit) if part else []
