"""JSON and query of the list of retiring secrets (schema/README.md#retiring-secrets)."""

import re
from typing import Annotated, Final

from msgspec import UNSET, Struct, UnsetType

from edgeclients.core.events import status_name
from edgeclients.core.secrets.retiring import RetiringPage
from edgeclients.errors import InvalidQuery
from edgeclients.http.wire.clients import ShownStatus
from edgeclients.http.wire.fields import NO_NUL, Time, Uuid, shown
from edgeclients.http.wire.parameters import LIMIT, Parameter, by_name
from edgeclients.model import RetiringPlace, RetiringSecret, rfc3339

_PLACE = re.compile(r"([0-9]{1,18})_([0-9a-f-]{36})")
FIRST: Final = RetiringPlace(0, "")
"""The place before the first page."""


def _place(text: str) -> RetiringPlace:
    if not text:
        return FIRST
    found = _PLACE.fullmatch(text)
    if found is None:
        raise InvalidQuery("not a place")
    return RetiringPlace(int(found[1]), found[2])


PARAMETERS: Final = by_name(
    Parameter("client", str, {"type": "string", "pattern": NO_NUL}, "Only those of the client with this id."),
    Parameter("after", _place, {"type": "string", "pattern": f"^({_PLACE.pattern})?$"}, "`next` of the page before."),
    LIMIT,
)


class RetiringBody(Struct, kw_only=True):
    """A retiring secret; without `last_used_at` it was not used since it was replaced."""

    client_id: Uuid
    name: str
    external_id: str
    status: ShownStatus
    retired_at: Time
    expires_at: Time
    last_used_at: Time | UnsetType = UNSET


class RetiringPageBody(Struct):
    """Retiring secrets, the first to expire first; `next` is `after` of the next page, and missing in the last one."""

    secrets: list[RetiringBody]
    next: Annotated[str, shown(description="Where the next page begins.")] | UnsetType = UNSET


def to_page(page: RetiringPage) -> RetiringPageBody:
    """The response body of a page."""
    return RetiringPageBody([_to_body(one) for one in page.secrets], "{}_{}".format(*page.next) if page.next else UNSET)


def _to_body(one: RetiringSecret) -> RetiringBody:
    return RetiringBody(
        client_id=one.client_id,
        name=one.name,
        external_id=one.external_id,
        status=status_name(one.status),
        retired_at=rfc3339(one.retired_at),
        expires_at=rfc3339(one.expires_at),
        last_used_at=UNSET if one.last_used_at is None else rfc3339(one.last_used_at),
    )
