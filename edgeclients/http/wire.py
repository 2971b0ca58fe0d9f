"""JSON as contract 2 and 3 write it: what comes in, what goes out."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, cast

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from edgeclients.core.access import EffectiveRole
from edgeclients.core.clients import ClientDraft
from edgeclients.core.events import status_name
from edgeclients.errors import InvalidBody, InvalidStatus
from edgeclients.model import (
    BY_DOMAIN,
    BY_GROUP,
    Client,
    ClientFilter,
    ConnectionType,
    ListedClient,
    Page,
    Status,
    Viewed,
    action_names,
    rfc3339,
)

Text = str | None
Timestamp = Annotated[datetime, Meta(tz=True)] | None
JsonObject = dict[str, Any]

_CREATE_STATUS = {"": Status.ENABLED, "enabled": Status.ENABLED, "disabled": Status.DISABLED}
TYPE_NAMES = {ConnectionType.PUBLISH: "Publish", ConnectionType.SUBSCRIBE: "Subscribe"}
_TYPES = {name.lower(): kind for kind, name in TYPE_NAMES.items()}


class CredentialsIn(Struct):
    """What a client proves itself with. Without a secret one is generated."""

    identity: Text = None
    secret: Text = None


class CreateClient(Struct):
    """A client to be created; every field may be left out."""

    id: Text = None
    name: Text = None
    tags: list[str] | None = None
    credentials: CredentialsIn | None = None
    metadata: JsonObject | None = None
    private_metadata: JsonObject | None = None
    status: Any = UNSET
    parent_group_id: Text = None
    created_at: Timestamp = None
    updated_at: Timestamp = None
    connection_types: list[str] | None = None

    def to_draft(self) -> ClientDraft:
        """What the use case takes.

        Raises:
            InvalidStatus: the status is none a client can be created with.
            InvalidBody: a connection type is none.
        """
        credentials = self.credentials or CredentialsIn()
        to_types(self.connection_types or ())
        return ClientDraft(
            id=self.id or "",
            name=self.name or "",
            tags=self.tags or (),
            identity=credentials.identity or "",
            secret=credentials.secret or "",
            metadata=self.metadata or {},
            private_metadata=self.private_metadata or {},
            status=_to_status(self.status),
            parent_group_id=self.parent_group_id or "",
        )


class UpdateClient(Struct):
    """New values; what is left out, or null, stays. Metadata is replaced as a whole."""

    name: Text = None
    metadata: JsonObject | None = None
    private_metadata: JsonObject | None = None
    created_at: Timestamp = None
    updated_at: Timestamp = None


class UpdateTags(Struct):
    """The tags a client shall have; none clears them."""

    tags: list[str] | None = None
    created_at: Timestamp = None
    updated_at: Timestamp = None


class UpdateSecret(Struct):
    """A new secret, or the wish for a generated one; with `grace` the old one lives on for so many seconds."""

    secret: Text = None
    generate: bool | None = None
    grace: int | None = None


class SetParent(Struct):
    """The group a client shall belong to."""

    parent_group_id: Text = None


class Connect(Struct):
    """Clients, the channels they shall be connected to or disconnected from, and how."""

    channel_ids: list[str] | None = None
    client_ids: list[str] | None = None
    types: list[str] | None = None


class ConnectChannel(Struct):
    """Clients that shall be connected to a channel or disconnected from it, and how."""

    client_ids: list[str] | None = None
    types: list[str] | None = None


class CredentialsBody(Struct):
    """The secret is there only in the answer to the request that made it."""

    identity: str | UnsetType = UNSET
    secret: str | UnsetType = UNSET


class EffectiveRoleBody(Struct):
    """By what the caller may do something to a client: a role of it, or what its parent group or the domain grants."""

    role_id: str
    role_name: str
    actions: tuple[str, ...] | UnsetType = UNSET
    access_provider_id: str | UnsetType = UNSET
    access_type: str | UnsetType = UNSET


class ClientBody(Struct, kw_only=True):
    """A client (contract 2); empty fields are left out."""

    id: str
    name: str | UnsetType = UNSET
    tags: tuple[str, ...] | UnsetType = UNSET
    domain_id: str
    parent_group_id: str | UnsetType = UNSET
    credentials: CredentialsBody
    metadata: JsonObject | UnsetType = UNSET
    private_metadata: JsonObject | UnsetType = UNSET
    created_at: str
    updated_at: str | UnsetType = UNSET
    updated_by: str | UnsetType = UNSET
    last_seen_at: str | UnsetType = UNSET
    role_id: str | UnsetType = UNSET
    role_name: str | UnsetType = UNSET
    actions: tuple[str, ...] | UnsetType = UNSET
    access_type: str | UnsetType = UNSET
    access_provider_id: str | UnsetType = UNSET
    connection_types: tuple[str, ...] | UnsetType = UNSET
    roles: tuple[EffectiveRoleBody, ...] | UnsetType = UNSET
    status: str


class ClientsBody(Struct):
    """What a bulk create made."""

    total: int
    clients: list[ClientBody]


class PageBody(Struct, kw_only=True):
    """One page of a list; `limit` and `offset` are left out when 0."""

    limit: int | UnsetType = UNSET
    offset: int | UnsetType = UNSET
    total: int
    clients: list[ClientBody]


def to_body(client: Client, secret: str = "", last_seen_at: int | None = None) -> ClientBody:
    """A client as it is answered."""
    return ClientBody(
        id=client.id,
        name=client.name or UNSET,
        tags=client.tags or UNSET,
        domain_id=client.domain_id,
        parent_group_id=client.parent_group_id or UNSET,
        credentials=CredentialsBody(client.identity or UNSET, secret or UNSET),
        metadata=_object(client.metadata),
        private_metadata=_object(client.private_metadata),
        created_at=rfc3339(client.created_at),
        updated_at=UNSET if client.updated_at is None else rfc3339(client.updated_at),
        updated_by=client.updated_by or UNSET,
        last_seen_at=UNSET if last_seen_at is None else rfc3339(last_seen_at),
        status=status_name(client.status),
    )


def to_viewed(viewed: Viewed) -> ClientBody:
    """A client as it is answered to somebody who looks at it."""
    return to_body(viewed.client, last_seen_at=viewed.last_seen_at)


def to_body_with_roles(viewed: Viewed, roles: Sequence[EffectiveRole]) -> ClientBody:
    """A client as it is answered to somebody who asks for their roles; private metadata is not shown then (contract 2)."""
    body = to_viewed(viewed)
    body.private_metadata = UNSET
    body.roles = tuple(
        EffectiveRoleBody(
            role.role_id,
            role.role_name,
            action_names(role.actions) or UNSET,
            role.access_provider_id or UNSET,
            role.access_type or UNSET,
        )
        for role in roles
    )
    return body


def to_page(page: Page, wanted: ClientFilter) -> PageBody:
    """A page as it is answered."""
    return PageBody(
        limit=wanted.limit or UNSET,
        offset=wanted.offset or UNSET,
        total=page.total,
        clients=[_listed(item) for item in page.items],
    )


def to_types(names: "list[str] | tuple[str, ...]") -> tuple[ConnectionType, ...]:
    """Connection types by name, in any letter case.

    Raises:
        InvalidBody: one has no such name.
    """
    try:
        return tuple(_TYPES[name.lower()] for name in names)
    except KeyError as error:
        raise InvalidBody("connection type") from error


def _listed(item: ListedClient) -> ClientBody:
    body = to_body(item.client, last_seen_at=item.last_seen_at)
    if item.connection_types:
        body.connection_types = tuple(TYPE_NAMES[kind] for kind in item.connection_types)
    if item.access_type is not None:
        body.access_type = item.access_type
    if item.access_type == BY_DOMAIN:
        body.access_provider_id = item.client.domain_id
    if item.access_type == BY_GROUP:
        body.access_provider_id = item.client.parent_group_id or UNSET
    if item.role is not None:
        body.role_id, body.role_name, body.actions = item.role.id, item.role.name, action_names(item.role.actions)
    return body


def _object(text: str) -> JsonObject | UnsetType:
    """Metadata, passed on as the text it is kept as."""
    return UNSET if text == "{}" else cast("JsonObject", Raw(text.encode()))


def _to_status(value: object) -> Status:
    if value is UNSET:
        return Status.ENABLED
    try:
        return _CREATE_STATUS[cast("str", value)]
    except (KeyError, TypeError) as error:
        raise InvalidStatus from error


def decoder(kind: type[Any]) -> "msgspec.json.Decoder[Any]":
    """A decoder to keep."""
    return msgspec.json.Decoder(kind)
