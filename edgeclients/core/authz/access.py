"""Authorisation (schema/README.md#permissions): the one place that decides what callers may do.

A permission is granted by the caller's standing in the domain, by the client's parent group, or by the caller's role on
the client. The authorizer is asked before anything is done: once per operation for the standing, then for the parent
groups of the clients. A callout follows, if one is configured. Roles are read where the operation takes effect: inside its
transaction. So a role that was just removed grants nothing, and neither does the group of a client that has moved to
another one.
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
    """Checks what callers may do.

    Args:
        store: the roles.
        authorizer: what is granted in addition to roles.
        callout: an external service that may refuse; None for none.
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
        **details: object,
    ) -> Permit:
        """What is known of `session` for `operation` on these clients; the operation then admits each client with it.

        Args:
            session: the caller.
            operation: an operation on clients.
            client_ids: the clients.
            also: a further check before the callout is asked; it raises to refuse.
            details: further details for the callout's payload.

        Raises:
            DomainForbidden, Forbidden: the caller may not, whatever the clients.
            Unavailable: the service that decides is unavailable.
            NotFound: a callout was to be asked about a client that does not exist.
            CalloutRefused, CalloutFailed: see `Callout.ask`.
        """
        standing = await self._authorizer.standing(session, operation, client_ids)
        permit = Permit(session, operation.action, standing)
        if standing.by_group and (not permit.granted or operation.shows_actions):
            permit = await self._with_groups(permit, operation, client_ids)
        if also is not None:
            await also(permit)
        if client_ids and self._asks(operation):
            await self._consult_about(permit, operation, client_ids, details)
        return permit

    async def consult(
        self, session: Session, operation: Operation, entity: tuple[str, str], payload: Callable[[], Mapping[str, Any]]
    ) -> None:
        """Ask the callout, if there is one for this operation, which the caller is allowed to do.

        Args:
            session: the caller.
            operation: an operation that callouts may be asked about.
            entity: type and id of its target.
            payload: returns further details; called only if a callout is asked.

        Raises:
            CalloutRefused, CalloutFailed: see `Callout.ask`.
        """
        if self._callout is None or not self._asks(operation):
            return
        now = rfc3339(self._store.now())
        await self._callout.ask(
            Question(operation.callout, *entity, session.user_id, "user", session.domain_id, now, payload())
        )

    def asks(self, *operations: Operation) -> bool:
        """Whether a callout is asked about one of these operations."""
        return any(map(self._asks, operations))

    def _asks(self, operation: Operation) -> bool:
        return self._callout is not None and self._callout.wants(operation.callout)

    async def _consult_about(
        self, permit: Permit, operation: Operation, client_ids: Sequence[str], details: Mapping[str, object]
    ) -> None:
        """Ask about an operation on clients, after checking that the caller may do it to each of them now."""
        session = permit.session
        clients = [await self.admitted(permit, client_id) for client_id in dict.fromkeys(client_ids)]
        if operation.several:
            payload = {"client_ids": [client.id for client in clients], **details}
            await self.consult(session, operation, ("domain", session.domain_id), lambda: payload)
            return
        (client,) = clients
        payload = {"entity_id": client.id, **details}
        if operation is Operation.REMOVE_PARENT_GROUP:
            if client.parent_group_id is None:
                return  # the operation changes nothing
            payload["parent_id"] = client.parent_group_id
        await self.consult(session, operation, ("client", client.id), lambda: payload)

    async def _with_groups(self, permit: Permit, operation: Operation, client_ids: tuple[str, ...]) -> Permit:
        """`permit` with the grants of parent groups, if they matter."""
        groups = await self._groups_to_ask(permit, client_ids, even_with_role=operation.shows_actions)
        if not groups:
            return permit
        actions = await self._authorizer.group_actions(permit.session, operation, sorted(groups))
        return msgspec.structs.replace(permit, groups=actions)

    async def create(self, session: Session) -> None:
        """Return if `session` may create clients in its domain.

        Raises:
            DomainForbidden, Forbidden: the caller may not.
        """
        if not (await self._authorizer.standing(session, Operation.CREATE_CLIENTS)).creates:
            raise Forbidden

    async def place(self, session: Session) -> None:
        """Return if `session` may put clients that it is about to create into parent groups; its role on them will allow it.

        Raises:
            DomainForbidden, Forbidden: the caller may not.
        """
        await self._authorizer.standing(session, Operation.SET_PARENT_GROUP)

    async def group(self, session: Session, operation: Operation, group_id: str) -> None:
        """Return if `session` may add clients to a group or remove them; see `ports.Authorizer.admit_to_group`.

        Raises:
            Forbidden: the caller may not.
            Unavailable: the service that decides is unavailable.
        """
        await self._authorizer.admit_to_group(session, operation, group_id)

    async def members(self, session: Session, member_ids: tuple[str, ...]) -> None:
        """Return if these users may get roles on clients of the session's domain.

        Raises:
            Forbidden: at least one of them may not.
            Unavailable: the service that decides is unavailable.
        """
        if member_ids:
            await self._authorizer.admit_members(session, member_ids)

    async def viewer(self, session: Session, wanted: ClientFilter, user_id: str = "") -> Viewer:
        """The user whose view a list shows: the caller, or `user_id`, which only a super admin may ask for.

        Raises:
            DomainForbidden: the caller may do nothing in this domain.
            SuperAdminOnly: the caller may not see another user's view.
            QueryTimedOut: the clients of the domain are in too many groups to ask about.
            CalloutRefused, CalloutFailed: see `Callout.ask`.
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
            entity = ("domain", session.domain_id)
            await self.consult(session, Operation.LIST_CLIENTS, entity, lambda: {"pagemeta": page_meta(wanted)})
        everything = standing.actions != NO_ACTIONS
        groups = await self._groups_seen(session, wanted) if standing.by_group and not everything else frozenset[str]()
        return Viewer(session.user_id, everything, groups)

    async def admitted(self, permit: Permit, client_id: str) -> Client:
        """The client as of now, if the caller may do this to it.

        Raises:
            NotFound, Forbidden: see `Permit.admit`.
        """
        return await self.admit(permit, await self._store.client(client_id) if is_uuid(client_id) else None)

    async def admit(self, permit: Permit, client: Client | None) -> Client:
        """`client`, which was just read, if the caller may do this to it.

        Raises:
            NotFound, Forbidden: see `Permit.admit`.
        """
        held = None
        if client is not None and not permit.grants(client):
            held = await self._store.role_held(client.id, permit.session.user_id)
        return permit.admit(client, held)

    async def _standing_of(self, session: Session) -> Standing:
        try:
            return await self._authorizer.standing(session, Operation.LIST_CLIENTS)
        except (DomainForbidden, Forbidden):
            return MEMBERSHIP  # the view shows what roles grant, also without access to the domain

    async def _groups_to_ask(self, permit: Permit, client_ids: tuple[str, ...], *, even_with_role: bool) -> set[str]:
        """The parent groups that decide whether the caller may do this to these clients."""
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
        NotFound, Forbidden: see `Permit.admit`.
    """
    client = await tx.client(client_id) if is_uuid(client_id) else None
    held = None
    if client is not None and not permit.grants(client):
        held = await tx.role_held(client_id, permit.session.user_id)
    return permit.admit(client, held)


async def enabled(tx: Transaction, permit: Permit, client_id: str) -> Client:
    """The client, enabled, if the caller may do this to it.

    Raises:
        NotFound, Forbidden: see `Permit.admit`; a client that is not enabled is not found.
    """
    client = await admitted(tx, permit, client_id)
    if client.status != Status.ENABLED:
        raise NotFound
    return client
