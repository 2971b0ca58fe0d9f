"""Who may do what (contract 12.4): the one place that decides.

A permission holds if the caller's standing in the domain gives it, the client's parent group, or a role the caller has on
the client. The standing is asked for once an operation, before anything is done, and the parent groups that clients have
then; behind that a callout, if one is to be asked. Roles are looked at where the operation takes effect: inside its
transaction, so that a role taken away a moment ago gives nothing any more, and neither does the group of a client that is in
another one by then.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import msgspec

from edgeclients.core import limits
from edgeclients.core.authz.callouts import page_meta
from edgeclients.core.authz.permit import Permit
from edgeclients.core.rules import is_uuid
from edgeclients.errors import DomainForbidden, Forbidden, NotFound, QueryTimedOut, SuperAdminOnly
from edgeclients.model import (
    BY_GROUP,
    MEMBERSHIP,
    NO_ACTIONS,
    Client,
    ClientFilter,
    Question,
    Session,
    Standing,
    Status,
    Viewer,
    rfc3339,
)
from edgeclients.operations import Operation
from edgeclients.ports import Authorizer, Callout, Store, Transaction


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

    async def permit(
        self,
        session: Session,
        operation: Operation,
        *client_ids: str,
        also: Callable[[Permit], Awaitable[None]] | None = None,
        **told: object,
    ) -> Permit:
        """What `session` brings along for `operation` on these clients; whoever gets it admits the clients with it.

        Args:
            session: who calls.
            operation: one on a client.
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
        permit = Permit(session, operation.action, standing)
        if standing.by_group and (not permit.granted or operation.shows_actions):
            permit = await self._with_groups(permit, operation, client_ids)
        if also is not None:
            await also(permit)
        if client_ids and self._asks(operation):
            await self._consult_about(permit, operation, client_ids, told)
        return permit

    async def consult(
        self, session: Session, operation: Operation, entity: tuple[str, str], payload: Callable[[], Mapping[str, Any]]
    ) -> None:
        """Ask the callout, if there is one for this operation; the caller is known to be allowed to do it.

        Args:
            session: who calls.
            operation: one that a callout may be asked about.
            entity: what it is done to: type and id.
            payload: what else is told, made only if somebody is asked.

        Raises:
            CalloutRefused, CalloutFailed: as `Callout.ask` has it.
        """
        if self._callout is None or not self._asks(operation):
            return
        now = rfc3339(self._store.now())
        await self._callout.ask(
            Question(operation.callout, *entity, session.user_id, "user", session.domain_id, now, payload())
        )

    def _asks(self, operation: Operation) -> bool:
        return self._callout is not None and self._callout.wants(operation.callout)

    async def _consult_about(
        self, permit: Permit, operation: Operation, client_ids: Sequence[str], told: Mapping[str, object]
    ) -> None:
        """Ask about an operation on clients that the caller may do to each of them now."""
        session = permit.session
        clients = [await self.admitted(permit, client_id) for client_id in dict.fromkeys(client_ids)]
        if operation.several:
            payload = {"client_ids": [client.id for client in clients], **told}
            await self.consult(session, operation, ("domain", session.domain_id), lambda: payload)
            return
        (client,) = clients
        payload = {"entity_id": client.id, **told}
        if operation is Operation.REMOVE_PARENT_GROUP:
            if client.parent_group_id is None:
                return  # nothing will happen
            payload["parent_id"] = client.parent_group_id
        await self.consult(session, operation, ("client", client.id), lambda: payload)

    async def _with_groups(self, permit: Permit, operation: Operation, client_ids: tuple[str, ...]) -> Permit:
        """`permit`, with what parent groups give, as far as that matters."""
        groups = await self._groups_to_ask(permit, client_ids, even_with_role=operation.shows_actions)
        if not groups:
            return permit
        actions = await self._authorizer.group_actions(permit.session, operation, sorted(groups))
        return msgspec.structs.replace(permit, groups=actions)

    async def create(self, session: Session) -> None:
        """Return if `session` may create clients in its domain.

        Raises:
            DomainForbidden, Forbidden: it may not.
        """
        if not (await self._authorizer.standing(session, Operation.CREATE_CLIENTS)).creates:
            raise Forbidden

    async def place(self, session: Session) -> None:
        """Return if `session` may put clients it is about to create into parent groups; its role on them will allow it.

        Raises:
            DomainForbidden, Forbidden: it may not.
        """
        await self._authorizer.standing(session, Operation.SET_PARENT_GROUP)

    async def group(self, session: Session, operation: Operation, group_id: str) -> None:
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

    async def viewer(self, session: Session, wanted: ClientFilter, user_id: str = "") -> Viewer:
        """Through whose eyes a list is: the caller's, or those of `user_id`, which only a super admin may ask for.

        Raises:
            DomainForbidden: the caller may do nothing in this domain.
            SuperAdminOnly: it is not for the caller to see what others see.
            QueryTimedOut: clients of the domain are in more groups than can be asked for.
            CalloutRefused, CalloutFailed: as `Callout.ask` has it.
        """
        standing = await self._authorizer.standing(session, Operation.LIST_USER_CLIENTS if user_id else Operation.LIST_CLIENTS)
        if user_id:
            if not session.super_admin:
                raise SuperAdminOnly
            await self.consult(
                session,
                Operation.LIST_USER_CLIENTS,
                ("client", ""),
                lambda: {"user_id": user_id, "pagemeta": page_meta(wanted)},
            )
            session = msgspec.structs.replace(session, user_id=user_id, super_admin=False, pat_id="")
            standing = await self._standing_of(session)
        else:
            told = ("domain", session.domain_id)
            await self.consult(session, Operation.LIST_CLIENTS, told, lambda: {"pagemeta": page_meta(wanted)})
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
            return await self._authorizer.standing(session, Operation.LIST_CLIENTS)
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
        actions = await self._authorizer.group_actions(session, Operation.LIST_CLIENTS, groups)
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


async def enabled(tx: Transaction, permit: Permit, client_id: str) -> Client:
    """The client, enabled, if the caller may do this to it.

    Raises:
        NotFound, Forbidden: as `Permit.admit` has it; a client that is not enabled is not found.
    """
    client = await admitted(tx, permit, client_id)
    if client.status != Status.ENABLED:
        raise NotFound
    return client
