"""What works on a data directory beside the service, whether that runs or not."""

import contextlib
from collections.abc import AsyncIterator
from typing import NamedTuple

from edgeclients.auth.standalone import ID_FILE
from edgeclients.core.credentials import Keyring
from edgeclients.core.operators import Operators
from edgeclients.errors import StartError
from edgeclients.model import Effects
from edgeclients.settings import Settings
from edgeclients.store import pepper
from edgeclients.store.datadir import DATABASE, become_owner
from edgeclients.store.limits import OutboxBounds, StoreLimits
from edgeclients.store.sqlite.store import SqliteDatabase, SqliteStore


class Administration(NamedTuple):
    """The local operators of a data directory, and if asked for the peppers for their tokens."""

    operators: Operators
    keyring: Keyring | None


@contextlib.asynccontextmanager
async def administration(settings: Settings, *, with_peppers: bool = False) -> AsyncIterator[Administration]:
    """The local operators of the data directory, as its owner. Nothing is made there that is not there yet.

    Raises:
        StartError: there is no data directory, or it cannot be used, and why.
    """
    data = settings.data_dir
    try:
        (data / DATABASE).stat()
    except OSError as error:
        raise StartError(
            f"there is no data in {data.absolute()} ({error.strerror}): start the service once, or set MG_CLIENTS_DATA_DIR"
        ) from error
    # What the settings name may be readable for root alone.
    named = [pepper.read(path) for path in settings.pepper_files] if with_peppers else []
    become_owner(data)
    database = SqliteDatabase(data / DATABASE, upgrade=False)
    try:
        keyring = _keyring(settings, database, named) if with_peppers else None
    except StartError:
        database.close()
        raise
    bounds = OutboxBounds(settings.outbox_max_rows, settings.outbox_max_bytes)
    async with SqliteStore(database, StoreLimits(bounds), _nothing) as store:
        yield Administration(Operators(store, _standalone_id(settings)), keyring)


def _nothing(_: Effects) -> None:
    """No client's access changes here, so there is nothing the running service has to hear of."""


def _keyring(settings: Settings, database: SqliteDatabase, named: list[bytes]) -> Keyring:
    paths = pepper.locate(settings.data_dir, (), pepper.systemd_credentials())
    keyring = Keyring(named or [pepper.read(path) for path in paths], settings.argon2_memory_kib, settings.argon2_passes)
    if not database.knows_pepper(keyring.key_id):
        raise StartError("the service uses another pepper: name that one in MG_CLIENTS_PEPPER_FILE")
    return keyring


def _standalone_id(settings: Settings) -> str:
    """The id of the standalone operator, as far as it is known here."""
    if settings.standalone_id:
        return settings.standalone_id
    try:
        return (settings.data_dir / ID_FILE).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""
