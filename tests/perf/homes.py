"""Where what is measured keeps its clients, and the same work done there without us."""

import contextlib
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol, TypeAlias

from edgeclients.auth.standalone import Operator, Standalone
from edgeclients.cache.memory import MemoryTokenCache
from edgeclients.core.authn.operator_tokens import OperatorTokens
from edgeclients.core.authz.access import Access
from edgeclients.core.clients import Clients
from edgeclients.core.parents import Parents
from edgeclients.core.secrets.issue import Secrets
from edgeclients.core.secrets.keyring import Keyring
from edgeclients.core.secrets.pool import Argon2Threads, HashQueue
from edgeclients.model import Effects
from edgeclients.ports import Store
from edgeclients.store.limits import StoreLimits
from tests.perf.fleet import LOOPBACK, Registry
from tests.support.service import Service, started

Rows: TypeAlias = Sequence[tuple[str, tuple[object, ...]]]
"""What a client is: tables with values."""


_LIMITS = StoreLimits()


class Home(Protocol):
    """A kind of storage. Each name stands for a database of its own."""

    title: str
    raw: str  # what is underneath
    folder: Path

    def settings(self, name: str) -> dict[str, str]:
        """What a service is told to keep its clients there."""

    def store(
        self, name: str, on_commit: Callable[[Effects], None], limits: StoreLimits = ...
    ) -> contextlib.AbstractAsyncContextManager[Store]:
        """A store there, without a service."""

    def commits(self, store: Store) -> int:
        """How many transactions a store has committed."""

    async def rest(self, name: str) -> None:
        """Have done what is done there by itself within a minute after much was written."""

    async def read_plainly(self, name: str, client_ids: Sequence[str]) -> float:
        """Seconds it takes to read these clients, one by one, without us."""

    async def rows_of_clients(self, name: str) -> list[Rows]:
        """All that was written for each client."""

    async def insert_plainly(self, name: str, clients: Sequence[Rows]) -> float:
        """Seconds it takes to write these clients with a commit each, without us, where the tables are there."""


@contextlib.contextmanager
def serving(home: Home, name: str, env: dict[str, str] | None = None) -> Iterator[Service]:
    """The service at a home."""
    with started(home.folder / name, {**LOOPBACK, **home.settings(name), **(env or {})}) as service:
        yield service


@contextlib.asynccontextmanager
async def registry(home: Home, name: str, limits: StoreLimits = _LIMITS) -> AsyncIterator[Registry]:
    """A store at a home, with its use cases, as the service has them."""
    keyring = Keyring([bytes(32)], 19 * 1024, 2)
    cache = MemoryTokenCache(3600, 50_000, lambda: 0)
    async with home.store(name, cache.apply, limits) as store:
        operator = Standalone(Operator("operator", "0123456789abcdef", None), (), OperatorTokens(store, keyring))
        secrets = Secrets(store, keyring, HashQueue(Argon2Threads(1), 1))
        access = Access(store, operator)
        yield Registry(store, Clients(store, access, secrets, Parents(store, access)))
