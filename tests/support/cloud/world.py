"""Users, domains, groups, roles and personal access tokens as an Auth service has them, and what follows from them.

The evaluation is schema/README.md#permissions derivation of permissions, written without looking at who asks.
"""

import uuid
from collections.abc import Collection
from dataclasses import dataclass, field

USER, SUPER_ADMIN = 1, 2
ACCESS, REFRESH, RECOVERY, API_KEY, PAT, INVITATION = range(6)
ENABLED, DISABLED, FROZEN, DELETED = range(4)

# Whoever has all nine of these is an admin of a domain.
DOMAIN_ACTIONS = frozenset(
    {"update", "enable", "disable", "read", "delete", "manage_role", "add_role_users", "remove_role_users", "view_role_users"}
)


@dataclass
class Bearer:
    """Somebody's token."""

    user_id: str
    role: int = USER
    verified: bool = True
    type: int = ACCESS
    id: str = ""


@dataclass
class Domain:
    """Its members, each with the actions of their role."""

    status: int = ENABLED
    members: dict[str, set[str]] = field(default_factory=dict)


@dataclass
class Group:
    """A group of a domain, perhaps in another group; who has which actions on it."""

    domain: str
    parent: str = ""
    status: int = ENABLED
    roles: dict[str, set[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Scope:
    """What a personal access token is good for."""

    domain: str
    operation: str
    entity_id: str = "*"
    entity_type: str = "clients"


class World:
    """All of it; tests change it as they go."""

    def __init__(self) -> None:
        self.tokens: dict[str, Bearer] = {}
        self.scopes: dict[str, set[Scope]] = {}
        self.domains: dict[str, Domain] = {}
        self.groups: dict[str, Group] = {}
        self.platform_admins: set[str] = set()
        self.forgotten: list[str] = []  # clients whose connections were removed

    # What tests say.

    def token(self, user_id: str, **fields: object) -> str:
        """A new token of somebody."""
        token = f"{'pat_' if fields.get('type') == PAT else ''}{uuid.uuid4().hex}"
        self.tokens[token] = Bearer(user_id, **fields)  # type: ignore[arg-type]
        return token

    def pat(self, user_id: str, *scopes: Scope, **fields: object) -> str:
        """A new personal access token of somebody, good for these."""
        pat_id = str(uuid.uuid4())
        self.scopes[pat_id] = set(scopes)
        return self.token(user_id, type=PAT, id=pat_id, verified=False, **fields)

    def super_admin(self) -> str:
        """Somebody who may do everything: their id."""
        user_id = str(uuid.uuid4())
        self.platform_admins.add(user_id)
        return user_id

    def domain(self, domain_id: str = "") -> str:
        """A new domain without members."""
        domain_id = domain_id or str(uuid.uuid4())
        self.domains[domain_id] = Domain()
        return domain_id

    def member(self, domain_id: str, actions: Collection[str] = (), user_id: str = "") -> str:
        """Somebody who is a member of a domain and may do these things there: their id."""
        user_id = user_id or str(uuid.uuid4())
        self.domains[domain_id].members[user_id] = set(actions)
        return user_id

    def group(self, domain_id: str, group_id: str = "", parent: str = "") -> str:
        """A new group of a domain."""
        group_id = group_id or str(uuid.uuid4())
        self.groups[group_id] = Group(domain_id, parent)
        return group_id

    def grant(self, group_id: str, user_id: str, *actions: str) -> None:
        """Let somebody do these things by a role on a group."""
        self.groups[group_id].roles.setdefault(user_id, set()).update(actions)

    # What follows.

    def allows(self, subject: str, permission: str, object_type: str, object_id: str) -> bool:
        """Whether a subject has a permission."""
        if object_type == "platform":
            return object_id == "magistrala" and permission == "admin" and subject in self.platform_admins
        if object_type == "domain" and object_id in self.domains:
            return self._on_domain(subject, permission, object_id)
        if object_type == "group" and object_id in self.groups:
            return self._on_group(subject, permission.removesuffix("_permission"), object_id)
        return False

    def fits(self, pat_id: str, user_id: str, scope: Scope) -> bool:
        """Whether a personal access token is good for this: exactly, or for every entity."""
        owners = {bearer.user_id for bearer in self.tokens.values() if bearer.id == pat_id}
        wanted = {scope, Scope(scope.domain, scope.operation, "*", scope.entity_type)}
        return user_id in owners and bool(self.scopes.get(pat_id, set()) & wanted)

    def _on_domain(self, subject: str, permission: str, domain_id: str) -> bool:
        if subject in self.platform_admins:
            return True
        members = self.domains[domain_id].members
        actions = next((members[user] for user in members if subject == f"{domain_id}_{user}"), None)
        if actions is None:
            return False
        if permission == "membership":
            return True
        if permission == "admin":
            return actions >= DOMAIN_ACTIONS
        return permission.removesuffix("_permission") in actions

    def _on_group(self, subject: str, action: str, group_id: str) -> bool:
        group = self.groups[group_id]
        by_domain = action if action.startswith("client_") else f"group_{action}"
        if self._on_domain(subject, by_domain, group.domain) or self._holds(subject, action, group):
            return True
        while group.parent:
            group = self.groups[group.parent]
            if self._holds(subject, f"subgroup_{action}", group):
                return True
        return False

    @staticmethod
    def _holds(subject: str, action: str, group: Group) -> bool:
        return any(subject == f"{group.domain}_{user}" and action in actions for user, actions in group.roles.items())
