"""How far files were imported; see `ports.ImportTransaction`."""

from typing_extensions import override

from edgeclients.model import ImportProgress
from edgeclients.ports import ImportTransaction
from edgeclients.store.postgres.connect import Statements

_PROGRESS = "SELECT line, finished FROM imports WHERE domain_id = $1 AND source = $2"
_NOTE = """
INSERT INTO imports (domain_id, source, line, finished) VALUES ($1, $2, $3, $4)
ON CONFLICT (domain_id, source) DO UPDATE SET line = excluded.line, finished = excluded.finished
"""


class PostgresImports(ImportTransaction):
    """The part of a transaction that is about imports."""

    _connection: Statements

    @override
    async def import_progress(self, domain_id: str, source: str) -> ImportProgress:
        rows = await self._connection.fetch(_PROGRESS, domain_id, source)
        return ImportProgress(rows[0][0], bool(rows[0][1])) if rows else ImportProgress()

    @override
    async def note_import(self, domain_id: str, source: str, progress: ImportProgress) -> None:
        await self._connection.execute(_NOTE, domain_id, source, progress.line, int(progress.finished))
