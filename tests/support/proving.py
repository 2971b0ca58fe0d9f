"""`Authenticate` on a real store and cache, without a transport; argon2 at its cheapest, in threads or held still."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

from edgeclients.cache.memory import MemoryTokenCache
from edgeclients.core.authn.authentication import Authentication
from edgeclients.core.authn.queue import CheckQueue
from edgeclients.core.authz.access import Access
from edgeclients.core.clients import Clients
from edgeclients.core.parents import Parents
from edgeclients.core.secrets.issue import Secrets
from edgeclients.core.secrets.keyring import Keyring
from edgeclients.core.secrets.pool import Argon2Threads, HashQueue
from edgeclients.core.secrets.rotation import Rotation, SecretChange
from edgeclients.errors import CredentialsDenied
from edgeclients.model import EVERYTHING, Client, ClientDraft, Session, Standing
from edgeclients.ports import Authorizer
from edgeclients.store.limits import StoreLimits
from edgeclients.store.sqlite.database import SqliteDatabase
from edgeclients.store.sqlite.store import SqliteStore
from tests.conformance.harness import KEYRING
from tests.support.api import basic, of_domain
from tests.support.clocks import SetClock

DOMAIN = "d1"
SESSION = Session("operator", DOMAIN, super_admin=True, request_id="r")


class Known(NamedTuple):
    """A client, and its secret."""

    client: Client
    secret: str

    def tokens(self) -> tuple[bytes, bytes]:
        """Both forms of its token."""
        return basic(self.client.id, self.secret).encode(), of_domain(self.client.domain_id, self.secret).encode()


class Everything(Authorizer):
    """`ports.Authorizer`: whoever asks may."""

    async def standing(self, session: Session, operation: str, client_ids: object = ()) -> Standing:
        return EVERYTHING


class Proving(NamedTuple):
    """What there is to ask and to change."""

    authentication: Authentication
    clients: Clients
    rotation: Rotation
    store: SqliteStore
    cache: MemoryTokenCache
    lane: CheckQueue
    clock: SetClock

    async def create(self, secret: str = "") -> Known:
        """A new client, with a generated secret if none is named."""
        (created,) = await self.clients.create(SESSION, [ClientDraft(secret=secret)])
        return Known(created.client, created.secret)

    async def rotate(self, known: Known, secret: str = "", grace: int = 0) -> Known:
        """The client with another secret."""
        change = SecretChange(secret, generate=not secret, grace=grace)
        rotated = await self.rotation.rotate(SESSION, known.client.id, change)
        return Known(rotated.client, secret or str(rotated.generated))

    async def is_let_in(self, token: bytes) -> bool:
        """Whether a token proves somebody."""
        try:
            return bool(await self.authentication.authenticate(token))
        except CredentialsDenied:
            return False


@contextlib.asynccontextmanager
async def proving(
    path: Path, threads: Argon2Threads | None = None, waiting: int = 128, keyring: Keyring = KEYRING
) -> AsyncIterator[Proving]:
    """All of it on the database `path`."""
    cache = MemoryTokenCache(3600, 50_000, lambda: store.now())  # noqa: PLW0108 - there is no store yet
    database = SqliteDatabase(path)
    database.connection.execute("PRAGMA synchronous = OFF")
    clock = SetClock()
    async with SqliteStore(database, StoreLimits(), cache.apply, clock) as store:
        of_writes, threads = Argon2Threads(1), threads or Argon2Threads(1)
        writes, lane = HashQueue(of_writes, waiting), CheckQueue(threads, waiting)
        secrets, access = Secrets(store, keyring, writes), Access(store, Everything())
        authentication = Authentication(store, cache, keyring, lane, writes)
        clients, rotation = Clients(store, access, secrets, Parents(store, access)), Rotation(store, access, secrets)
        try:
            yield Proving(authentication, clients, rotation, store, cache, lane, clock)
        finally:
            await authentication.close()
            threads.close()
            of_writes.close()
