"""Reads by key in the thread of the event loop: 6 µs, where a hop to another thread costs 20 to 80.

Each method fetches all rows and closes the statement: an open cursor would pin an old snapshot.
"""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgeclients.model import Client, DomainStanding, OperatorToken, OutboxState, Revocations, Role, SecretRead, Viewed
from edgeclients.store.rows import to_revocations, to_secrets
from edgeclients.store.sqlite import activity, operators, relay, roles
from edgeclients.store.sqlite.connect import open_reader
from edgeclients.store.sqlite.ids import uuid_bytes, uuid_text
from edgeclients.store.sqlite.names import numbered
from edgeclients.store.sqlite.rows import CLIENT_COLUMNS, SECRET, fetch, named, to_client
from edgeclients.store.sqlite.secrets import WITH_LOOKUP

_CLIENT = f"SELECT {CLIENT_COLUMNS} FROM client_rows c WHERE c.id = ?"

_VIEW = f"SELECT {CLIENT_COLUMNS}, (SELECT at FROM activity.seen_rows WHERE id = ?1) FROM client_rows c WHERE c.id = ?1"

_CURRENT = f"SELECT c.id, {named('c.domain')}, c.status, {SECRET.format('c')}, NULL, NULL, NULL, s.revision"
_RETIRING = f"SELECT c.id, {named('c.domain')}, c.status, r.secret, r.expires_at, r.retired_at, r.counted_from, s.revision"

# A row for each retiring secret, or one without: the client is looked up once.
_SECRETS_OF = f"""
SELECT
    {named("c.domain")}, c.status, {SECRET.format("c")}, r.secret, r.expires_at, r.retired_at, r.counted_from, s.revision
FROM store_state s JOIN client_rows c ON c.id = ?1 LEFT JOIN retirement_rows r ON r.client = c.n
"""

_SECRETS_BY_LOOKUP = f"""
{_CURRENT} FROM store_state s JOIN client_rows c ON {WITH_LOOKUP.format("c", "?1")}
UNION ALL
{_RETIRING} FROM store_state s JOIN retirement_rows r ON r.lookup = ?1 JOIN client_rows c ON c.n = r.client
"""

_REVOCATIONS = """
SELECT s.revision, r.client_id, r.revision FROM store_state s LEFT JOIN revocations r ON r.revision > ? ORDER BY r.revision
"""

# Steps from one scheme to the next in the index: DISTINCT would scan every chosen secret of the domain.
_SCHEMES = f"""
WITH RECURSIVE
of_clients (scheme) AS (
    SELECT min(secret_scheme) FROM client_rows WHERE domain = {numbered("?1")} AND secret_scheme IS NOT NULL
    UNION ALL
    SELECT (SELECT min(secret_scheme) FROM client_rows WHERE domain = {numbered("?1")} AND secret_scheme > scheme)
    FROM of_clients WHERE scheme IS NOT NULL
),
of_retirements (scheme) AS (
    SELECT min(secret_scheme) FROM retirement_rows WHERE domain = {numbered("?1")} AND secret_scheme IS NOT NULL
    UNION ALL
    SELECT (SELECT min(secret_scheme) FROM retirement_rows WHERE domain = {numbered("?1")} AND secret_scheme > scheme)
    FROM of_retirements WHERE scheme IS NOT NULL
)
SELECT name FROM names WHERE n IN (SELECT scheme FROM of_clients UNION SELECT scheme FROM of_retirements) ORDER BY name
"""


class Reader:
    """Reads by primary key or unique index; each raises `sqlite3.Error` untranslated."""

    def __init__(self, path: Path, busy_timeout_ms: int = 0) -> None:
        self._connection = open_reader(path, busy_timeout_ms)
        try:
            self._run(activity.attaching(path))
        except BaseException:
            self._connection.close()
            raise

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def client(self, client_id: str) -> Client | None:
        """`Store.client`."""
        rows = self._all(_CLIENT, (uuid_bytes(client_id),))
        return to_client(rows[0]) if rows else None

    def view(self, client_id: str) -> Viewed | None:
        """The part of `Store.view` that the files hold."""
        try:
            rows = self._all(_VIEW, (uuid_bytes(client_id),))
        except sqlite3.Error as error:
            if not activity.is_damage(error):
                raise
            self._run(activity.detaching())
            rows = self._all(_VIEW, (uuid_bytes(client_id),))  # raises if the database itself is damaged
        return Viewed(to_client(rows[0][:-1]), rows[0][-1]) if rows else None

    def secrets_of(self, client_id: str) -> SecretRead:
        """`Store.secrets_of`."""
        rows = self._all(_SECRETS_OF, (uuid_bytes(client_id),))
        if not rows:
            return to_secrets([], 0)
        domain_id, status, current, *_, revision = rows[0]
        retiring = [(client_id, domain_id, status, *row[3:7]) for row in rows if row[3] is not None]
        return to_secrets([(client_id, domain_id, status, current, None, None, None), *retiring], revision)

    def secrets_by_lookup(self, lookups: Sequence[bytes]) -> SecretRead:
        """`Store.secrets_by_lookup`."""
        # From the oldest pepper's digest to the newest: a secret changes in this direction, so no concurrent change is missed.
        reads = [_secrets(self._all(_SECRETS_BY_LOOKUP, (lookup,))) for lookup in reversed(lookups)]
        # The oldest of the revisions: rows that were read at a newer one are only more recent.
        revision = min((read.revision for read in reads if read.rows), default=0)
        return SecretRead(revision, tuple(row for read in reads for row in read.rows))

    def revocations(self, after: int) -> Revocations:
        """`Store.revocations`."""
        return to_revocations(self._all(_REVOCATIONS, (after,)))

    def schemes(self, domain_id: str) -> tuple[str, ...]:
        """`Store.schemes`."""
        return tuple(scheme for (scheme,) in self._all(_SCHEMES, (domain_id,)))

    def role(self, client_id: str, role_id: str) -> Role | None:
        """`Store.role`."""
        return roles.role(self._connection, client_id, role_id)

    def role_held(self, client_id: str, member_id: str) -> Role | None:
        """`Store.role_held`."""
        return roles.held(self._connection, client_id, member_id)

    def operator_token(self, digests: Sequence[bytes]) -> OperatorToken | None:
        """`Store.operator_token`."""
        return operators.token(self._connection, digests)

    def operator_standing(self, operator_id: str, domain_id: str) -> DomainStanding | None:
        """`Store.operator_standing`."""
        return operators.standing(self._connection, operator_id, domain_id)

    def outbox_state(self) -> OutboxState:
        """`Store.outbox_state`."""
        return relay.state(self._connection)

    def _run(self, statements: list[activity.Statement]) -> None:
        for statement in statements:
            self._connection.execute(*statement)

    def _all(self, sql: str, parameters: Sequence[object]) -> list[Any]:
        return fetch(self._connection, sql, parameters)


def _secrets(rows: list[Any]) -> SecretRead:
    return to_secrets([(uuid_text(row[0]), *row[1:7]) for row in rows], rows[0][7] if rows else 0)
