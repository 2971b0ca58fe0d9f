"""What works on the storage beside the service, whether that runs or not."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

from edgeclients.auth.standalone import ID_FILE
from edgeclients.core.operators import LocalOperators
from edgeclients.core.secrets.keyring import Keyring
from edgeclients.errors import StartError
from edgeclients.model import Effects
from edgeclients.ports import Store
from edgeclients.settings import Settings
from edgeclients.store import pepper
from edgeclients.store.datadir import DATABASE
from edgeclients.store.sqlite.store import SqliteDatabase, SqliteStore
from edgeclients.wiring.owner import become_owner
from edgeclients.wiring.storage import given_peppers, keyring_of, postgres_database, postgres_store, store_limits

_CONNECTIONS = 3  # to PostgreSQL: the fewest there can be


class Administration(NamedTuple):
    """A storage: its local operators, what is in its store, and if asked for the peppers for tokens."""

    operators: LocalOperators
    store: Store
    keyring: Keyring | None


@contextlib.asynccontextmanager
async def administration(settings: Settings, *, with_peppers: bool = False) -> AsyncIterator[Administration]:
    """The local operators of the storage that the settings name. Nothing is made there that is not there yet.

    Raises:
        StartError: it cannot be used, and why.
    """
    async with (_of_database if settings.mode == "cloud" else _of_directory)(settings, with_peppers) as administered:
        yield administered


def require_database(data: Path) -> None:
    """Return if the service has made a database in the data directory.

    Raises:
        StartError: it has not.
    """
    try:
        (data / DATABASE).stat()
    except OSError as error:
        raise StartError(
            f"there is no data in {data.absolute()} ({error.strerror}): start the service once, or set MG_CLIENTS_DATA_DIR"
        ) from error


@contextlib.asynccontextmanager
async def _of_directory(settings: Settings, with_peppers: bool) -> AsyncIterator[Administration]:  # noqa: FBT001 - one caller
    """Those of the data directory, as its owner."""
    data = settings.data_dir
    require_database(data)
    # What the settings name may be readable for root alone.
    named = keyring_of(settings, settings.pepper_files) if with_peppers and settings.pepper_files else None
    become_owner(data)
    with contextlib.closing(SqliteDatabase(data / DATABASE, upgrade=False)) as database:
        keyring = None
        if with_peppers:
            keyring = named or keyring_of(settings, pepper.locate(data, (), pepper.systemd_credentials()))
            _check_pepper(known=database.knows_pepper(keyring.key_id))
        async with SqliteStore(database, store_limits(settings), _nothing) as store:
            yield Administration(LocalOperators(store, _standalone_id(settings)), store, keyring)


@contextlib.asynccontextmanager
async def _of_database(settings: Settings, with_peppers: bool) -> AsyncIterator[Administration]:  # noqa: FBT001 - one caller
    """Those in PostgreSQL."""
    keyring = keyring_of(settings, given_peppers(settings)) if with_peppers else None
    database = await postgres_database(settings, upgrade=False)
    try:
        if keyring is not None:
            _check_pepper(known=await database.knows_pepper(keyring.key_id))
    finally:
        await database.close()
    async with postgres_store(settings, database, _nothing, _CONNECTIONS) as store:
        yield Administration(LocalOperators(store, _standalone_id(settings)), store, keyring)


def _nothing(_: Effects) -> None:
    """No client's access changes here, so there is nothing the running service has to hear of."""


def _check_pepper(*, known: bool) -> None:
    if not known:
        raise StartError("the service uses another pepper: name that one in MG_CLIENTS_PEPPER_FILE")


def _standalone_id(settings: Settings) -> str:
    """The id of the standalone operator, as far as it is known here."""
    if settings.standalone_id:
        return settings.standalone_id
    try:
        return (settings.data_dir / ID_FILE).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""
