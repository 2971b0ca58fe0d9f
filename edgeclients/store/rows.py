"""Conversion between rows and structs, as far as both engines share it."""

import unicodedata
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from edgeclients.model import (
    BY_DOMAIN,
    BY_GROUP,
    DIRECT,
    LAST_SEEN,
    UNSAID,
    Action,
    Client,
    Connection,
    ConnectionType,
    DomainStanding,
    Event,
    Gap,
    ListedClient,
    LocalOperator,
    OutboxState,
    Revocations,
    Role,
    RoleFilter,
    SecretRead,
    SecretRow,
    Viewer,
)
from edgeclients.store.clause import Clause
from edgeclients.times import DAY, FIRST, MINUTE

ROLE_COLUMNS = "r.id, r.entity_id, r.name, r.actions, r.created_at, r.created_by, r.updated_at, r.updated_by"

TOKEN_COLUMNS = "operator_id, name, digest, key_id, created_at, expires_at, last_used_at, counted_from"  # noqa: S105 - no password

_OPERATORS = (
    "SELECT o.id, o.name, o.created_at, d.domain_id, d.standing"
    " FROM operators o LEFT JOIN operator_domains d ON d.operator_id = o.id"
)
_BY_OPERATOR = "ORDER BY o.id, d.domain_id"

OPERATORS = f"{_OPERATORS} {_BY_OPERATOR}"

# Later than any time: a clock that is evidently wrong stays in doubt until it is right, and for a day after. The time is
# added, so that each commit changes the row.
_NEVER_STEADY = 1 << 62

_OUTBOX_STATE = """
SELECT r.store_id, s.outbox_rows, s.outbox_lost, {gap}, r.sent_through, r.sent_at,
    (SELECT min(seq) FROM outbox), (SELECT max(seq) FROM outbox),
    (SELECT occurred_at FROM outbox ORDER BY seq LIMIT 1)
FROM store_state s, relay r
"""

_SORT = {"name": "c.name", "created_at": "c.created_at"}
_MEMBER_SORT = {None: "", "role_name": "r.name {0}, ", "role_id": "r.id {0}, "}


def outbox_state(gap: str = "r.gap_rows, r.gap_first, r.gap_last") -> str:
    """The SQL of the outbox's state, with the unreported gap as this expression on `relay r` and `store_state s`."""
    return _OUTBOX_STATE.format(gap=gap)


def operators_where(condition: str) -> str:
    """`OPERATORS`, restricted to operators `o` that meet `condition`."""
    return f"{_OPERATORS} WHERE {condition} {_BY_OPERATOR}"


def count_from_now(made: str, now: str, ahead: str) -> str:
    """The assignment that starts the lifetime of a used credential now, on its first use after a wrong clock stamped it.

    See `times.ends_at`.

    Args:
        made: the column with its time of creation.
        now: the parameter with the current time.
        ahead: the parameter with the latest time of creation that a right clock can have stamped.
    """
    return (
        f"counted_from = CASE WHEN expires_at IS NULL OR {made} BETWEEN {FIRST} AND {ahead}"
        f" OR counted_from BETWEEN {FIRST} AND {ahead} THEN counted_from ELSE {now} END"
    )


def keep_time(at: str, plausible: str, jumped: str, *, greatest: str) -> str:
    """The assignments that store the `clock.Reading` of a commit: see `clock.StoredTime`.

    Args:
        at: the parameter with the reading's `at`.
        plausible: the parameter with its `plausible`.
        jumped: the parameter with its `jumped`.
        greatest: the engine's function for the larger of two numbers.
    """
    return (
        f"newest_at = CASE WHEN NOT {plausible} THEN newest_at"
        f" WHEN newest_at > {at} + {MINUTE} THEN {at} ELSE {greatest}(newest_at, {at}) END,"
        f" steady_since = CASE WHEN NOT {plausible} THEN {_NEVER_STEADY} + {at}"
        f" WHEN {jumped} OR newest_at > {at} + {DAY} OR steady_since > {at} THEN {at} ELSE steady_since END"
    )


def order_by(order: str, last_seen: str, changed: str = "c.changed_at", *, descending: bool) -> str:
    """The ORDER BY of a list of clients `c`.

    Args:
        order: `ClientFilter`'s.
        last_seen: the SQL of when a client was last seen.
        changed: the SQL of when it was changed or created.
        descending: the direction.
    """
    direction = "DESC" if descending else "ASC"
    if order == LAST_SEEN:
        return f"ORDER BY {last_seen} {direction} NULLS {'LAST' if descending else 'FIRST'}, c.id {direction}"
    column = {**_SORT, "updated_at": changed}[order]
    return f"ORDER BY {column} {direction}, c.id {direction}"


def members_order_by(order: str | None, *, descending: bool) -> str:
    """The ORDER BY of a list of members of roles `r`; `order` is `MemberFilter`'s."""
    direction = "DESC" if descending else "ASC"
    return f"ORDER BY {_MEMBER_SORT[order].format(direction)}r.member_id {direction}"


def role_conditions(wanted: RoleFilter, stored_id: Callable[[str], object] = str) -> list[Clause]:
    """The conditions that a role `r` must meet to match; a role without actions never matches.

    Args:
        wanted: the filter.
        stored_id: the form of a role's id in `r.id`.
    """
    conditions = [Clause("r.actions <> 0", ())]
    if wanted.actions is not None:
        conditions.append(Clause("r.actions & ? = ?", (int(wanted.actions), int(wanted.actions))))
    if wanted.role_id is not None:
        conditions.append(Clause("r.id = ?", (stored_id(wanted.role_id),)))
    if wanted.role_name is not None:
        conditions.append(Clause("r.name = ?", (wanted.role_name,)))
    if wanted.access_type not in {None, DIRECT} or wanted.access_provider_id is not None:
        conditions.append(Clause("FALSE", ()))
    return conditions


def to_listed(
    client: Client, types: tuple[ConnectionType, ...], role: Role | None, viewer: Viewer | None, last_seen: int | None
) -> ListedClient:
    """A row of a list; `role` is the viewer's role."""
    if viewer is None:
        return ListedClient(client, types, last_seen_at=last_seen)
    if role is not None:
        return ListedClient(client, types, role, DIRECT, last_seen)
    return ListedClient(client, types, None, BY_DOMAIN if viewer.everything else BY_GROUP, last_seen)


def to_types(added: int | None) -> tuple[ConnectionType, ...]:
    """The connection types with this sum: both add up to 3, and neither occurs twice."""
    if added is None:
        return ()
    return tuple(ConnectionType) if added == sum(ConnectionType) else (ConnectionType(added),)


def to_role(row: Sequence[Any]) -> Role:
    """The role in a row of `ROLE_COLUMNS`."""
    role_id, entity_id, name, actions, *rest = row
    return Role(role_id, entity_id, name, Action(actions), *rest)


def happened_at(event: Event, now: int) -> int:
    """When an event happened that enters the outbox now, in nanoseconds."""
    return now * 1000 if event.occurred_at == UNSAID else event.occurred_at


def to_connection(row: Sequence[Any]) -> Connection:
    """The connection in a row of channel_id, domain_id, client_id, type."""
    return Connection(row[0], row[1], row[2], ConnectionType(row[3]))


def to_secrets(rows: Sequence[Sequence[Any]], revision: int) -> SecretRead:
    """The secrets in rows of client_id, domain_id, status, secret, expires_at, retired_at, counted_from."""
    return SecretRead(revision, tuple(SecretRow(*row) for row in rows))


def to_operators(rows: Iterable[Sequence[Any]]) -> tuple[LocalOperator, ...]:
    """The operators in rows of `OPERATORS`: a row per domain, or one row without a domain."""
    domains: dict[tuple[str, str, int], dict[str, DomainStanding]] = {}
    for operator_id, name, created_at, domain_id, kind in rows:
        of_operator = domains.setdefault((operator_id, name, created_at), {})
        if domain_id is not None:
            of_operator[domain_id] = DomainStanding(kind)
    return tuple(LocalOperator(*operator, of_operator) for operator, of_operator in domains.items())


def to_outbox_state(row: Sequence[Any]) -> OutboxState:
    """The state in a row of `outbox_state`."""
    store_id, waiting, dropped, *gap, sent_through, sent_at, first, last, oldest_at = row
    return OutboxState(
        store_id=store_id,
        waiting=waiting,
        first=first,
        last=last,
        oldest_at=oldest_at,
        dropped=dropped,
        gap=Gap(*gap) if gap[0] else None,
        sent_through=sent_through or None,
        sent_at=sent_at,
    )


def to_revocations(rows: Sequence[Sequence[Any]]) -> Revocations:
    """The revocations in rows of newest revision, client_id, revision; the last two are NULL if there is none."""
    return Revocations(rows[0][0], tuple((client_id, revision) for _, client_id, revision in rows if client_id is not None))


def fold(text: str) -> str:
    """Text in the form in which names are compared: NFC of the case-folded NFC form."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())
