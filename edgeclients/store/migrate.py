"""Migrations: numbered SQL files, recorded with a checksum. Files are only added. Both engines use this."""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from edgeclients.errors import StartError

_NAME = re.compile(r"(\d{4})_(\w+)\.sql")


class Migration(NamedTuple):
    """One step of the schema."""

    version: int
    name: str
    sql: str
    checksum: str

    @property
    def rebuilds(self) -> bool:
        """Whether it fills a new file instead of changing the old one; SQLite only."""
        return self.sql.startswith("-- Rebuild:")


_cached: dict[Path, tuple[Migration, ...]] = {}


def keep(folder: Path) -> None:
    """Read the migrations of `folder` now, so that `available` needs no access to the files later."""
    _cached[folder] = available(folder)


def available(folder: Path) -> tuple[Migration, ...]:
    """The migrations in `folder`, in order.

    Raises:
        StartError: there are none, or their numbers have a gap.
    """
    if folder in _cached:
        return _cached[folder]
    found = []
    for path in sorted(folder.glob("*.sql")):
        match = _NAME.fullmatch(path.name)
        if match:
            sql = path.read_text(encoding="utf-8")
            found.append(Migration(int(match[1]), match[2], sql, hashlib.sha256(sql.encode()).hexdigest()))
    if not found or [m.version for m in found] != list(range(1, len(found) + 1)):
        raise StartError(f"the schema files in {folder} are not complete: reinstall edgeclients")
    return tuple(found)


def pending(migrations: tuple[Migration, ...], applied: Mapping[int, str], database: str) -> tuple[Migration, ...]:
    """Those of `migrations` that a database lacks.

    Args:
        migrations: those of this program.
        applied: checksum by version, as recorded in the database.
        database: its name, for the error.

    Raises:
        StartError: the schema is newer than this program, or was made by other files.
    """
    if applied and max(applied) > len(migrations):
        raise StartError(
            f"{database} has schema {max(applied)}, this program knows {len(migrations)}: "
            "run a newer edgeclients, or restore the backup made before the upgrade"
        )
    for migration in migrations:
        recorded = applied.get(migration.version)
        if recorded is not None and recorded != migration.checksum:
            raise StartError(
                f"{database} was migrated by a different {migration.version:04}_{migration.name}.sql: "
                "run the edgeclients that made it"
            )
    return migrations[len(applied) :]
