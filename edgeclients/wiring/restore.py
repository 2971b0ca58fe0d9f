"""Restores a backup into an empty data directory. Everything is verified before anything is put in place."""

import contextlib
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from io import BufferedReader
from pathlib import Path
from typing import NamedTuple, TypeAlias

from edgeclients.core.secrets.keyring import Pepper
from edgeclients.errors import StartError
from edgeclients.files import remedy, schema_path
from edgeclients.ops.backup import encryption, manifest
from edgeclients.ops.backup.manifest import BadBackup, Manifest
from edgeclients.ops.backup.unpacking import Archive
from edgeclients.ops.disk import free_bytes
from edgeclients.settings import Settings
from edgeclients.store import pepper, restoring
from edgeclients.store.clock import Clock, StoredTime, SystemTime
from edgeclients.store.datadir import DataDirectory
from edgeclients.store.migrate import available
from edgeclients.store.sqlite import activity, peppers, quiet, snapshot
from edgeclients.store.sqlite.database import SqliteDatabase
from edgeclients.times import SECOND
from edgeclients.wiring.administration import require_gateway
from edgeclients.wiring.owner import acting_as_owner

Keys: TypeAlias = encryption.Keys
"""What a backup may be decrypted with."""

_FILES = (manifest.DATABASE, manifest.ACTIVITY, manifest.OPERATOR, manifest.OPERATOR_TOKEN)


class Restored(NamedTuple):
    """What a data directory contains now: so many clients, as of a time that is `age` seconds ago."""

    data: Path
    clients: int
    created_at: str
    age: float
    with_pepper: bool


class _Content(NamedTuple):
    """What a restored database says of itself."""

    clients: int
    time: StoredTime


def restore(settings: Settings, file: Path, keys: Keys, pepper_files: Sequence[Path]) -> Restored:
    """Restore the backup `file` into the data directory, which is created if it is missing.

    Args:
        settings: the gateway's settings.
        file: the backup.
        keys: what it may be encrypted with.
        pepper_files: the peppers of a backup without them.

    Raises:
        StartError: it failed; the text has the reason. The data directory is as empty as before.
    """
    require_gateway(settings, "restore it with pg_restore")
    data = settings.data_dir
    with acting_as_owner(data):
        restoring.check_empty(data)
    given = [pepper.read(path) for path in pepper_files]
    with contextlib.ExitStack() as held, _named(file):
        made = _gather(held, data, file, keys)
        if made.peppers and given:
            raise BadBackup("holds its pepper: leave out --pepper")
        copies = _copies(settings, _archived(data, made) or given)
        known = list(copies.values()) or _configured(settings)
        with acting_as_owner(data):
            content = _verify(data / restoring.GATHERED, known)
        _put_in_place(data, copies)
    age = Clock(content.time, SystemTime()).now() / SECOND - made.made_at.timestamp()
    return Restored(data, content.clients, made.created_at, age, bool(made.peppers))


def _gather(held: contextlib.ExitStack, data: Path, file: Path, keys: Keys) -> Manifest:
    """Extract the backup into a folder in the data directory, which is locked until `held` is closed."""
    with _opened(file) as opened, encryption.decrypting(opened, keys) as plain:
        archive = Archive(plain)
        _check_schema(archive.manifest)
        with acting_as_owner(data):
            held.callback(_leave, data, DataDirectory(data))
            restoring.check_empty(data)
            folder = restoring.begin(data)
            _check_space(data, archive.manifest)
            try:
                archive.extract(folder)
            except OSError as error:
                advice = remedy(error, "check its disk")
                raise StartError(f"the backup cannot be extracted into {data} ({error.strerror}): {advice}") from error
    return archive.manifest


def _leave(data: Path, directory: DataDirectory) -> None:
    with acting_as_owner(data):
        restoring.abandon(data)
    directory.close()


def _check_schema(made: Manifest) -> None:
    known = len(available(schema_path("sqlite")))
    if made.schema > known:
        raise BadBackup(
            f"has schema {made.schema}, this program knows {known}: restore it with edgeclients {made.edgeclients} or newer"
        )


def _check_space(data: Path, made: Manifest) -> None:
    free = free_bytes(data)
    if free < made.size:
        raise StartError(
            f"the backup needs {made.size / 1e6:.0f} MB in {data}, where {free / 1e6:.0f} MB are free: free space on its disk"
        )


def _archived(data: Path, made: Manifest) -> list[bytes]:
    """The peppers in the backup."""
    with acting_as_owner(data):
        return [pepper.read(data / restoring.GATHERED / name) for name in made.peppers]


def _copies(settings: Settings, contents: Sequence[bytes]) -> Mapping[Path, bytes]:
    """Where the service will look for these peppers."""
    if not contents:
        return {}
    paths = pepper.locate(settings.data_dir, settings.pepper_files, pepper.systemd_credentials())
    if len(paths) != len(contents):
        raise StartError(
            f"peppers in use: {len(contents)}, files for them: {len(paths)}: set MG_CLIENTS_PEPPER_FILE to one for each, "
            "separated by `,`"
        )
    return pepper.assign(contents, paths)


def _configured(settings: Settings) -> list[bytes]:
    """The peppers that this machine has already, outside of the data directory."""
    paths = pepper.given(settings.pepper_files, pepper.systemd_credentials())
    return [pepper.read(path) for path in paths if os.path.lexists(path)]


def _verify(folder: Path, known: Sequence[bytes]) -> _Content:
    """Check the database with these peppers, bring it up to date, and make it one of its own."""
    path = folder / manifest.DATABASE
    _check_integrity(path)
    with contextlib.closing(SqliteDatabase(path)) as database:
        if not known and database.has_peppers():
            raise BadBackup("holds no pepper, and its secrets need one: name the file of the pepper with --pepper")
        with database.start_errors():
            given = map(Pepper, known)
            peppers.check(database.connection, {one.key_id: one.check_value for one in given})
            snapshot.make_own(database.connection)
            return _Content(quiet.count_clients(database.connection), database.time)


def _check_integrity(path: Path) -> None:
    try:
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
            quiet.check_integrity(connection)
    except sqlite3.Error as error:
        if not activity.is_damage(error):
            raise
        raise BadBackup("holds a database that is damaged: use another backup") from error


def _put_in_place(data: Path, copies: Mapping[Path, bytes]) -> None:
    inside = [path for path in copies if path.absolute().parent == data.absolute()]
    with pepper.handed_over({path: copies[path] for path in copies if path not in inside}), acting_as_owner(data):
        for path in inside:
            restoring.add(data, path.name, copies[path])
        restoring.finish(data, (*_FILES, *(path.name for path in inside)))


@contextlib.contextmanager
def _opened(file: Path) -> Iterator[BufferedReader]:
    try:
        with file.open("rb") as opened:
            yield opened
    except OSError as error:  # what is wrong with the data directory was told as such
        raise StartError(f"{file} cannot be read ({error.strerror}): name a backup that this user can read") from error


@contextlib.contextmanager
def _named(file: Path) -> Iterator[None]:
    """Raise what is wrong with a backup with its name."""
    try:
        yield
    except BadBackup as error:
        raise StartError(f"{file} {error}") from error
