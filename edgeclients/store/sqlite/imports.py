"""How far files were imported; see `ports.ImportTransaction`."""

import sqlite3

from typing_extensions import override

from edgeclients.model import ImportProgress
from edgeclients.ports import ImportTransaction
from edgeclients.store.sqlite.rows import fetch

_PROGRESS = "SELECT line, finished FROM imports WHERE domain_id = ? AND source = ?"
_NOTE = """
INSERT INTO imports (domain_id, source, line, finished) VALUES (?, ?, ?, ?)
ON CONFLICT (domain_id, source) DO UPDATE SET line = excluded.line, finished = excluded.finished
"""


class SqliteImports(ImportTransaction):
    """The part of a transaction that is about imports."""

    _connection: sqlite3.Connection

    @override
    async def import_progress(self, domain_id: str, source: str) -> ImportProgress:
        rows = fetch(self._connection, _PROGRESS, (domain_id, source))
        return ImportProgress(rows[0][0], bool(rows[0][1])) if rows else ImportProgress()

    @override
    async def note_import(self, domain_id: str, source: str, progress: ImportProgress) -> None:
        self._connection.execute(_NOTE, (domain_id, source, progress.line, int(progress.finished)))
