"""Access to the storage for commands, whether the service runs or not."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

from edgeclients import system_user
from edgeclients.auth.standalone import ID_FILE
from edgeclients.core.operators import LocalOperators
from edgeclients.core.secrets.keyring import Keyring
from edgeclients.errors import StartError
from edgeclients.model import Effects
from edgeclients.ports import Store
from edgeclients.settings import Settings
from edgeclients.store import pepper
from edgeclients.store.datadir import DATABASE
from edgeclients.store.sqlite.database import SqliteDatabase
from edgeclients.store.sqlite.store import SqliteStore
from edgeclients.wiring.owner import become_owner
from edgeclients.wiring.storage import given_peppers, keyring_of, postgres_database, postgres_store, store_limits

_CONNECTIONS = 3  # to PostgreSQL: the minimum


class Administration(NamedTuple):
    """A storage: its local operators, its store, and, on request, the keyring for tokens."""

    operators: LocalOperators
    store: Store
    keyring: Keyring | None


@contextlib.asynccontextmanager
async def administration(settings: Settings, *, with_peppers: bool = False) -> AsyncIterator[Administration]:
    """The storage that the settings name. It must exist; nothing is created.

    Raises:
        StartError: the storage cannot be used; the text has the reason.
    """
    async with (_of_database if settings.mode == "cloud" else _of_directory)(settings, with_peppers) as administered:
        yield administered


def require_gateway(settings: Settings, instead: str) -> None:
    """Return in gateway mode; `instead` says what to do with PostgreSQL.

    Raises:
        StartError: the settings select cloud mode.
    """
    if settings.mode == "cloud":
        raise StartError(f"in cloud mode the data are in PostgreSQL: {instead}")


def require_database(data: Path) -> None:
    """Return if the data directory holds a database.

    Raises:
        StartError: it does not.
    """
    try:
        (data / DATABASE).stat()
    except OSError as error:
        raise StartError(
            f"there is no data in {data.absolute()} ({error.strerror}): start the service once, or set MG_CLIENTS_DATA_DIR"
        ) from error


@contextlib.asynccontextmanager
async def _of_directory(settings: Settings, with_peppers: bool) -> AsyncIterator[Administration]:  # noqa: FBT001 - one caller
    """The storage in the data directory, used as the directory's owner."""
    data = settings.data_dir
    require_database(data)
    # Before the change of user: files outside of the data directory may be readable by root only.
    given = pepper.given(settings.pepper_files, pepper.systemd_credentials()) if with_peppers else ()
    named = keyring_of(settings, given) if given else None
    become_owner(data)
    with contextlib.closing(SqliteDatabase(data / DATABASE, upgrade=False)) as database:
        keyring = None
        if with_peppers:
            keyring = named or keyring_of(settings, pepper.locate(data, (), None))
            _check_pepper(known=database.knows_pepper(keyring.key_id))
        async with SqliteStore(database, store_limits(settings), _nothing) as store:
            yield Administration(LocalOperators(store, _standalone_id(settings), system_user.actor()), store, keyring)


@contextlib.asynccontextmanager
async def _of_database(settings: Settings, with_peppers: bool) -> AsyncIterator[Administration]:  # noqa: FBT001 - one caller
    """The storage in PostgreSQL."""
    keyring = keyring_of(settings, given_peppers(settings)) if with_peppers else None
    database = await postgres_database(settings, upgrade=False)
    try:
        if keyring is not None:
            _check_pepper(known=await database.knows_pepper(keyring.key_id))
    finally:
        await database.close()
    async with postgres_store(settings, database, _nothing, _CONNECTIONS) as store:
        yield Administration(LocalOperators(store, _standalone_id(settings), system_user.actor()), store, keyring)


def _nothing(_: Effects) -> None:
    """Ignore the effects of a commit: commands change no client's access, so the running service needs no notice."""


def _check_pepper(*, known: bool) -> None:
    if not known:
        raise StartError("the service uses another pepper: set MG_CLIENTS_PEPPER_FILE to its file")


def _standalone_id(settings: Settings) -> str:
    """The id of the standalone operator; "" if it is unknown here."""
    if settings.standalone_id:
        return settings.standalone_id
    try:
        return (settings.data_dir / ID_FILE).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""
