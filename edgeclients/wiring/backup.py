"""Backs up a gateway's data directory, whether its service runs or not."""

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from edgeclients import __version__
from edgeclients.core.secrets.keyring import Pepper
from edgeclients.errors import StartError
from edgeclients.files import read_small, schema_path
from edgeclients.model import rfc3339
from edgeclients.ops.backup import encryption, folder, manifest, retention
from edgeclients.ops.backup.manifest import Manifest
from edgeclients.ops.backup.packing import Content, entry, packed
from edgeclients.ops.backup.retention import Kept
from edgeclients.settings import Settings
from edgeclients.store import pepper
from edgeclients.store.clock import Clock, SystemTime
from edgeclients.store.migrate import available
from edgeclients.store.sqlite import migration, peppers
from edgeclients.store.sqlite.database import start_errors
from edgeclients.wiring import copies
from edgeclients.wiring.administration import require_database, require_gateway
from edgeclients.wiring.copies import write_errors
from edgeclients.wiring.owner import acting_as_owner

rule = retention.rule
"""`retention.rule`, for the command line."""


class Wanted(NamedTuple):
    """What a backup is to contain, how it is encrypted, and which older ones stay beside it (None: all).

    `passphrase` gets one from the user, or is empty.
    """

    with_pepper: bool = False
    passphrase: Callable[[], str] = str
    recipients: Sequence[str] = ()
    keep: Sequence[Kept] | None = None


class Made(NamedTuple):
    """A backup: its file, what it contains, what was removed after it, and whether it contains last-seen times."""

    path: Path
    size: int
    created_at: int
    clients: int
    with_pepper: bool
    removed: Sequence[str]
    has_activity: bool


def backup(settings: Settings, place: Path, wanted: Wanted) -> Made:
    """Write a backup of the data directory.

    Args:
        settings: the gateway's settings.
        place: a file that does not exist, or a folder, where it gets a name with the time in it.
        wanted: see `Wanted`.

    Raises:
        StartError: it failed; the text has the reason. Neither the backup nor anything else is left then.
    """
    require_gateway(settings, "back it up with pg_dump, and the file of the pepper once")
    require_database(settings.data_dir)
    home = _folder(place, wanted)
    seal = encryption.seal(wanted.passphrase(), wanted.recipients)
    if wanted.with_pepper and not seal.is_encrypted:
        raise StartError("a backup with the pepper must be encrypted: name a passphrase or a recipient")
    secrets = _secrets(settings) if wanted.with_pepper else {}
    with _as_owner_of_both(settings.data_dir, home), write_errors(home), folder.scratch(home) as scratch:
        copied = copies.make(settings.data_dir, scratch)
        if wanted.with_pepper:
            _check_peppers(scratch / manifest.DATABASE, secrets)
        created_at = Clock(copied.time, SystemTime()).now()
        contents: Mapping[str, Content] = {**_operator(settings.data_dir), **secrets, **copied.files}
        target = _free(home, retention.names_of(created_at, encrypted=seal.is_encrypted)) if home == place else place
        size = folder.write(scratch, target, lambda file: seal.write(_archive(copied.schema, created_at, contents), file))
        removed = _remove_outdated(target, wanted.keep) if wanted.keep else []
    return Made(target, size, created_at, copied.clients, wanted.with_pepper, removed, copied.has_activity)


def _folder(place: Path, wanted: Wanted) -> Path:
    """The folder that the backup is written into."""
    with write_errors(place.parent):
        if place.is_dir():
            return place
    if wanted.keep:
        raise StartError(f"{place} is no folder: older backups are kept in one, so name a folder")
    if os.path.lexists(place):
        raise folder.taken(place)
    return place.parent


def _as_owner_of_both(data: Path, home: Path) -> contextlib.AbstractContextManager[None]:
    """Write as the owner of the data directory into a folder of that user, who removes older backups from there."""
    try:
        same = data.stat().st_uid == home.stat().st_uid
    except OSError:  # writing will say what is wrong
        same = False
    return acting_as_owner(data) if same else contextlib.nullcontext()


def _free(home: Path, names: Iterable[str]) -> Path:
    paths = [home / name for name in names]
    return next((path for path in paths if not os.path.lexists(path)), paths[-1])


def _secrets(settings: Settings) -> dict[str, Content]:
    """What only an encrypted backup contains: the peppers in use, and the operator's token if the data directory holds it."""
    data = settings.data_dir
    # Files outside of the data directory are read as this user, those in it as its owner.
    found = [pepper.read(path) for path in pepper.given(settings.pepper_files, pepper.systemd_credentials())]
    with acting_as_owner(data):
        found = found or [pepper.read(path) for path in pepper.locate(data, (), None)]
        token = _small(data / manifest.OPERATOR_TOKEN)
    return {manifest.pepper_name(place): content for place, content in enumerate(found)} | token


def _operator(data: Path) -> dict[str, Content]:
    with acting_as_owner(data):
        return _small(data / manifest.OPERATOR)


def _small(path: Path) -> dict[str, Content]:
    """The file with its name, if it exists."""
    try:
        return {path.name: read_small(path)}
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise StartError(f"{path} cannot be read ({error.strerror}): make it readable for the owner of its folder") from error


def _check_peppers(copy: Path, secrets: Mapping[str, Content]) -> None:
    """Return if the peppers are those of the database.

    Raises:
        StartError: they are not: nobody could use the backup.
    """
    given = [Pepper(content) for name, content in secrets.items() if isinstance(content, bytes) and name.startswith("pepper")]
    with start_errors(copy), contextlib.closing(sqlite3.connect(copy)) as copied:
        if migration.version(copied, copy, schema_path("sqlite")) == len(available(schema_path("sqlite"))):
            peppers.check(copied, {one.key_id: one.check_value for one in given})


def _archive(schema: int, created_at: int, contents: Mapping[str, Content]) -> Iterator[bytes]:
    files = tuple(entry(name, content) for name, content in contents.items())
    made = Manifest(format=manifest.FORMAT, edgeclients=__version__, schema=schema, created_at=rfc3339(created_at), files=files)
    return packed(made, contents)


def _remove_outdated(newest: Path, rule: Sequence[Kept]) -> list[str]:
    """Remove the backups beside `newest` that the rule does not keep; their names."""
    names = [path.name for path in newest.parent.iterdir() if path.is_file() and not path.is_symlink()]
    outdated = [name for name in retention.outdated(names, rule) if name != newest.name]
    for name in outdated:
        try:
            newest.with_name(name).unlink(missing_ok=True)
        except OSError as error:
            raise StartError(f"{newest} is complete, but {name} beside it cannot be removed ({error.strerror})") from error
    return outdated
