"""Who may do what: the table of contract 12.4, and the one place that decides by it.

A permission holds if the caller's standing in the domain gives it, or a role the caller has on the client. The standing is
asked for once an operation, before anything is done; then a callout, if one is to be asked. Roles are looked at where the
operation takes effect: inside its transaction, so that a role taken away a moment ago gives nothing any more.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from edgeclients.core.callouts import name_of, page_meta
from edgeclients.core.rules import is_uuid
from edgeclients.errors import DomainForbidden, Forbidden, NotFound, SuperAdminOnly
from edgeclients.model import (
    BY_DOMAIN,
    DIRECT,
    MEMBERSHIP,
    NO_ACTIONS,
    Action,
    Client,
    ClientFilter,
    Question,
    Role,
    Session,
    Standing,
    Viewer,
    rfc3339,
)
from edgeclients.ports import Authorizer, Callout, Store, Transaction

PERMISSIONS: Final = {
    "view": Action.READ,
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
"""What each operation on a client needs. Creating is asked of the domain, listing of nothing (it shows what one may see)."""


SEVERAL: Final = {"connect_to_channel", "disconnect_from_channel"}
"""The operations on several clients at a time: for a callout they are done to the domain."""


class Permit(msgspec.Struct, frozen=True):
    """What is known of a caller before the client is: the standing in the domain, and the action the operation needs."""

    session: Session
    action: Action
    standing: Standing

    @property
    def granted(self) -> bool:
        """Whether the domain gives the action, on every client of it."""
        return int(self.standing.actions) & int(self.action) != 0  # as enum members they take ten times as long

    def admit(self, client: Client | None, held: Role | None) -> Client:
        """`client`, if the caller may do this to it, having the role `held` there.

        Raises:
            NotFound: there is no such client in the caller's domain.
            Forbidden: there is, and the caller may not.
        """
        if client is None or client.domain_id != self.session.domain_id:
            raise NotFound
        if not self.granted and (held is None or self.action not in held.actions):
            raise Forbidden
        return client


class EffectiveRole(msgspec.Struct, frozen=True):
    """By what somebody may do something to a client: a role of it, or what the domain grants (without a role's id)."""

    role_id: str
    role_name: str
    actions: Action
    access_type: str
    access_provider_id: str


def effective_roles(permit: Permit, held: Role | None) -> tuple[EffectiveRole, ...]:
    """By what the caller may do something to a client, having the role `held` there.

    For a super admin, whom nobody granted anything, it is the role alone (contract 3.4).
    """
    roles = []
    if held is not None and held.actions:
        roles.append(EffectiveRole(held.id, held.name, held.actions, DIRECT, ""))
    if permit.standing.actions and not permit.session.super_admin:
        roles.append(EffectiveRole("", "", permit.standing.actions, BY_DOMAIN, permit.session.domain_id))
    return tuple(roles)


class Access:
    """Asks who may.

    Args:
        store: where roles are.
        authorizer: what is granted beyond them.
        callout: who else is asked; None for nobody.
    """

    def __init__(self, store: Store, authorizer: Authorizer, callout: Callout | None = None) -> None:
        self._store = store
        self._authorizer = authorizer
        self._callout = callout

    async def permit(self, session: Session, operation: str, *client_ids: str, **told: object) -> Permit:
        """What `session` brings along for `operation` on these clients; whoever gets it admits the clients with it.

        Args:
            session: who calls.
            operation: a key of `PERMISSIONS`.
            client_ids: the clients.
            told: what else a callout is told of the operation, if there is one.

        Raises:
            DomainForbidden, Forbidden: nothing, whatever the clients.
            Unavailable: whoever knows cannot be asked.
            NotFound: a callout was to be asked about a client that is not there.
            CalloutRefused, CalloutFailed: as `Callout.ask` has it.
        """
        standing = await self._authorizer.standing(session, operation, client_ids)
        permit = Permit(session, PERMISSIONS[operation], standing)
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
        now = rfc3339(time.time_ns() // 1000)
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

    async def create(self, session: Session) -> None:
        """Return if `session` may create clients in its domain.

        Raises:
            DomainForbidden, Forbidden: it may not.
        """
        if not (await self._authorizer.standing(session, "create_clients")).creates:
            raise Forbidden

    async def place(self, session: Session) -> None:
        """Return if `session` may put clients that are yet to be into parent groups.

        Raises:
            DomainForbidden, Forbidden: it may not.
        """
        if not (await self.permit(session, "set_parent_group")).granted:
            raise Forbidden

    async def viewer(self, session: Session, user_id: str, wanted: ClientFilter) -> Viewer:
        """Through whose eyes a list is: the caller's, or those of `user_id`, which only a super admin may ask for.

        Raises:
            DomainForbidden: the caller may do nothing in this domain.
            SuperAdminOnly: it is not for the caller to see what others see.
            CalloutRefused, CalloutFailed: as `Callout.ask` has it.
        """
        operation = "list_user_clients" if user_id else "list_clients"
        standing = await self._authorizer.standing(session, operation)
        if user_id:
            if not session.super_admin:
                raise SuperAdminOnly
            standing = await self._standing_of(session, user_id)
            await self.consult(session, operation, ("client", ""), lambda: {"user_id": user_id, "pagemeta": page_meta(wanted)})
        else:
            await self.consult(session, operation, ("domain", session.domain_id), lambda: {"pagemeta": page_meta(wanted)})
        return Viewer(user_id or session.user_id, standing.actions != NO_ACTIONS)

    async def _standing_of(self, session: Session, user_id: str) -> Standing:
        theirs = msgspec.structs.replace(session, user_id=user_id, super_admin=False, pat_id="")
        try:
            return await self._authorizer.standing(theirs, "list_clients")
        except (DomainForbidden, Forbidden):
            return MEMBERSHIP  # what roles give them shows, also before they may come

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
        if client is not None and not permit.granted:
            held = await self._store.role_held(client.id, permit.session.user_id)
        return permit.admit(client, held)


async def admitted(tx: Transaction, permit: Permit, client_id: str) -> Client:
    """The client, if the caller may do this to it; for units of work.

    Raises:
        NotFound, Forbidden: as `Permit.admit` has it.
    """
    client = await tx.client(client_id) if is_uuid(client_id) else None
    held = None
    if client is not None and not permit.granted:
        held = await tx.role_held(client_id, permit.session.user_id)
    return permit.admit(client, held)
