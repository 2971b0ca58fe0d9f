"""What callers ask for, by the names of contract 12.4, and what that takes."""

from typing import Final

from edgeclients.model import Action

# Not about one client.
CREATE: Final = "create_clients"
LIST: Final = "list_clients"
LIST_OF_USER: Final = "list_user_clients"

PERMISSIONS: Final = {
    "view": Action.READ,
    "view_with_roles": Action.READ,
    "update": Action.UPDATE,
    "update_tags": Action.UPDATE,
    "update_secret": Action.UPDATE,
    "enable": Action.UPDATE,
    "disable": Action.UPDATE,
    "delete": Action.DELETE,
    "set_parent_group": Action.SET_PARENT_GROUP,
    "remove_parent_group": Action.SET_PARENT_GROUP,
    "connect_to_channel": Action.CONNECT_TO_CHANNEL,
    "disconnect_from_channel": Action.CONNECT_TO_CHANNEL,
    # The prefix is that of contract 12.6: clients and roles both have an `update`.
    "role_add": Action.MANAGE_ROLE,
    "role_remove": Action.MANAGE_ROLE,
    "role_update": Action.MANAGE_ROLE,
    "role_add_actions": Action.MANAGE_ROLE,
    "role_remove_actions": Action.MANAGE_ROLE,
    "role_remove_all_actions": Action.MANAGE_ROLE,
    "role_retrieve": Action.VIEW_ROLE_USERS,
    "role_retrieve_all": Action.VIEW_ROLE_USERS,
    "role_list_actions": Action.VIEW_ROLE_USERS,
    "role_list_members": Action.VIEW_ROLE_USERS,
    "role_list_entity_members": Action.VIEW_ROLE_USERS,
    "role_add_members": Action.ADD_ROLE_USERS,
    "role_remove_members": Action.REMOVE_ROLE_USERS,
    "role_remove_all_members": Action.REMOVE_ROLE_USERS,
}
"""What each operation on a client needs; `view_with_roles` also shows whatever else the caller may do."""
