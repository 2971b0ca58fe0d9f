"""Lists of retiring secrets."""

from collections.abc import Sequence
from typing import Any, Final

from edgeclients.model import RetiringSecret

_COLUMNS = "c.id, c.name, c.external_id, c.status, r.retired_at, r.expires_at, r.counted_from, r.last_used_at"

# In an order that begins with the domain, which is one: only one index has it. Another would be read through other domains.
OF_DOMAIN: Final = f"""
SELECT {_COLUMNS} FROM secret_retirements r JOIN clients c ON c.id = r.client_id
WHERE (r.domain_id, r.expires_at, r.client_id) > ($1, $2, $3) AND r.domain_id <= $1
ORDER BY r.domain_id, r.expires_at, r.client_id LIMIT $4
"""

OF_CLIENT: Final = f"""
SELECT {_COLUMNS} FROM secret_retirements r JOIN clients c ON c.id = r.client_id WHERE r.client_id = $1 ORDER BY r.expires_at
"""


def to_retiring(rows: Sequence[Sequence[Any]]) -> tuple[RetiringSecret, ...]:
    """The secrets in rows of these statements."""
    return tuple(RetiringSecret(*row) for row in rows)
