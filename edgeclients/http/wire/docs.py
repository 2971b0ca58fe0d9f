"""Documentation of routes: arguments for Litestar's decorators, from which `openapi` builds the document."""

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple, Self

from edgeclients.errors import (
    BodyTooLarge,
    Busy,
    DomainError,
    Forbidden,
    Internal,
    InvalidBody,
    MissingDomain,
    MissingToken,
    NotFound,
    Throttled,
    Unauthenticated,
    Unavailable,
    UnsupportedMediaType,
)
from edgeclients.http.wire.failures import JSON
from edgeclients.http.wire.parameters import Parameter

DESCRIBED: Final = "described"  # key of a route's `Described` in its `opt`

CLIENT_ID = "bb7edb32-2eac-4aad-aebe-ed96fe073879"
CHANNEL_ID = "d8e9c2f0-5a4b-4e0e-9c39-0d5e6f1a2b3c"
GROUP_ID = "6e0b5c1d-4f5a-4a53-8a0e-0c1b2d3e4f50"
ROLE_ID = "client_0b7c6a528a6e4a1b9a5f6a8f7d0f3c21"
DOMAIN_ID = "plant-7"

CLIENT_EXAMPLE: dict[str, Any] = {
    "id": CLIENT_ID,
    "name": "boiler",
    "external_id": "SN-00017",
    "tags": ["floor-1"],
    "domain_id": DOMAIN_ID,
    "credentials": {"identity": "boiler@plant-7"},
    "metadata": {"location": {"room": "b1"}},
    "created_at": "2026-11-23T10:15:30.25Z",
    "status": "enabled",
}

BODY_ERRORS: Final = (UnsupportedMediaType, InvalidBody, BodyTooLarge)
"""Errors of every route with a JSON body."""

STORE_ERRORS: Final = (Forbidden, Unavailable)
"""Errors of every route that reads or changes stored data."""

CLIENT_ERRORS: Final = (NotFound, *STORE_ERRORS)
"""Errors of every route of an existing client."""

_COMMON_ERRORS: tuple[type[DomainError], ...] = (Internal,)
_PROTECTED_ERRORS: tuple[type[DomainError], ...] = (MissingToken, Unauthenticated, MissingDomain, Throttled, Busy)


class Described(NamedTuple):
    """The documentation of a route; see `describe`."""

    operation: str
    summary: str
    details: str
    status: int
    answer: Any
    example: Any
    errors: Sequence[type[DomainError]]
    body: Any
    body_example: Any
    body_media: Sequence[str]
    query: Sequence[Parameter]
    tag: str
    protected: bool
    media_types: Sequence[str]
    headers: Sequence[str]

    def __deepcopy__(self, _: object) -> Self:
        return self  # Litestar deep-copies routes; this is immutable


def describe(
    operation: str,
    summary: str,
    details: str,
    *,
    status: int = 200,
    answer: Any = None,
    example: Any = None,
    errors: Sequence[type[DomainError]] = (),
    body: Any = None,
    body_example: Any = None,
    body_media: Sequence[str] = (JSON,),
    query: Iterable[Parameter] = (),
    tag: str = "clients",
    protected: bool = True,
    media_types: Sequence[str] = (JSON,),
    headers: Sequence[str] = (),
) -> dict[str, Any]:
    """Arguments for a route decorator that document the route.

    Args:
        operation: its operation id.
        summary: one line.
        details: what else a caller needs to know.
        status: HTTP status of success.
        answer: type of the response body on success; None for no body.
        example: an example of that body.
        errors: errors of this route, in addition to those of every route.
        body: type of the request body; None for no body; a tuple for exactly one of several.
        body_example: an example of that body.
        body_media: its media types.
        query: query parameters.
        tag: the group of the route in the document.
        protected: whether a bearer token is needed.
        media_types: of the response.
        headers: names of response headers.
    """
    described = Described(
        operation=operation,
        summary=summary,
        details=details,
        status=status,
        answer=answer,
        example=example,
        errors=(*(_PROTECTED_ERRORS if protected else ()), *errors, *_COMMON_ERRORS),
        body=body,
        body_example=body_example,
        body_media=tuple(body_media),
        query=tuple(query),
        tag=tag,
        protected=protected,
        media_types=tuple(media_types),
        headers=tuple(headers),
    )
    # Litestar rejects 204 for a handler that returns a response; that response has the status.
    return {"operation_id": operation, "status_code": 200 if status == 204 else status, "opt": {DESCRIBED: described}}
