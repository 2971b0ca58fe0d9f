"""Routes of the parent group of a client (schema/README.md#parent-groups)."""

from litestar import delete, post
from litestar.handlers import BaseRouteHandler
from litestar.response.base import ASGIResponse

from edgeclients.core.parents import Parents
from edgeclients.errors import (
    GroupNotEnabled,
    GroupOfOtherDomain,
    HasParent,
    InvalidId,
    MissingParentGroup,
    NotFound,
    SameParent,
)
from edgeclients.http.wire.answers import empty
from edgeclients.http.wire.call import Call, body_of, session_of
from edgeclients.http.wire.clients import SetParent, decoder
from edgeclients.http.wire.docs import BODY_ERRORS, CLIENT_ERRORS, GROUP_ID, STORE_ERRORS, describe

_set = decoder(SetParent)


def routes(parents: Parents) -> list[BaseRouteHandler]:
    """The routes of `parents`."""

    @post(
        "/{client_id:str}/parent",
        **describe(
            "setClientParentGroup",
            "Set the parent group of a client",
            "Fails with a conflict if the client has a parent group.",
            errors=(
                *BODY_ERRORS,
                MissingParentGroup,
                InvalidId,
                NotFound,
                HasParent,
                SameParent,
                GroupOfOtherDomain,
                GroupNotEnabled,
                *STORE_ERRORS,
            ),
            body=SetParent,
            body_example={"parent_group_id": GROUP_ID},
        ),
    )
    async def set_parent(request: Call, client_id: str) -> ASGIResponse:
        body: SetParent = await body_of(request, _set)
        await parents.set(session_of(request), client_id, body.parent_group_id or "")
        return empty(200)

    @delete(
        "/{client_id:str}/parent",
        **describe(
            "removeClientParentGroup",
            "Remove a client from its parent group",
            "Does nothing if the client has no parent group.",
            status=204,
            errors=CLIENT_ERRORS,
        ),
    )
    async def remove_parent(request: Call, client_id: str) -> ASGIResponse:
        await parents.remove(session_of(request), client_id)
        return empty(204)

    return [set_parent, remove_parent]
