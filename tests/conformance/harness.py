"""What a contract test is given, and the rows it writes. No back-end is named here."""

import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import msgspec
from hypothesis import HealthCheck, settings

from edgeclients.core.secrets.keyring import Keyring, generate
from edgeclients.model import ALL_ACTIONS, Client, Effects, Event, NewClient, NewRole, StoredSecret
from edgeclients.ports import Store, Transaction
from edgeclients.store.limits import JournalBounds, OutboxBounds, StoreLimits
from edgeclients.times import DAY
from tests.support.clocks import SetClock

KEYRING = Keyring([bytes(32)], memory_kib=8, passes=1)
OPERATOR = "operator"
SECOND = 1_000_000

# Every example has a domain of its own, so that one store serves all; and every back-end runs the same test.
ONE_STORE = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.differing_executors],
)


class Harness(NamedTuple):
    """An empty store, and what its commits have caused so far."""

    store: Store
    effects: list[Effects]
    clock: SetClock


class Bounds(NamedTuple):
    """How much the outbox of a harness keeps, and each ring of its journal."""

    rows: int = 1000
    payload_bytes: int = 1_000_000
    journal_rows: int = 1000
    journal_bytes: int = 1_000_000

    def limits(self) -> StoreLimits:
        """Limits of a store."""
        ring = JournalBounds(self.journal_rows, self.journal_bytes, 90 * DAY)
        return StoreLimits(OutboxBounds(self.rows, self.payload_bytes), journal=(ring, ring))


MakeHarness = Callable[[Bounds], Awaitable[Harness]]


def new_client(domain: str = "d1", secret: str = "", **fields: Any) -> NewClient:
    """A client to be written, in a domain, with a generated secret if none is named."""
    now = time.time_ns() // 1000
    metadata = fields.pop("metadata", {})
    client = Client(
        **{
            "id": str(uuid.uuid4()),
            "domain_id": domain,
            "status": 0,
            "name": "",
            "tags": (),
            "identity": "",
            "external_id": "",
            "parent_group_id": None,
            "created_at": now,
            "updated_at": None,
            "updated_by": None,
            "private_metadata": "{}",
            **fields,
        },
        metadata=msgspec.json.encode(metadata).decode(),
    )
    role = NewRole(f"client_{uuid.uuid4().hex}", client.id, "admin", ALL_ACTIONS, now, OPERATOR, (OPERATOR,))
    return NewClient(client, KEYRING.keep_generated(domain, secret or generate()), role)


async def add(store: Store, *clients: NewClient) -> list[Client]:
    """Write clients."""
    await store.run(lambda tx: tx.insert(clients))
    return [one.client for one in clients]


async def change(store: Store, client: Client, **fields: Any) -> Client:
    """Change a client's columns."""
    metadata = fields.pop("metadata", None)
    if metadata is not None:
        fields["metadata"] = msgspec.json.encode(metadata).decode()

    async def unit(tx: Transaction) -> Client:
        old = await tx.client(client.id)
        assert old is not None
        new = msgspec.structs.replace(old, **fields)
        await tx.replace(old, new, metadata)
        return new

    return await store.run(unit)


def event(number: int, size: int = 0) -> Event:
    """An event that can be told from others."""
    return Event("client.update", str(number), msgspec.json.encode({"n": number, "pad": "x" * size}), number)


def chosen(domain: str, secret: str) -> StoredSecret:
    """What is kept of a chosen secret, with the cheapest argon2 there is."""
    scheme = KEYRING.argon2
    return KEYRING.keep_chosen(domain, scheme, KEYRING.recipe(scheme, domain).digest(secret), ())
