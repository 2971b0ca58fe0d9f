"""How routes describe themselves: what the decorators of Litestar are given, and what `openapi` makes of it."""

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

DESCRIBED: Final = "described"  # where a route's `opt` holds what it says of itself

CLIENT_ID = "bb7edb32-2eac-4aad-aebe-ed96fe073879"
CHANNEL_ID = "d8e9c2f0-5a4b-4e0e-9c39-0d5e6f1a2b3c"
GROUP_ID = "6e0b5c1d-4f5a-4a53-8a0e-0c1b2d3e4f50"
ROLE_ID = "client_0b7c6a528a6e4a1b9a5f6a8f7d0f3c21"
DOMAIN_ID = "plant-7"

CLIENT_EXAMPLE: dict[str, Any] = {
    "id": CLIENT_ID,
    "name": "boiler",
    "tags": ["floor-1"],
    "domain_id": DOMAIN_ID,
    "credentials": {"identity": "boiler@plant-7"},
    "metadata": {"location": {"room": "b1"}},
    "created_at": "2026-11-23T10:15:30.25Z",
    "status": "enabled",
}

BODY_ERRORS: Final = (UnsupportedMediaType, InvalidBody, BodyTooLarge)
"""What can be wrong with a JSON body of any shape."""

STORE_ERRORS: Final = (Forbidden, Unavailable)
"""What a caller may meet on the way to whatever is stored."""

CLIENT_ERRORS: Final = (NotFound, *STORE_ERRORS)
"""The same on the way to a client that exists."""

_ALWAYS: tuple[type[DomainError], ...] = (Internal,)
_ON_PROTECTED: tuple[type[DomainError], ...] = (MissingToken, Unauthenticated, MissingDomain, Throttled, Busy)


class Described(NamedTuple):
    """What a route says of itself; see `describe`."""

    operation: str
    summary: str
    details: str
    status: int
    answer: Any
    example: Any
    errors: Sequence[type[DomainError]]
    body: Any
    body_example: Any
    query: Sequence[Parameter]
    tag: str
    protected: bool
    media_type: str
    headers: Sequence[str]

    def __deepcopy__(self, _: object) -> Self:
        return self  # Litestar copies a route with all that hangs on it


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
    query: Iterable[Parameter] = (),
    tag: str = "clients",
    protected: bool = True,
    media_type: str = JSON,
    headers: Sequence[str] = (),
) -> dict[str, Any]:
    """What a route decorator takes to document a route.

    Args:
        operation: its operation id.
        summary: one line.
        details: what a caller has to know beyond that.
        status: of success.
        answer: type of the body on success; None for no body.
        example: of that body.
        errors: what can go wrong, beyond what can everywhere.
        body: type of the request's body; None for none; several in a tuple: exactly one of them.
        body_example: of that.
        query: query parameters.
        tag: the group it is shown in.
        protected: whether a bearer token is needed.
        media_type: of the answer.
        headers: of the answer, by name.
    """
    described = Described(
        operation=operation,
        summary=summary,
        details=details,
        status=status,
        answer=answer,
        example=example,
        errors=(*(_ON_PROTECTED if protected else ()), *errors, *_ALWAYS),
        body=body,
        body_example=body_example,
        query=tuple(query),
        tag=tag,
        protected=protected,
        media_type=media_type,
        headers=tuple(headers),
    )
    # Litestar lets no handler that returns something have 204; the answer says it itself.
    return {"operation_id": operation, "status_code": 200 if status == 204 else status, "opt": {DESCRIBED: described}}
