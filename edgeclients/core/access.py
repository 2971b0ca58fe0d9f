"""Who may do what (contract 12.4): the one place that decides.

A permission holds if the caller's standing in the domain gives it, the client's parent group, or a role the caller has on
the client. The standing is asked for once an operation, before anything is done, and the parent groups that clients have
then; behind that a callout, if one is to be asked. Roles are looked at where the operation takes effect: inside its
transaction, so that a role taken away a moment ago gives nothing any more, and neither does the group of a client that is in
another one by then.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, TypeVar

import msgspec

from edgeclients import operations
from edgeclients.core import limits
from edgeclients.core.callouts import name_of, page_meta
from edgeclients.core.rules import is_uuid
from edgeclients.errors import DomainForbidden, Forbidden, NotFound, QueryTimedOut, SuperAdminOnly
from edgeclients.model import (
    BY_DOMAIN,
    BY_GROUP,
    DIRECT,
    MEMBERSHIP,
    NO_ACTIONS,
    Action,
    Client,
    ClientFilter,
    Effects,
    Question,
    Role,
    Session,
    Standing,
    Viewer,
    rfc3339,
)
from edgeclients.operations import PERMISSIONS
from edgeclients.ports import Authorizer, Callout, Store, Transaction, Unit

T = TypeVar("T")

_NO_GROUPS: Mapping[str, Action] = MappingProxyType({})


SEVERAL: Final = {"connect_to_channel", "disconnect_from_channel"}
"""The operations on several clients at a time: for a callout they are done to the domain."""


class Permit(msgspec.Struct, frozen=True):
    """What is known of a caller before the client is: the standing in the domain, what parent groups give, what is needed."""

    session: Session
    action: Action
    standing: Standing
    groups: Mapping[str, Action] = _NO_GROUPS

    @property
    def granted(self) -> bool:
        """Whether the domain gives the action, on every client of it."""
        return int(self.standing.actions) & int(self.action) != 0  # as enum members they take ten times as long

    def grants(self, client: Client) -> bool:
        """Whether the domain gives the action on this client, or its parent group does."""
        return self.granted or self.action in self.by_group(client)

    def by_group(self, client: Client) -> Action:
        """What the parent group of this client is known to give."""
        return self.groups.get(client.parent_group_id or "", NO_ACTIONS)

    def admit(self, client: Client | None, held: Role | None) -> Client:
        """`client`, if the caller may do this to it, having the role `held` there.

        Raises:
            NotFound: there is no such client in the caller's domain.
            Forbidden: there is, and the caller may not.
        """
        if client is None or client.domain_id != self.session.domain_id:
            raise NotFound
        if not self.grants(client) and (held is None or self.action not in held.actions):
            raise Forbidden
        return client


class EffectiveRole(msgspec.Struct, frozen=True):
    """By what somebody may do something to a client: a role of it, or what its group or the domain grants (without an id)."""

    role_id: str
    role_name: str
    actions: Action
    access_type: str
    access_provider_id: str


def effective_roles(permit: Permit, client: Client, held: Role | None) -> tuple[EffectiveRole, ...]:
    """By what the caller may do something to a client, having the role `held` there.

    For a super admin, whom nobody granted anything, it is the role alone (contract 3.4).
    """
    roles = []
    if held is not None and held.actions:
        roles.append(EffectiveRole(held.id, held.name, held.actions, DIRECT, ""))
    if permit.session.super_admin:
        return tuple(roles)
    if by_group := permit.by_group(client):
        roles.append(EffectiveRole("", "", by_group, BY_GROUP, client.parent_group_id or ""))
    if permit.standing.actions:
        roles.append(EffectiveRole("", "", permit.standing.actions, BY_DOMAIN, permit.session.domain_id))
    return tuple(roles)


class Access:
    """Asks who may.

    Args:
        store: where roles are.
        authorizer: what is granted beyond them.
        callout: who else is asked; None for nobody.
        announce: tells other processes; None where there are none.
    """

    def __init__(
        self,
        store: Store,
        authorizer: Authorizer,
        callout: Callout | None = None,
        announce: Callable[[Effects], None] | None = None,
    ) -> None:
        self._store = store
        self._authorizer = authorizer
        self._callout = callout
        self._announce = announce

    async def permit(
        self,
        session: Session,
        operation: str,
        *client_ids: str,
        also: Callable[[Permit], Awaitable[None]] | None = None,
        **told: object,
    ) -> Permit:
        """What `session` brings along for `operation` on these clients; whoever gets it admits the clients with it.

        Args:
            session: who calls.
            operation: a key of `PERMISSIONS`.
            client_ids: the clients.
            also: what else must hold before anybody is consulted; it raises where it does not.
            told: what else a callout is told of the operation, if there is one.

        Raises:
            DomainForbidden, Forbidden: nothing, whatever the clients.
            Unavailable: whoever knows cannot be asked.
            NotFound: a callout was to be asked about a client that is not there.
            CalloutRefused, CalloutFailed: as `Callout.ask` has it.
        """
        standing = await self._authorizer.standing(session, operation, client_ids)
        permit = Permit(session, PERMISSIONS[operation], standing)
        if standing.by_group and (not permit.granted or operation == "view_with_roles"):
            permit = await self._with_groups(permit, operation, client_ids)
        if also is not None:
            await also(permit)
        if client_ids and self._asks(name_of(operation)):
            await self._consult_about(permit, operation, client_ids, told)
        return permit

    async def consult(
        self, session: Session, operation: str, entity: tuple[str, str], payload: Callable[[], Mapping[str, Any]]
    ) -> None:
        """Ask the callout, if there is one for this operation; the caller is known to be allowed to do it.

        Args:
            session: who calls.
            operation: one of `callouts.NAMES`.
            entity: what it is done to: type and id.
            payload: what else is told, made only if somebody is asked.

        Raises:
            CalloutRefused, CalloutFailed: as `Callout.ask` has it.
        """
        if self._callout is None or not self._callout.wants(operation):
            return
        now = rfc3339(self._store.now())
        await self._callout.ask(Question(operation, *entity, session.user_id, "user", session.domain_id, now, payload()))

    def _asks(self, operation: str) -> bool:
        return self._callout is not None and self._callout.wants(operation)

    async def _consult_about(
        self, permit: Permit, operation: str, client_ids: Sequence[str], told: Mapping[str, object]
    ) -> None:
        """Ask about an operation on clients that the caller may do to each of them now."""
        session = permit.session
        clients = [await self.admitted(permit, client_id) for client_id in dict.fromkeys(client_ids)]
        if operation in SEVERAL:
            payload = {"client_ids": [client.id for client in clients], **told}
            await self.consult(session, operation, ("domain", session.domain_id), lambda: payload)
            return
        (client,) = clients
        payload = {"entity_id": client.id, **told}
        if operation == "remove_parent_group":
            if client.parent_group_id is None:
                return  # nothing will happen
            payload["parent_id"] = client.parent_group_id
        await self.consult(session, name_of(operation), ("client", client.id), lambda: payload)

    async def _with_groups(self, permit: Permit, operation: str, client_ids: tuple[str, ...]) -> Permit:
        """`permit`, with what parent groups give, as far as that matters."""
        groups = await self._groups_to_ask(permit, client_ids, even_with_role=operation == "view_with_roles")
        if not groups:
            return permit
        actions = await self._authorizer.group_actions(permit.session, operation, sorted(groups))
        return msgspec.structs.replace(permit, groups=actions)

    async def create(self, session: Session) -> None:
        """Return if `session` may create clients in its domain.

        Raises:
            DomainForbidden, Forbidden: it may not.
        """
        if not (await self._authorizer.standing(session, operations.CREATE)).creates:
            raise Forbidden

    async def place(self, session: Session) -> None:
        """Return if `session` may put clients it is about to create into parent groups; its role on them will allow it.

        Raises:
            DomainForbidden, Forbidden: it may not.
        """
        await self._authorizer.standing(session, "set_parent_group")

    async def group(self, session: Session, operation: str, group_id: str) -> None:
        """Return if `session` may put clients into a group, or take them out; see `ports.Authorizer.admit_to_group`.

        Raises:
            Forbidden: it may not.
            Unavailable: whoever knows cannot be asked.
        """
        await self._authorizer.admit_to_group(session, operation, group_id)

    async def members(self, session: Session, member_ids: tuple[str, ...]) -> None:
        """Return if these people may be given roles on clients of the session's domain.

        Raises:
            Forbidden: one may not.
            Unavailable: whoever knows cannot be asked.
        """
        if member_ids:
            await self._authorizer.admit_members(session, member_ids)

    async def change_roles(self, unit: Unit[T]) -> T:
        """The result of `unit`, which changes roles; what was known of anybody's rights is asked anew behind it."""
        try:
            return await self._store.run(unit)
        finally:
            self._authorizer.roles_changed()
            if self._announce is not None:
                self._announce(Effects(roles=True))

    async def viewer(self, session: Session, wanted: ClientFilter, user_id: str = "") -> Viewer:
        """Through whose eyes a list is: the caller's, or those of `user_id`, which only a super admin may ask for.

        Raises:
            DomainForbidden: the caller may do nothing in this domain.
            SuperAdminOnly: it is not for the caller to see what others see.
            QueryTimedOut: clients of the domain are in more groups than can be asked for.
            CalloutRefused, CalloutFailed: as `Callout.ask` has it.
        """
        standing = await self._authorizer.standing(session, operations.LIST_OF_USER if user_id else operations.LIST)
        if user_id:
            if not session.super_admin:
                raise SuperAdminOnly
            await self.consult(
                session, operations.LIST_OF_USER, ("client", ""), lambda: {"user_id": user_id, "pagemeta": page_meta(wanted)}
            )
            session = msgspec.structs.replace(session, user_id=user_id, super_admin=False, pat_id="")
            standing = await self._standing_of(session)
        else:
            told = ("domain", session.domain_id)
            await self.consult(session, operations.LIST, told, lambda: {"pagemeta": page_meta(wanted)})
        everything = standing.actions != NO_ACTIONS
        groups = await self._groups_seen(session, wanted) if standing.by_group and not everything else frozenset[str]()
        return Viewer(session.user_id, everything, groups)

    async def admitted(self, permit: Permit, client_id: str) -> Client:
        """The client as of now, if the caller may do this to it.

        Raises:
            NotFound, Forbidden: as `Permit.admit` has it.
        """
        return await self.admit(permit, await self._store.client(client_id) if is_uuid(client_id) else None)

    async def admit(self, permit: Permit, client: Client | None) -> Client:
        """`client`, which was just read, if the caller may do this to it.

        Raises:
            NotFound, Forbidden: as `Permit.admit` has it.
        """
        held = None
        if client is not None and not permit.grants(client):
            held = await self._store.role_held(client.id, permit.session.user_id)
        return permit.admit(client, held)

    async def _standing_of(self, session: Session) -> Standing:
        try:
            return await self._authorizer.standing(session, operations.LIST)
        except (DomainForbidden, Forbidden):
            return MEMBERSHIP  # what roles give them shows, also before they may come

    async def _groups_to_ask(self, permit: Permit, client_ids: tuple[str, ...], *, even_with_role: bool) -> set[str]:
        """The parent groups on which it depends whether the caller may do this to these clients."""
        groups = set()
        for client in await self._store.clients([one for one in client_ids if is_uuid(one)]):
            group = client.parent_group_id
            if group is None or group in groups or client.domain_id != permit.session.domain_id:
                continue
            held = None if even_with_role else await self._store.role_held(client.id, permit.session.user_id)
            if held is None or permit.action not in held.actions:
                groups.add(group)
        return groups

    async def _groups_seen(self, session: Session, wanted: ClientFilter) -> frozenset[str]:
        """The parent groups whose clients the caller sees, as far as they can be in the list."""
        if wanted.parent_group_id == "" or wanted.role.of_role or wanted.role.access_type not in {None, BY_GROUP}:
            return frozenset()
        if wanted.parent_group_id is not None:
            groups: tuple[str, ...] = (wanted.parent_group_id,)
        else:
            groups = await self._store.parent_groups(session.domain_id, limits.VIEWED_GROUPS + 1)
        if len(groups) > limits.VIEWED_GROUPS:
            raise QueryTimedOut("parent groups")
        actions = await self._authorizer.group_actions(session, operations.LIST, groups)
        return frozenset(group for group in groups if actions.get(group, NO_ACTIONS))


async def admitted(tx: Transaction, permit: Permit, client_id: str) -> Client:
    """The client, if the caller may do this to it; for units of work.

    Raises:
        NotFound, Forbidden: as `Permit.admit` has it.
    """
    client = await tx.client(client_id) if is_uuid(client_id) else None
    held = None
    if client is not None and not permit.grants(client):
        held = await tx.role_held(client_id, permit.session.user_id)
    return permit.admit(client, held)
