"""Lists of retiring secrets."""

from collections.abc import Sequence
from typing import Any, Final

from edgeclients.model import RetiringSecret
from edgeclients.store.sqlite.ids import uuid_text
from edgeclients.store.sqlite.names import numbered

_COLUMNS = "c.id, c.name, coalesce(c.external_id, ''), c.status, r.retired_at, r.expires_at, r.counted_from, r.last_used_at"

OF_DOMAIN: Final = f"""
SELECT {_COLUMNS} FROM retirement_rows r CROSS JOIN client_rows c ON c.n = r.client
WHERE r.domain = {numbered("?1")} AND r.expires_at >= ?2 AND (r.expires_at > ?2 OR c.id > ?3)
ORDER BY r.expires_at, c.id LIMIT ?4
"""

OF_CLIENT: Final = f"""
SELECT {_COLUMNS} FROM client_rows c CROSS JOIN retirement_rows r ON r.client = c.n WHERE c.id = ? ORDER BY r.expires_at
"""


def to_retiring(rows: Sequence[Sequence[Any]]) -> tuple[RetiringSecret, ...]:
    """The secrets in rows of these statements."""
    return tuple(RetiringSecret(uuid_text(row[0]), *row[1:]) for row in rows)
