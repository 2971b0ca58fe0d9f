"""What can be checked of PostgreSQL."""

from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING

from edgeclients.errors import DomainError, StartError, text_of
from edgeclients.settings import Settings
from edgeclients.times import MINUTE, SECOND
from edgeclients.wiring.doctor.check import Check
from edgeclients.wiring.doctor.clock import clock
from edgeclients.wiring.doctor.outbox import lag
from edgeclients.wiring.storage import postgres_database, postgres_store

if TYPE_CHECKING:
    from edgeclients.store.postgres.store import PostgresDatabase

_OF_GATEWAYS = ("data_directory", "permissions", "space", "integrity", "activity")
_CONNECTIONS = 3  # the minimum


async def examine(settings: Settings, given: Mapping[str, bytes] | StartError) -> AsyncIterator[Check]:
    """The checks of the database; `given` are the check values of the peppers by key id, or why there are none."""
    for name in _OF_GATEWAYS:
        yield Check.ok(name, "not checked: this is for gateways, and PostgreSQL has tools of its own")
    try:
        database = await postgres_database(settings, upgrade=False)
    except StartError as error:
        yield Check.failed("schema", error)
        return
    try:
        yield Check.ok("schema", f"{database.address} has the current schema")
        yield _clock(database)
        yield await _pepper(database, given)
    finally:
        await database.close()
    yield await _outbox(settings, database)


def _clock(database: "PostgresDatabase") -> Check:
    """The server's clock counts; that of this host should not differ."""
    difference = database.time.server.difference()
    if abs(difference) > MINUTE:
        return Check.warning(
            "clock",
            f"the clock of this host is {difference // SECOND} seconds ahead of that of the database server",
            "have both clocks synchronised",
        )
    return clock(database.time.stored, database.time.server.now_ns() // 1000)


async def _pepper(database: "PostgresDatabase", given: Mapping[str, bytes] | StartError) -> Check:
    if isinstance(given, StartError):
        return Check.failed("pepper", given)
    try:
        await database.check_peppers(given)
    except StartError as error:
        return Check.failed("pepper", error)
    return Check.ok("pepper", f"it opens the stored secrets (key id {', '.join(given)})")


async def _outbox(settings: Settings, database: "PostgresDatabase") -> Check:
    try:
        async with postgres_store(settings, database, lambda _: None, _CONNECTIONS) as store:
            return lag(await store.outbox_state(), store.now() * 1000, has_stream=bool(settings.event_stream))
    except DomainError as error:
        return Check.broken("outbox", f"it cannot be read ({text_of(error)})", "check PostgreSQL")
