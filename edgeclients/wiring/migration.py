"""Copies all data and the peppers from a data directory into an empty PostgreSQL database, or back."""

import contextlib
from collections.abc import Sequence
from pathlib import Path

import msgspec

from edgeclients.addresses import PostgresPlace
from edgeclients.core.secrets.keyring import Keyring
from edgeclients.errors import StartError
from edgeclients.settings import Settings
from edgeclients.store import pepper
from edgeclients.store.datadir import DATABASE, DataDirectory
from edgeclients.store.sqlite import transfer as sqlite
from edgeclients.store.transfer import copy
from edgeclients.wiring.administration import require_database
from edgeclients.wiring.owner import become_owner
from edgeclients.wiring.storage import address_of, keyring_of, require_asyncpg


async def to_database(settings: Settings, place: PostgresPlace, files: Sequence[Path]) -> dict[str, int]:
    """Copy the data directory into an empty database; the data directory is not changed.

    Args:
        settings: the gateway's settings.
        place: the parts of the database's address that differ from the settings.
        files: the files for copies of the peppers, one for each.

    Returns:
        The number of rows by table; each row was compared with its copy.

    Raises:
        StartError: the copy failed; the text has the reason. The database stays empty.
    """
    require_asyncpg()
    from edgeclients.store.postgres import transfer as postgres

    data = settings.data_dir
    require_database(data)
    # Before the change of user: the current user may have access to files that the service's user may not have.
    address = address_of(_at(place, settings))
    keyring, peppers = _peppers(settings, pepper.locate(data, settings.pepper_files, pepper.systemd_credentials()))
    with pepper.handed_over(pepper.assign(peppers, files)):
        become_owner(data)
        with contextlib.closing(DataDirectory(data)), sqlite.origin(data / DATABASE, keyring.check_values()) as origin:
            async with postgres.target(address) as target:
                return await copy(origin, target)


async def from_database(settings: Settings, place: PostgresPlace, files: Sequence[Path]) -> dict[str, int]:
    """Copy a database into an empty data directory, which is created if missing; the database is not changed.

    Args:
        settings: the settings of the service on that database, with the new data directory.
        place: the parts of the database's address that differ from the settings.
        files: the files for copies of the peppers, one for each.

    Returns:
        The number of rows by table; each row was compared with its copy.

    Raises:
        StartError: the copy failed; the text has the reason. The data directory holds no rows then.
    """
    require_asyncpg()
    from edgeclients.store.postgres import transfer as postgres

    data = settings.data_dir
    paths = pepper.given(settings.pepper_files, pepper.systemd_credentials())
    if not paths:
        raise StartError("the pepper of the database is required: set MG_CLIENTS_PEPPER_FILE to its file")
    address = address_of(_at(place, settings))
    keyring, peppers = _peppers(settings, paths)
    copies = pepper.assign(peppers, files)
    inside = {path: copies[path] for path in copies if path.absolute().is_relative_to(data.absolute())}
    with pepper.handed_over({path: copies[path] for path in copies if path not in inside}):
        if data.exists():
            become_owner(data)
        async with postgres.origin(address, keyring.check_values()) as origin:
            with contextlib.closing(DataDirectory(data)):
                async with sqlite.target(data / DATABASE) as target:
                    with pepper.handed_over(inside):
                        return await copy(origin, target)


def _peppers(settings: Settings, paths: Sequence[Path]) -> tuple[Keyring, list[bytes]]:
    """The keyring of the peppers in `paths`, and these peppers.

    Raises:
        StartError: a file holds no pepper.
    """
    return keyring_of(settings, paths), [pepper.read(path) for path in paths]


def _at(place: PostgresPlace, settings: Settings) -> Settings:
    """The settings with the database's address from `place`."""
    named = {f"db_{part}": value for part, value in place._asdict().items() if value is not None}
    return msgspec.structs.replace(settings, **named)
