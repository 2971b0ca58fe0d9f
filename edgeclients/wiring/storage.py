"""Opens the storage of a mode: SQLite with a pepper in the data directory, or PostgreSQL with a supplied pepper."""

import contextlib
import importlib.util
import logging
import ssl
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from edgeclients.core.ids import new_uuid
from edgeclients.core.secrets.keyring import Argon2, Keyring
from edgeclients.errors import StartError
from edgeclients.model import Effects
from edgeclients.ops import tls
from edgeclients.ops.health import PROBE_SECONDS, StorageState
from edgeclients.ops.reload import Reloading
from edgeclients.ports import Store
from edgeclients.progress import Progress
from edgeclients.settings import Settings
from edgeclients.store import pepper
from edgeclients.store.clock import Clock
from edgeclients.store.datadir import DATABASE, DataDirectory
from edgeclients.store.limits import OutboxBounds, StoreLimits
from edgeclients.store.sqlite import completeness
from edgeclients.store.sqlite.database import SqliteDatabase
from edgeclients.store.sqlite.store import SqliteStore

if TYPE_CHECKING:
    from edgeclients.store.postgres.connect import PostgresAddress
    from edgeclients.store.postgres.store import PostgresDatabase, PostgresStore

_log = logging.getLogger(__name__)

_ARGON2_SETS = 2
_SENDER = "gateway"  # one process uses the data directory; after a crash, it takes over its own lease
_CLOUD_PROBE_SECONDS = 5.0  # probes wear out no disk there, and a process that is not ready gets no requests to learn from


class Writes(Protocol):
    """The outcome of writes."""

    @property
    def commits(self) -> int:
        """The number of committed transactions."""

    @property
    def active(self) -> int:
        """The number of changes that wait or are being written."""

    @property
    def last_commit_at(self) -> int | None:
        """The time of the last commit, in microseconds since 1970."""

    @property
    def failing(self) -> bool:
        """Whether the last attempt failed in the storage."""

    @property
    def fault(self) -> str:
        """Why it failed, in words; empty if it did not."""


class Flushes(Protocol):
    """Last-seen times and denied logins: the number of their writes."""

    flushes: int

    async def flush(self) -> None:
        """Write them now."""


class Storage(NamedTuple):
    """The storage of a running service: store, clock, keyring, probe interval, name for the outbox lease, known losses."""

    backend: str
    store: Store
    clock: Clock
    writes: Writes
    activity: Flushes
    keyring: Keyring
    probe_seconds: float
    sender: str
    incomplete: str = ""

    def state(self) -> StorageState:
        """The storage's part of `/ready`."""
        return StorageState(self.backend, self.writes.failing, self.writes.last_commit_at, self.incomplete, self.writes.fault)


@contextlib.asynccontextmanager
async def opened(
    settings: Settings,
    on_commit: Callable[[Effects], None],
    reloading: Reloading,
    directory: DataDirectory | None,
    progress: Progress,
) -> AsyncIterator[Storage]:
    """The storage that the settings name, migrated to the current schema.

    Args:
        settings: the settings.
        on_commit: called after each commit, before its caller gets the result.
        reloading: reloads the certificates of the connection.
        directory: the data directory, if it is used.
        progress: of the migration, then of the writer.

    Raises:
        StartError: the storage cannot be used; the text has the reason.
    """
    if settings.mode == "cloud":
        storages = _postgres(settings, on_commit, reloading, progress)
    else:
        storages = _sqlite(settings, on_commit, directory, progress)
    async with storages as storage:
        yield storage


@contextlib.asynccontextmanager
async def _sqlite(
    settings: Settings, on_commit: Callable[[Effects], None], directory: DataDirectory | None, progress: Progress
) -> AsyncIterator[Storage]:
    with contextlib.closing(SqliteDatabase(settings.data_dir / DATABASE, progress=progress)) as database:
        incomplete = _incompleteness(database, directory.left if directory else ())
        keyring = _recorded_keyring(settings, database)
        database.use(have_reader=bool(settings.event_stream))
        if directory:
            directory.served()
        async with SqliteStore(database, store_limits(settings), on_commit) as store:
            yield Storage(
                "sqlite", store, store.clock, store.writer, store.activity, keyring, PROBE_SECONDS, _SENDER, incomplete
            )


def _incompleteness(database: SqliteDatabase, old: Sequence[str]) -> str:
    """The detectable loss of the database, a key of `completeness.TEXTS`, or ""; logs it."""
    found = completeness.LOG_MISSING if database.lacks_log else ""
    if old and database.is_new():
        found = completeness.BEGUN_ANEW
    if found:
        _log.error(completeness.TEXTS[found], extra={"database": str(database.path), "found_beside_it": old})
    return found


def _recorded_keyring(settings: Settings, database: SqliteDatabase) -> Keyring:
    """The keyring, after comparing its peppers with those of the database; the first start creates a pepper."""
    paths = pepper.locate(settings.data_dir, settings.pepper_files, pepper.systemd_credentials())
    own = settings.data_dir / "pepper"
    if paths == (own,) and not own.exists() and not database.has_peppers():
        pepper.make(own)
    keyring = keyring_of(settings, paths)
    database.record_peppers(keyring.check_values())
    _check_argon2(keyring, database.argon2_schemes())
    return keyring


@contextlib.asynccontextmanager
async def _postgres(
    settings: Settings, on_commit: Callable[[Effects], None], reloading: Reloading, progress: Progress
) -> AsyncIterator[Storage]:
    keyring = keyring_of(settings, given_peppers(settings))
    database = await postgres_database(settings, reloading, progress=progress)
    try:
        await database.check_connections(settings.db_max_connections, settings.workers)
        await database.record_peppers(keyring.check_values())
        _check_argon2(keyring, await database.argon2_schemes())
    finally:
        await database.close()
    async with postgres_store(settings, database, on_commit) as store:
        yield Storage("postgresql", store, store.clock, store.writer, store.activity, keyring, _CLOUD_PROBE_SECONDS, new_uuid())


async def postgres_database(
    settings: Settings, reloading: Reloading | None = None, *, upgrade: bool = True, progress: Progress | None = None
) -> "PostgresDatabase":
    """The PostgreSQL database that the settings name; `progress` receives the steps of its migration.

    Raises:
        StartError: the database cannot be used, or asyncpg is not installed.
    """
    require_asyncpg()
    from edgeclients.store.postgres.store import PostgresDatabase

    return await PostgresDatabase.opened(address_of(settings, reloading), upgrade=upgrade, progress=progress)


def require_asyncpg() -> None:
    """Return if asyncpg, the PostgreSQL driver, is installed.

    Raises:
        StartError: it is not.
    """
    if importlib.util.find_spec("asyncpg") is None:
        raise StartError("PostgreSQL needs asyncpg, which is not installed: install edgeclients[cloud]")


def postgres_store(
    settings: Settings, database: "PostgresDatabase", on_commit: Callable[[Effects], None], connections: int | None = None
) -> "PostgresStore":
    """The store on an opened database, with `connections`, or else as many as the settings allow."""
    from edgeclients.store.postgres.store import PostgresStore

    most = connections or settings.db_max_connections
    return PostgresStore(database.address, most, store_limits(settings), on_commit, database.time, progress=database.progress)


def given_peppers(settings: Settings) -> Sequence[Path]:
    """The files of the peppers in cloud mode, where all processes use the same peppers and none creates one.

    Raises:
        StartError: no file is named.
    """
    paths = pepper.given(settings.pepper_files, pepper.systemd_credentials())
    if not paths:
        raise StartError(
            "cloud mode creates no pepper: write 32 random bytes to a file, the same for every process, and set "
            "MG_CLIENTS_PEPPER_FILE to it"
        )
    return paths


def keyring_of(settings: Settings, paths: Iterable[Path]) -> Keyring:
    """The keyring of the peppers in these files.

    Raises:
        StartError: a file holds no pepper.
    """
    return Keyring([pepper.read(path) for path in paths], settings.argon2_memory_kib, settings.argon2_passes)


def store_limits(settings: Settings) -> StoreLimits:
    """The limits of the store."""
    return StoreLimits(
        OutboxBounds(settings.outbox_max_rows, settings.outbox_max_bytes),
        settings.write_queue,
        settings.query_timeout,
        settings.activity_flush,
    )


def _check_argon2(keyring: Keyring, schemes: Iterable[str]) -> None:
    in_use = {Argon2.parse(text) for text in schemes} | {keyring.argon2}
    if len({(scheme.memory_kib, scheme.passes) for scheme in in_use}) > _ARGON2_SETS:
        raise StartError(
            "chosen secrets already use two other sets of argon2 parameters: keep MG_CLIENTS_ARGON2_MEMORY_KIB and _PASSES "
            "until one of these sets is out of use"
        )


def address_of(settings: Settings, reloading: Reloading | None = None) -> "PostgresAddress":
    """The address, user and TLS context for PostgreSQL.

    Args:
        settings: the settings with the address.
        reloading: reloads the certificates of the connection; None if they are never reloaded.

    Raises:
        StartError: a certificate or key cannot be read.
    """
    from edgeclients.store.postgres.connect import PostgresAddress

    context = None
    if settings.db_ssl_mode != "disable":
        context = _tls(settings, reloading or Reloading())
    return PostgresAddress(settings.db_host, settings.db_port, settings.db_user, settings.db_pass, settings.db_name, context)


def _tls(settings: Settings, reloading: Reloading) -> Callable[[], ssl.SSLContext]:
    prefix = "MG_CLIENTS_DB_SSL"
    mode, certificate, key, root = settings.db_ssl_mode, settings.db_ssl_cert, settings.db_ssl_key, settings.db_ssl_root_cert
    named = {f"{prefix}_CERT": certificate, f"{prefix}_KEY": key, f"{prefix}_ROOT_CERT": root}
    return reloading.keep(named, lambda: tls.to_server(mode, certificate, key, root, prefix))
