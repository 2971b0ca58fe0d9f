"""How routes describe themselves: what the decorators of Litestar are given, and what `openapi` adds from `opt`."""

from collections.abc import Iterable, Sequence
from typing import Any

from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import Example

from edgeclients.errors import DomainError, Internal, MissingDomain, MissingToken, Unauthenticated, row_of
from edgeclients.http.failures import ErrorBody

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

_ALWAYS: tuple[type[DomainError], ...] = (Internal,)
_ON_PROTECTED: tuple[type[DomainError], ...] = (MissingToken, Unauthenticated, MissingDomain)


def describe(
    operation: str,
    summary: str,
    *,
    status: int = 200,
    answer: Any = None,
    example: Any = None,
    errors: Sequence[type[DomainError]] = (),
    body: Any = None,
    body_example: Any = None,
    query: Iterable[Any] = (),
    tag: str = "clients",
    protected: bool = True,
    media_type: str = "application/json",
    headers: Sequence[str] = (),
) -> dict[str, Any]:
    """What a route decorator takes to document a route.

    Args:
        operation: its operation id.
        summary: one line.
        status: of success.
        answer: type of the body on success; None for no body.
        example: of that body.
        errors: what can go wrong, beyond what can everywhere.
        body: type of the request's body; None for none.
        body_example: of that.
        query: query parameters, as `query.Parameter`.
        tag: the group it is shown in.
        protected: whether a bearer token is needed.
        media_type: of the answer.
        headers: of the answer, by name.
    """
    possible = (*(_ON_PROTECTED if protected else ()), *errors, *_ALWAYS)
    success = ResponseSpec(
        answer,
        description=summary,
        generate_examples=False,
        media_type=media_type,
        examples=None if example is None else [Example(summary="an answer", value=example)],
    )
    return {
        "operation_id": operation,
        "summary": summary,
        "tags": [tag],
        # Litestar lets no handler that returns something have 204; the answer says it itself.
        "status_code": 200 if status == 204 else status,
        "responses": {status: success, **_error_responses(possible)},
        "security": [{"operator": []}] if protected else [],
        "opt": {
            "status": status,
            "body": body,
            "body_example": body_example,
            "query": tuple(query),
            "answer_headers": tuple(headers),
        },
    }


def _error_responses(errors: Sequence[type[DomainError]]) -> dict[int, ResponseSpec]:
    rows = sorted({row_of(error()) for error in errors}, key=lambda row: (row.http, row.code))
    by_status: dict[int, list[Example]] = {}
    for row in rows:
        example = Example(row.code, summary=row.message, value={"message": row.message, "error": row.code})
        by_status.setdefault(row.http, []).append(example)
    return {
        status: ResponseSpec(
            ErrorBody,
            description=" · ".join(str(e.summary) for e in examples),
            generate_examples=False,
            examples=examples,
        )
        for status, examples in by_status.items()
    }
