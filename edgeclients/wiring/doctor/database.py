"""What the databases in the data directory say of themselves; they are only read, beside a service that runs or does not."""

import contextlib
import sqlite3
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from edgeclients.errors import StartError
from edgeclients.files import schema_path
from edgeclients.store.datadir import is_locked
from edgeclients.store.migrate import available
from edgeclients.store.pepper import compare
from edgeclients.store.sqlite import activity, completeness, migration, peppers, quiet, relay
from edgeclients.store.sqlite.database import start_errors
from edgeclients.wiring.doctor.check import Check
from edgeclients.wiring.doctor.clock import clock
from edgeclients.wiring.doctor.outbox import lag

_RESTORE = "restore the newest backup"


def examine(path: Path, given: Mapping[str, bytes] | StartError, *, has_stream: bool) -> Iterator[Check]:
    """The checks of the database at `path`.

    Args:
        path: the file.
        given: the check values of the peppers in the settings, by key id; or why there are none.
        has_stream: whether somebody is to get the events.
    """
    had_log = completeness.has_log(path)  # reading makes one for a moment
    try:
        with start_errors(path):
            connection = quiet.open_quietly(path)
    except StartError as error:
        yield Check.failed("integrity", error)
        return
    with contextlib.closing(connection):
        yield _integrity(connection, path, had_log=had_log)
        yield _activity(path.with_name(activity.FILE))
        try:
            with start_errors(path):
                schema = migration.version(connection, path, schema_path("sqlite"))
                is_current = schema == len(available(schema_path("sqlite")))
                yield _schema(schema, is_current=is_current)
                yield clock(quiet.stored_time(connection), time.time_ns() // 1000)
                yield _pepper(connection, given, is_current=is_current)
                if is_current:
                    yield lag(relay.state(connection), time.time_ns(), has_stream=has_stream)
        except StartError as error:
            yield Check.failed("schema", error)


def _integrity(connection: sqlite3.Connection, path: Path, *, had_log: bool) -> Check:
    try:
        quiet.check_integrity(connection)
        marked = "in_use" in quiet.columns(connection, "store_state") and completeness.is_marked(connection)
    except sqlite3.Error as error:
        return Check.broken("integrity", f"{path} is damaged ({error})", _RESTORE)
    if marked and not had_log and not is_locked(path.parent):
        return Check.broken(
            "integrity", f"{path} was in use, and has no -wal file: the newest changes may be missing", _RESTORE
        )
    return Check.ok("integrity", f"{path.name} is whole")


def _activity(path: Path) -> Check:
    try:
        with contextlib.closing(quiet.open_quietly(path)) as connection:
            quiet.check_integrity(connection)
    except FileNotFoundError:
        return Check.ok("activity", f"there is no {path.name}: the service makes it at its start")
    except (sqlite3.Error, OSError) as error:
        return Check.warning("activity", f"{path} cannot be used ({error})", "restart the service, which recreates it")
    return Check.ok("activity", f"{path.name} is whole")


def _schema(schema: int, *, is_current: bool) -> Check:
    if is_current:
        return Check.ok("schema", f"schema {schema} is the current one")
    return Check.warning(
        "schema", f"schema {schema} is older than this program", "start the service, which migrates the database"
    )


def _pepper(connection: sqlite3.Connection, given: Mapping[str, bytes] | StartError, *, is_current: bool) -> Check:
    recorded = peppers.known(connection)
    if isinstance(given, StartError):
        if not recorded:
            return Check.ok("pepper", "no secret needs one yet")
        return Check.failed("pepper", given)
    try:
        if is_current:
            peppers.check(connection, given)
        else:
            compare(recorded, given, {key_id: 1 for key_id in recorded if not recorded.keys() & given.keys()})
    except StartError as error:
        return Check.failed("pepper", error)
    return Check.ok("pepper", f"it opens the stored secrets (key id {', '.join(given)})")
