"""Routes of roles and their actions (schema/README.md#roles)."""

from litestar import delete, get, post, put
from litestar.handlers import BaseRouteHandler
from litestar.response.base import ASGIResponse

from edgeclients.core.roles import Roles
from edgeclients.errors import (
    ActionHeld,
    InvalidLimit,
    InvalidName,
    InvalidQuery,
    LastManagingRole,
    MalformedRequest,
    MemberOfOtherRole,
    MissingActions,
    MissingRoleName,
    QueryTimedOut,
    RoleNameTaken,
    TooManyElements,
    TooManyRoles,
)
from edgeclients.http.wire.answers import answer, empty
from edgeclients.http.wire.call import Call, body_of, session_of
from edgeclients.http.wire.clients import decoder
from edgeclients.http.wire.docs import BODY_ERRORS, CLIENT_ERRORS, CLIENT_ID, ROLE_ID, describe
from edgeclients.http.wire.parameters import SLICE, read, slice_of
from edgeclients.http.wire.roles import (
    ActionList,
    ActionsBody,
    AvailableActions,
    CreateRole,
    ProvisionedRole,
    RenameRole,
    RoleBody,
    RolePageBody,
    to_provisioned,
    to_role,
    to_role_page,
)
from edgeclients.model import ALL_ACTIONS, action_names

_create = decoder(CreateRole)
_rename = decoder(RenameRole)
_actions = decoder(ActionList)

_NAME_ERRORS = (MissingRoleName, InvalidName, RoleNameTaken, MalformedRequest)

_ROLE_EXAMPLE = {
    "id": ROLE_ID,
    "name": "technician",
    "entity_id": CLIENT_ID,
    "created_by": "alice",
    "created_at": "2026-11-23T10:15:30.25Z",
    "updated_by": "",
    "updated_at": "0001-01-01T00:00:00Z",
}
_ACTIONS_EXAMPLE = {"actions": ["read", "update"]}
_BODY_EXAMPLE = {"role_name": "technician", "optional_actions": ["read", "update"], "optional_members": ["bob"]}
_PROVISIONED_EXAMPLE = _ROLE_EXAMPLE | {"optional_actions": ["read", "update"], "optional_members": ["bob"]}


def routes(roles: Roles) -> list[BaseRouteHandler]:
    """The routes of `roles`."""

    @get(
        "/roles/available-actions",
        **describe(
            "listAvailableActions",
            "List all actions that a role of a client can have",
            "Returns every action; a role of a client has a subset.",
            answer=AvailableActions,
            example={"available_actions": list(action_names(ALL_ACTIONS))},
            tag="roles",
        ),
    )
    async def list_available_actions(request: Call) -> ASGIResponse:
        return answer(AvailableActions(action_names(await roles.available_actions(session_of(request)))))

    @post(
        "/{client_id:str}/roles",
        **describe(
            "createClientRole",
            "Create a role of a client",
            "Creates the role with the given actions and members. A member can have only one role of a client.",
            status=201,
            answer=ProvisionedRole,
            example=_PROVISIONED_EXAMPLE,
            errors=(*BODY_ERRORS, *_NAME_ERRORS, TooManyElements, MemberOfOtherRole, TooManyRoles, *CLIENT_ERRORS),
            body=CreateRole,
            body_example=_BODY_EXAMPLE,
            tag="roles",
        ),
    )
    async def create_role(request: Call, client_id: str) -> ASGIResponse:
        body: CreateRole = await body_of(request, _create)
        actions, members = body.optional_actions or (), body.optional_members or ()
        role = await roles.add(session_of(request), client_id, body.role_name or "", actions, members)
        return answer(to_provisioned(role, body), 201)

    @get(
        "/{client_id:str}/roles",
        **describe(
            "listClientRoles",
            "List the roles of a client",
            "Returns one page of roles, the oldest first.",
            answer=RolePageBody,
            example={"total": 1, "offset": 0, "limit": 10, "roles": [_ROLE_EXAMPLE]},
            errors=(InvalidQuery, InvalidLimit, QueryTimedOut, *CLIENT_ERRORS),
            query=SLICE.values(),
            tag="roles",
        ),
    )
    async def list_roles(request: Call, client_id: str) -> ASGIResponse:
        offset, limit = slice_of(read(request.scope["query_string"], SLICE))
        page = await roles.page(session_of(request), client_id, offset, limit)
        return answer(to_role_page(page, offset, limit))

    @get(
        "/{client_id:str}/roles/{role_id:str}",
        **describe(
            "viewClientRole",
            "View a role",
            "Returns its name, and when and by whom it was created and changed. Actions and members have their own routes.",
            answer=RoleBody,
            example=_ROLE_EXAMPLE,
            errors=CLIENT_ERRORS,
            tag="roles",
        ),
    )
    async def view_role(request: Call, client_id: str, role_id: str) -> ASGIResponse:
        return answer(to_role(await roles.one(session_of(request), client_id, role_id)))

    @put(
        "/{client_id:str}/roles/{role_id:str}",
        **describe(
            "updateClientRole",
            "Rename a role",
            "The name must be unique among the roles of the client.",
            answer=RoleBody,
            example=_ROLE_EXAMPLE,
            errors=(*BODY_ERRORS, *_NAME_ERRORS, *CLIENT_ERRORS),
            body=RenameRole,
            body_example={"name": "engineer"},
            tag="roles",
        ),
    )
    async def rename_role(request: Call, client_id: str, role_id: str) -> ASGIResponse:
        body: RenameRole = await body_of(request, _rename)
        return answer(to_role(await roles.rename(session_of(request), client_id, role_id, body.name or "")))

    @delete(
        "/{client_id:str}/roles/{role_id:str}",
        **describe(
            "deleteClientRole",
            "Delete a role",
            "Deletes the role with its memberships. Fails with 409 if nobody could manage roles afterwards.",
            status=204,
            errors=(LastManagingRole, *CLIENT_ERRORS),
            tag="roles",
        ),
    )
    async def delete_role(request: Call, client_id: str, role_id: str) -> ASGIResponse:
        await roles.remove(session_of(request), client_id, role_id)
        return empty(204)

    @post(
        "/{client_id:str}/roles/{role_id:str}/actions",
        **describe(
            "addClientRoleActions",
            "Add actions to a role, all or none",
            "The call fails with a conflict if the role has one of the actions already.",
            answer=ActionsBody,
            example=_ACTIONS_EXAMPLE,
            errors=(*BODY_ERRORS, MissingActions, MalformedRequest, ActionHeld, *CLIENT_ERRORS),
            body=ActionList,
            body_example=_ACTIONS_EXAMPLE,
            tag="roles",
        ),
    )
    async def add_actions(request: Call, client_id: str, role_id: str) -> ASGIResponse:
        body: ActionList = await body_of(request, _actions)
        actions = body.actions or ()
        await roles.add_actions(session_of(request), client_id, role_id, actions)
        return answer(ActionsBody(actions))

    @get(
        "/{client_id:str}/roles/{role_id:str}/actions",
        **describe(
            "listClientRoleActions",
            "List the actions of a role",
            "Returns all actions of the role, in the order of `listAvailableActions`.",
            answer=ActionsBody,
            example=_ACTIONS_EXAMPLE,
            errors=CLIENT_ERRORS,
            tag="roles",
        ),
    )
    async def list_actions(request: Call, client_id: str, role_id: str) -> ASGIResponse:
        return answer(ActionsBody(action_names(await roles.actions(session_of(request), client_id, role_id))))

    @post(
        "/{client_id:str}/roles/{role_id:str}/actions/delete",
        **describe(
            "deleteClientRoleActions",
            "Remove actions from a role",
            "Actions that the role does not have are ignored. Fails with 409 if nobody could manage roles afterwards.",
            status=204,
            errors=(*BODY_ERRORS, MissingActions, MalformedRequest, LastManagingRole, *CLIENT_ERRORS),
            body=ActionList,
            body_example=_ACTIONS_EXAMPLE,
            tag="roles",
        ),
    )
    async def delete_actions(request: Call, client_id: str, role_id: str) -> ASGIResponse:
        body: ActionList = await body_of(request, _actions)
        await roles.remove_actions(session_of(request), client_id, role_id, body.actions or ())
        return empty(204)

    @post(
        "/{client_id:str}/roles/{role_id:str}/actions/delete-all",
        **describe(
            "deleteAllClientRoleActions",
            "Remove all actions from a role",
            "The role keeps its members. Fails with 409 if nobody could manage roles afterwards.",
            status=204,
            errors=(LastManagingRole, *CLIENT_ERRORS),
            tag="roles",
        ),
    )
    async def delete_all_actions(request: Call, client_id: str, role_id: str) -> ASGIResponse:
        await roles.remove_all_actions(session_of(request), client_id, role_id)
        return empty(204)

    return [
        list_available_actions,
        create_role,
        list_roles,
        view_role,
        rename_role,
        delete_role,
        add_actions,
        list_actions,
        delete_actions,
        delete_all_actions,
    ]
