"""Routes of the members of a role, and of all members of a client's roles (schema/README.md#members)."""

from litestar import get, post
from litestar.handlers import BaseRouteHandler
from litestar.response.base import ASGIResponse

from edgeclients.core.members import Members
from edgeclients.errors import (
    InvalidDirection,
    InvalidLimit,
    InvalidQuery,
    LastManagingRole,
    MalformedRequest,
    MemberOfOtherRole,
    MemberOfRole,
    MissingMembers,
    QueryTimedOut,
    TooManyElements,
)
from edgeclients.http.wire.answers import answer, empty
from edgeclients.http.wire.call import Call, body_of, session_of
from edgeclients.http.wire.clients import decoder
from edgeclients.http.wire.docs import BODY_ERRORS, CLIENT_ERRORS, ROLE_ID, describe
from edgeclients.http.wire.parameters import LIMIT, OFFSET, SLICE, STRING, Parameter, by_name, read, slice_of
from edgeclients.http.wire.query import (
    ACCESS_TYPE,
    ACTIONS,
    ROLE_ID_FILTER,
    ROLE_NAME,
    descending,
    direction,
    role_filter,
)
from edgeclients.http.wire.roles import (
    MemberList,
    MemberPageBody,
    MembersBody,
    MembershipPageBody,
    to_member_page,
    to_membership_page,
)
from edgeclients.model import MemberFilter

_members = decoder(MemberList)

_MEMBER_ERRORS = (MissingMembers, MalformedRequest, TooManyElements)
_ORDERS = {"role_name", "role_id"}  # every other order means the default
_FILTERS = by_name(
    OFFSET,
    LIMIT,
    direction("asc"),
    Parameter("order", str, STRING, "Field to sort by: `role_name` or `role_id`; any other value: the member's id."),
    Parameter(
        "access_provider_id",
        str,
        STRING,
        "Only access granted by this group or domain, which excludes access by a role of the client.",
    ),
    ROLE_ID_FILTER,
    ROLE_NAME,
    ACTIONS,
    ACCESS_TYPE,
)
_EXAMPLE = {"members": ["bob", "carol"]}


def routes(members: Members) -> list[BaseRouteHandler]:
    """The routes of `members`."""

    @get(
        "/{client_id:str}/roles/members",
        **describe(
            "listClientMembers",
            "List the members of all roles of a client",
            "Returns one page of members with their roles. Access granted by a domain or a parent group is not listed.",
            answer=MembershipPageBody,
            example={
                "total": 1,
                "offset": 0,
                "limit": 10,
                "members": [
                    {
                        "member_id": "bob",
                        "roles": [
                            {"role_id": ROLE_ID, "role_name": "technician", "actions": ["read"], "access_type": "direct"}
                        ],
                    }
                ],
            },
            errors=(InvalidQuery, InvalidLimit, InvalidDirection, QueryTimedOut, *CLIENT_ERRORS),
            query=_FILTERS.values(),
            tag="roles",
        ),
    )
    async def list_client_members(request: Call, client_id: str) -> ASGIResponse:
        member_filter = _to_filter(request.scope["query_string"])
        page = await members.effective(session_of(request), client_id, member_filter)
        return answer(to_membership_page(page, member_filter.offset, member_filter.limit))

    @post(
        "/{client_id:str}/roles/{role_id:str}/members",
        **describe(
            "addClientRoleMembers",
            "Add members to a role, all or none",
            "The call fails with a conflict if one of them already has a role of this client.",
            answer=MembersBody,
            example=_EXAMPLE,
            errors=(*BODY_ERRORS, *_MEMBER_ERRORS, MemberOfRole, MemberOfOtherRole, *CLIENT_ERRORS),
            body=MemberList,
            body_example=_EXAMPLE,
            tag="roles",
        ),
    )
    async def add_members(request: Call, client_id: str, role_id: str) -> ASGIResponse:
        body: MemberList = await body_of(request, _members)
        added = body.members or ()
        await members.add(session_of(request), client_id, role_id, added)
        return answer(MembersBody(added))

    @get(
        "/{client_id:str}/roles/{role_id:str}/members",
        **describe(
            "listClientRoleMembers",
            "List the members of a role",
            "Returns one page of member ids.",
            answer=MemberPageBody,
            example={"total": 2, "offset": 0, "limit": 10, **_EXAMPLE},
            errors=(InvalidQuery, InvalidLimit, QueryTimedOut, *CLIENT_ERRORS),
            query=SLICE.values(),
            tag="roles",
        ),
    )
    async def list_members(request: Call, client_id: str, role_id: str) -> ASGIResponse:
        offset, limit = slice_of(read(request.scope["query_string"], SLICE))
        page = await members.page(session_of(request), client_id, role_id, offset, limit)
        return answer(to_member_page(page, offset, limit))

    @post(
        "/{client_id:str}/roles/{role_id:str}/members/delete",
        **describe(
            "deleteClientRoleMembers",
            "Remove members from a role",
            "Ids that are not members are ignored. Fails with 409 if nobody could manage roles afterwards.",
            status=204,
            errors=(*BODY_ERRORS, *_MEMBER_ERRORS, LastManagingRole, *CLIENT_ERRORS),
            body=MemberList,
            body_example=_EXAMPLE,
            tag="roles",
        ),
    )
    async def delete_members(request: Call, client_id: str, role_id: str) -> ASGIResponse:
        body: MemberList = await body_of(request, _members)
        await members.remove(session_of(request), client_id, role_id, body.members or ())
        return empty(204)

    @post(
        "/{client_id:str}/roles/{role_id:str}/members/delete-all",
        **describe(
            "deleteAllClientRoleMembers",
            "Remove all members from a role",
            "The role keeps its actions. Fails with 409 if nobody could manage roles afterwards.",
            status=204,
            errors=(LastManagingRole, *CLIENT_ERRORS),
            tag="roles",
        ),
    )
    async def delete_all_members(request: Call, client_id: str, role_id: str) -> ASGIResponse:
        await members.remove_all(session_of(request), client_id, role_id)
        return empty(204)

    return [list_client_members, add_members, list_members, delete_members, delete_all_members]


def _to_filter(query: bytes) -> MemberFilter:
    values = read(query, _FILTERS)
    offset, limit = slice_of(values)
    order = values.get("order")
    return MemberFilter(
        offset=offset,
        limit=limit,
        order=order if order in _ORDERS else None,
        descending=descending(values, "asc"),
        role=role_filter(values),
    )
