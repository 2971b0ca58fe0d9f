"""The operations that callers may request, one row each (schema/README.md#permissions)."""

from enum import StrEnum
from typing import Final

from msgspec import Struct

from edgeclients.model import ALL_ACTIONS, NO_ACTIONS, Action


class _Row(Struct, frozen=True):
    """An operation.

    `action` is the action that it requires. `callout` is its name for callouts, and `scope` its name in scopes of personal
    access tokens. Both default to `name`; a `callout` of "" means that no callout is asked.
    """

    name: str
    action: Action = NO_ACTIONS
    callout: str | None = None
    scope: str | None = None
    several: bool = False
    shows_actions: bool = False


def _role(name: str, action: Action, callout: str | None = None, scope: str | None = None) -> _Row:
    """An operation on roles. Clients and roles both have an `update`; only callouts use the same name for both."""
    return _Row(f"role_{name}", action, callout=callout or name, scope=scope)


class Operation(StrEnum):
    """One operation. As a string it is its name.

    Attributes:
        action: the action that the caller needs; for a list, on each client that is shown.
        callout: its name for callouts; "" if no callout is asked.
        scope: its name in scopes of personal access tokens.
        several: whether it acts on several clients at once; for a callout it then acts on the domain.
        shows_actions: whether it also shows every action that the caller may take.
    """

    CREATE_CLIENTS = _Row("create_clients")
    LIST_CLIENTS = _Row("list_clients", Action.READ)
    LIST_USER_CLIENTS = _Row("list_user_clients", Action.READ)
    LIST_AVAILABLE_ACTIONS = _Row("list_available_actions")

    VIEW = _Row("view", Action.READ)
    VIEW_WITH_ROLES = _Row("view_with_roles", Action.READ, callout="view", scope="view", shows_actions=True)
    UPDATE = _Row("update", Action.UPDATE)
    UPDATE_TAGS = _Row("update_tags", Action.UPDATE)
    UPDATE_SECRET = _Row("update_secret", Action.UPDATE)
    ENABLE = _Row("enable", Action.UPDATE)
    DISABLE = _Row("disable", Action.UPDATE)
    DELETE = _Row("delete", Action.DELETE)
    SET_PARENT_GROUP = _Row("set_parent_group", Action.SET_PARENT_GROUP)
    REMOVE_PARENT_GROUP = _Row("remove_parent_group", Action.SET_PARENT_GROUP)
    CONNECT = _Row("connect_to_channel", Action.CONNECT_TO_CHANNEL, several=True)
    DISCONNECT = _Row("disconnect_from_channel", Action.CONNECT_TO_CHANNEL, several=True)

    VIEW_JOURNAL = _Row("view_journal", Action.MANAGE_ROLE, callout="", scope="view")

    ROLE_ADD = _role("add", Action.MANAGE_ROLE)
    ROLE_REMOVE = _role("remove", Action.MANAGE_ROLE)
    ROLE_UPDATE = _role("update", Action.MANAGE_ROLE)
    ROLE_ADD_ACTIONS = _role("add_actions", Action.MANAGE_ROLE)
    ROLE_REMOVE_ACTIONS = _role("remove_actions", Action.MANAGE_ROLE)
    ROLE_REMOVE_ALL_ACTIONS = _role("remove_all_actions", Action.MANAGE_ROLE)
    ROLE_RETRIEVE = _role("retrieve", Action.VIEW_ROLE_USERS)
    ROLE_RETRIEVE_ALL = _role("retrieve_all", Action.VIEW_ROLE_USERS)
    ROLE_LIST_ACTIONS = _role("list_actions", Action.VIEW_ROLE_USERS)
    ROLE_LIST_MEMBERS = _role("list_members", Action.VIEW_ROLE_USERS)
    ROLE_LIST_ENTITY_MEMBERS = _role("list_entity_members", Action.VIEW_ROLE_USERS, "list_members", "role_list_members")
    ROLE_ADD_MEMBERS = _role("add_members", Action.ADD_ROLE_USERS)
    ROLE_REMOVE_MEMBERS = _role("remove_members", Action.REMOVE_ROLE_USERS)
    ROLE_REMOVE_ALL_MEMBERS = _role("remove_all_members", Action.REMOVE_ROLE_USERS)

    SET_CHILD_CLIENT = _Row("set_child_client", callout="")
    REMOVE_CHILD_CLIENT = _Row("remove_child_client", callout="")

    action: Action
    callout: str
    scope: str
    several: bool
    shows_actions: bool

    def __new__(cls, row: _Row) -> "Operation":
        """The member that `row` describes."""
        self = str.__new__(cls, row.name)
        self._value_ = row.name
        self.action = row.action
        self.callout = row.name if row.callout is None else row.callout
        self.scope = row.scope or row.name
        self.several = row.several
        self.shows_actions = row.shows_actions
        return self

    @property
    def wanted_actions(self) -> Action:
        """The actions to check for the caller on clients."""
        return ALL_ACTIONS if self.shows_actions else self.action

    @property
    def on_roles(self) -> bool:
        """Whether it acts on roles of a client."""
        return self.startswith("role_")


# Magistrala's Clients service has these two in its settings, but no route for them (schema/README.md#callouts).
_WITHOUT_ROUTE: Final = {"check_actions_exists", "check_members_exists"}

CALLOUTS: Final = {operation.callout for operation in Operation if operation.callout} | _WITHOUT_ROUTE
"""The operation names that a callout may be asked about. Roles and clients share `update`."""
