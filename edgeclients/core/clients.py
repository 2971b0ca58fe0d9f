"""Clients: create, view, list, update, enable, disable, remove (schema/README.md#clients).

Every change is one unit of work: it reads what it depends on, and writes its event.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Any

from msgspec import Struct

from edgeclients.core import creation, events, journal, limits
from edgeclients.core.authz import callouts
from edgeclients.core.authz.access import Access, admitted, enabled
from edgeclients.core.authz.permit import EffectiveRole, Permit, effective_roles
from edgeclients.core.changes import touched
from edgeclients.core.creation import Created
from edgeclients.core.ids import EntityIds
from edgeclients.core.parents import Parents
from edgeclients.core.rules import check_external_id, check_name, check_tags, is_uuid, metadata_text
from edgeclients.core.secrets.issue import Secrets
from edgeclients.errors import EmptyList, NotFound, SecretTaken, StatusUnchanged, TooManyElements
from edgeclients.model import (
    Client,
    ClientDraft,
    ClientFilter,
    Page,
    RoleFilter,
    Session,
    Status,
    Viewed,
)
from edgeclients.operations import Operation
from edgeclients.ports import Channels, Store, Transaction

_INLINE = 64  # more clients than this are prepared off the event loop
_PART = 500  # clients written at a time


class ClientChange(Struct, frozen=True, kw_only=True):
    """New values for a client's fields; None leaves one as it is, and so does an empty name. `external_id` "" removes it."""

    name: str = ""
    external_id: str | None = None
    metadata: Mapping[str, Any] | None = None
    private_metadata: Mapping[str, Any] | None = None


class Clients:
    """The use cases of clients.

    Args:
        store: the clients.
        access: checks permissions.
        secrets: makes the stored form of secrets.
        parents: checks parent groups.
        channels: another service that stores connections of clients; None for none.
    """

    def __init__(
        self, store: Store, access: Access, secrets: Secrets, parents: Parents, channels: Channels | None = None
    ) -> None:
        self._store = store
        self._access = access
        self._secrets = secrets
        self._parents = parents
        self._channels = channels
        self._ids = EntityIds()

    async def create(self, session: Session, drafts: Collection[ClientDraft]) -> list[Created]:
        """Write all of `drafts` or none, each with a built-in role whose member is the caller.

        Raises:
            EmptyList, TooManyElements: there are none, or too many.
            InvalidId, InvalidName, InvalidTags, InvalidMetadata, InvalidSecret, …: one is not valid.
            IdTaken, ExternalIdTaken, SecretTaken: an id or a secret is in use, or occurs twice.
        """
        if not drafts:
            raise EmptyList
        if len(drafts) > limits.BULK_CLIENTS:
            raise TooManyElements
        off_loop = len(drafts) > _INLINE
        look = partial(creation.outline, drafts, partial(self._ids.new, self._store.now()))
        outline = await asyncio.to_thread(look) if off_loop else look()
        await self._access.create(session)
        await self._parents.admit(session, outline.parents)
        if off_loop and outline.values > limits.BULK_METADATA_VALUES:
            raise TooManyElements("metadata values")
        await self._access.consult(
            session,
            Operation.CREATE_CLIENTS,
            ("domain", session.domain_id),
            lambda: {"entities": callouts.entities(session, outline.ids, drafts), "count": len(drafts)},
        )
        stored = await self._secrets.keep(session, outline.supplied)
        check = partial(creation.checked, session, outline.ids, drafts, self._store.now())
        created = await asyncio.to_thread(check) if off_loop else check()

        entry = journal.created if len(created) == 1 else journal.created_with_others

        async def unit(tx: Transaction) -> None:
            if len(created) > 1:
                await tx.record([journal.summary(session, journal.CREATE, clients=len(created))])
            for start in range(0, len(created), _PART):
                part = [creation.new_client(session, one.client, stored(one.secret)) for one in created[start : start + _PART]]
                await tx.insert(part)
                await tx.append([events.created(session, one) for one in part])
                await tx.record([entry(session, one.client) for one in part])
            await tx.grant()

        try:
            await self._store.run(unit)
        except SecretTaken:
            self._secrets.note_taken(session)
            raise
        return created

    async def view(self, session: Session, client_id: str) -> Viewed:
        """The client, of any status.

        Raises:
            NotFound: there is no such client in this domain.
        """
        return (await self._viewed(session, client_id))[1]

    async def view_with_roles(self, session: Session, client_id: str) -> tuple[Viewed, tuple[EffectiveRole, ...]]:
        """The client, and the sources of the caller's actions on it.

        Raises:
            NotFound: there is no such client in this domain, or the caller, a super admin, has no role on it.
        """
        permit, viewed = await self._viewed(session, client_id, Operation.VIEW_WITH_ROLES)
        roles = effective_roles(permit, viewed.client, await self._store.role_held(client_id, session.user_id))
        if not roles:
            raise NotFound
        return viewed, roles

    async def _viewed(self, session: Session, client_id: str, operation: Operation = Operation.VIEW) -> tuple[Permit, Viewed]:
        permit = await self._access.permit(session, operation, client_id)
        viewed = await self._store.view(client_id) if is_uuid(client_id) else None
        if viewed is None:
            raise NotFound
        await self._access.admit(permit, viewed.client)
        return permit, viewed

    async def page(self, session: Session, wanted: ClientFilter, user_id: str = "") -> Page:
        """One page of the domain's clients on which the caller, or for a super admin `user_id`, has an action.

        A super admin sees all of them, and without roles unless the filter is about roles.

        Raises:
            SuperAdminOnly: the caller may not see another user's view.
        """
        viewer = await self._access.viewer(session, wanted, user_id)
        if session.super_admin and not user_id and wanted.role == RoleFilter():
            return await self._store.page(session.domain_id, wanted)
        return await self._store.page(session.domain_id, wanted, viewer)

    async def update(self, session: Session, client_id: str, change: ClientChange) -> Client:
        """Change name, external id and metadata of an enabled client.

        Raises:
            NotFound: there is no such enabled client in this domain.
            ExternalIdTaken: another client of the domain has the external id.
        """
        check_name(change.name)
        fields = {"name": change.name} if change.name else {}
        if change.external_id is not None:
            check_external_id(change.external_id)
            fields["external_id"] = change.external_id
        if change.metadata is not None:
            fields["metadata"] = metadata_text(change.metadata)
        if change.private_metadata is not None:
            fields["private_metadata"] = metadata_text(change.private_metadata)
        permit = await self._access.permit(session, Operation.UPDATE, client_id)

        async def unit(tx: Transaction) -> Client:
            old = await enabled(tx, permit, client_id)
            new = touched(old, tx, session, **fields)
            await tx.replace(old, new, change.metadata)
            await tx.append([events.updated(session, "client.update", new)])
            await tx.record([journal.changed(session, "client.update", old, new)])
            return new

        return await self._store.run(unit)

    async def update_tags(self, session: Session, client_id: str, tags: Sequence[str]) -> Client:
        """Replace all tags of an enabled client.

        Raises:
            NotFound: there is no such enabled client in this domain.
        """
        new_tags = check_tags(tags)
        permit = await self._access.permit(session, Operation.UPDATE_TAGS, client_id)

        async def unit(tx: Transaction) -> Client:
            old = await enabled(tx, permit, client_id)
            new = touched(old, tx, session, tags=new_tags)
            await tx.replace(old, new)
            await tx.append([events.updated(session, "client.update_tags", new)])
            await tx.record([journal.changed(session, "client.update_tags", old, new)])
            return new

        return await self._store.run(unit)

    async def enable(self, session: Session, client_id: str) -> Client:
        """Allow a client to authenticate again.

        Raises:
            NotFound: there is no such client in this domain.
            StatusUnchanged: it is enabled already.
        """
        return await self._switch(session, client_id, Operation.ENABLE, Status.ENABLED)

    async def disable(self, session: Session, client_id: str) -> Client:
        """Stop a client from authenticating, at once.

        Raises:
            NotFound: there is no such client in this domain.
            StatusUnchanged: it is disabled already.
        """
        return await self._switch(session, client_id, Operation.DISABLE, Status.DISABLED)

    async def remove(self, session: Session, client_id: str) -> None:
        """Remove a client with its secrets, tags, roles and connections.

        Another service that stores its connections removes them first: if that fails, the client stays as it is.

        Raises:
            NotFound: there is no such client in this domain.
        """
        permit = await self._access.permit(session, Operation.DELETE, client_id)
        if self._channels is not None:
            await self._access.admitted(permit, client_id)
            if await self._store.connections(client_id):
                await self._channels.forget_client(client_id)

        async def unit(tx: Transaction) -> None:
            client = await admitted(tx, permit, client_id)
            await tx.remove(client)
            await tx.revoke([client.id])
            await tx.append([events.removed(session, client.id)])
            await tx.record([journal.removed(session, client)])

        await self._store.run(unit)

    async def _switch(self, session: Session, client_id: str, operation: Operation, status: Status) -> Client:
        permit = await self._access.permit(session, operation, client_id)

        async def unit(tx: Transaction) -> Client:
            old = await admitted(tx, permit, client_id)
            if old.status == status:
                raise StatusUnchanged
            new = touched(old, tx, session, status=int(status))
            await tx.replace(old, new)
            if status is Status.ENABLED:
                await tx.grant()
            else:
                await tx.revoke([client_id])
            await tx.append([events.switched(session, f"client.{operation}", new)])
            await tx.record([journal.changed(session, f"client.{operation}", old, new)])
            return new

        return await self._store.run(unit)
