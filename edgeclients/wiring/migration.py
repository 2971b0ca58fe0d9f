"""From a data directory into PostgreSQL and back: everything, with the peppers, to where nothing is yet."""

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
    """Copy the data directory into an empty database; what it holds stays as it is.

    Args:
        settings: the gateway's.
        place: the database, as far as it is not as in the settings.
        files: where copies of the peppers go, one for each.

    Returns:
        The number of rows by table, each compared with its copy.

    Raises:
        StartError: it cannot be done, and why. Nothing is kept in the database then.
    """
    require_asyncpg()
    from edgeclients.store.postgres import transfer as postgres

    data = settings.data_dir
    require_database(data)
    # As whoever runs this, who may read and write where the service may not.
    address = address_of(_at(place, settings))
    keyring, peppers = _peppers(settings, pepper.locate(data, settings.pepper_files, pepper.systemd_credentials()))
    with pepper.handed_over(pepper.assign(peppers, files)):
        become_owner(data)
        with contextlib.closing(DataDirectory(data)), sqlite.origin(data / DATABASE, keyring.check_values()) as origin:
            async with postgres.target(address) as target:
                return await copy(origin, target)


async def from_database(settings: Settings, place: PostgresPlace, files: Sequence[Path]) -> dict[str, int]:
    """Copy a database into an empty data directory, which is made if it is missing; the database stays as it is.

    Args:
        settings: of the service on that database, with the data directory to be.
        place: the database, as far as it is not as in the settings.
        files: where copies of the peppers go, one for each.

    Returns:
        The number of rows by table, each compared with its copy.

    Raises:
        StartError: it cannot be done, and why. No row is kept in the data directory then.
    """
    require_asyncpg()
    from edgeclients.store.postgres import transfer as postgres

    data = settings.data_dir
    paths = pepper.given(settings.pepper_files, pepper.systemd_credentials())
    if not paths:
        raise StartError("which pepper the database was made with is not said: name its file in MG_CLIENTS_PEPPER_FILE")
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
    """The keyring of these files, and what is in them.

    Raises:
        StartError: one of them is no pepper.
    """
    return keyring_of(settings, paths), [pepper.read(path) for path in paths]


def _at(place: PostgresPlace, settings: Settings) -> Settings:
    """The settings with `place` as the database."""
    named = {f"db_{part}": value for part, value in place._asdict().items() if value is not None}
    return msgspec.structs.replace(settings, **named)
