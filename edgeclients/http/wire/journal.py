"""Query parameters and pages of the journal (schema/README.md#journal)."""

import re
from typing import Any, Final

import msgspec
from msgspec import UNSET, Struct, UnsetType

from edgeclients.errors import InvalidQuery
from edgeclients.http.wire.parameters import (
    LIMIT,
    OFFSET,
    STRING,
    Parameter,
    Parameters,
    boolean,
    by_name,
    number,
    read,
    slice_of,
)
from edgeclients.http.wire.query import descending, direction
from edgeclients.model import JournalFilter, JournalPage, JournalPlace, Recorded, rfc3339
from edgeclients.times import SECOND

_PLACE = re.compile(r"([0-9]{1,18})_(-1|[0-9]{1,18})_([0-9a-f-]{36})?")
_LATEST_SECONDS = 2**31 - 1  # as in Magistrala's Journal service


class JournalBody(Struct, omit_defaults=True):
    """One entry."""

    operation: str
    occurred_at: str
    domain: str = ""
    attributes: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None


class JournalPageBody(Struct, kw_only=True):
    """One page of the journal; `next` is `after` of the next page, missing in the last. Only the first has `total`."""

    total: int | UnsetType = UNSET
    offset: int
    limit: int
    journals: tuple[JournalBody, ...]
    next: str | UnsetType = UNSET


class Query(Struct, frozen=True):
    """What a request wants to see."""

    wanted: JournalFilter
    with_attributes: bool
    with_metadata: bool
    everything: bool


def read_query(query: bytes, parameters: Parameters) -> Query:
    """The query of a request.

    Raises:
        InvalidQuery, InvalidLimit, InvalidDirection: a parameter is not valid.
    """
    values = read(query, parameters)
    offset, limit = slice_of(values)
    wanted = JournalFilter(
        offset=offset,
        limit=limit,
        descending=descending(values, "desc"),
        after=values.get("after"),
        client_id=values.get("client") or None,
        operation=values.get("operation") or None,
        since=values.get("from"),
        until=None if values.get("to") is None else values["to"] + SECOND - 1,
    )
    shown = (values.get(name, False) for name in ("with_attributes", "with_metadata", "everything"))
    return Query(wanted, *shown)


def to_page(page: JournalPage, query: Query) -> JournalPageBody:
    """The body of a page."""
    following = "{}_{}_{}".format(*page.last) if page.last and len(page.entries) == query.wanted.limit else UNSET
    return JournalPageBody(
        total=UNSET if page.total is None else page.total,
        offset=query.wanted.offset,
        limit=query.wanted.limit,
        journals=tuple(_body(entry, query) for entry in page.entries),
        next=following,
    )


def _body(entry: Recorded, query: Query) -> JournalBody:
    return JournalBody(
        entry.operation,
        rfc3339(entry.at),
        entry.domain_id,
        _attributes(entry) if query.with_attributes else None,
        {} if query.with_metadata else None,
    )


def _attributes(entry: Recorded) -> dict[str, Any]:
    own = {"id": entry.client_id, "user_id": entry.user_id}
    return {**{name: value for name, value in own.items() if value}, **msgspec.json.decode(entry.attributes)}


def _seconds(text: str) -> int | None:
    value = number(text)
    if value > _LATEST_SECONDS:
        raise InvalidQuery("no time in seconds since 1970")
    return value * SECOND if value else None


def _place(text: str) -> JournalPlace | None:
    if not text:
        return None
    found = _PLACE.fullmatch(text)
    if found is None:
        raise InvalidQuery("not a place")
    return JournalPlace(int(found[1]), int(found[2]), found[3] or "")


_TIME: Final = {"type": "integer", "minimum": 0, "maximum": _LATEST_SECONDS}
_FLAG: Final = {"type": "boolean", "default": False}

PARAMETERS: Final = by_name(
    OFFSET,
    LIMIT,
    direction("desc"),
    Parameter("after", _place, {"type": "string", "pattern": f"^({_PLACE.pattern})?$"}, "`next` of the page before."),
    Parameter("operation", str, STRING, "Only entries with this operation, such as `client.update`."),
    Parameter("from", _seconds, _TIME, "Only entries from this time on, in seconds since 1970; 0: from the first."),
    Parameter("to", _seconds, _TIME, "Only entries until this time, in seconds since 1970; 0: until the last."),
    Parameter("with_attributes", boolean, _FLAG, "Show who changed what, from where, before and after."),
    Parameter("with_metadata", boolean, _FLAG, "Show an empty `metadata`; the journal keeps no values of metadata."),
)
EVERYTHING: Final = Parameter("everything", boolean, _FLAG, "The entries of all domains, for super admins.")
CLIENT: Final = Parameter("client", str, STRING, "Only entries about the client with this id.")
DOMAIN_PARAMETERS: Final = {**PARAMETERS, **by_name(CLIENT, EVERYTHING)}
