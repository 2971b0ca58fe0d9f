"""JSON of clients and connections (schema/README.md#client-object): bodies of requests and responses."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, cast

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from edgeclients.core.authz.permit import EffectiveRole
from edgeclients.core.events import status_name
from edgeclients.core.secrets.rotation import SecretChange
from edgeclients.errors import InvalidBody, InvalidStatus
from edgeclients.http.wire.fields import (
    NOT_FALSE,
    NOT_TRUE,
    READ_ONLY,
    REQUIRED,
    ActionName,
    ExternalId,
    Grace,
    Identity,
    Ids,
    Metadata,
    Name,
    NewStatus,
    Secret,
    Tags,
    Time,
    Types,
    Uuid,
    UuidOrEmpty,
    shown,
)
from edgeclients.model import (
    BY_DOMAIN,
    BY_GROUP,
    DIRECT,
    Client,
    ClientDraft,
    ClientFilter,
    ConnectionType,
    ListedClient,
    Page,
    Status,
    Viewed,
    action_names,
    rfc3339,
)

Timestamp = Annotated[Annotated[datetime, Meta(tz=True)] | None, READ_ONLY]

_CREATE_STATUS = {"": Status.ENABLED, "enabled": Status.ENABLED, "disabled": Status.DISABLED}
TYPE_NAMES = {ConnectionType.PUBLISH: "Publish", ConnectionType.SUBSCRIBE: "Subscribe"}
_TYPES = {name.lower(): kind for kind, name in TYPE_NAMES.items()}

ShownType = Annotated[str, shown(enum=list(TYPE_NAMES.values()))]
ShownStatus = Annotated[str, shown(enum=[status_name(status) for status in Status])]
AccessType = Annotated[str, shown(enum=[DIRECT, BY_GROUP, BY_DOMAIN])]


class CredentialsIn(Struct):
    """Credentials of a client. If the secret is missing or empty, the service generates one."""

    identity: Identity | None = None
    secret: Secret | None = None


class CreateClient(Struct):
    """A client to create. Every field is optional.

    A complete client may be sent: the service ignores read-only and unknown fields.
    """

    id: Annotated[UuidOrEmpty | None, shown(description="If missing or empty, the service generates an id.")] = None
    name: Name | None = None
    external_id: ExternalId | None = None
    tags: Tags | None = None
    credentials: CredentialsIn | None = None
    metadata: Metadata | None = None
    private_metadata: Metadata | None = None
    status: NewStatus = UNSET
    parent_group_id: UuidOrEmpty | None = None
    created_at: Timestamp = None
    updated_at: Timestamp = None
    connection_types: Annotated[list[str] | None, READ_ONLY] = None

    def to_draft(self) -> ClientDraft:
        """The draft for the use case.

        Raises:
            InvalidStatus: a client cannot be created with this status.
            InvalidBody: a connection type is unknown.
        """
        credentials = self.credentials or CredentialsIn()
        to_types(self.connection_types or ())
        return ClientDraft(
            id=self.id or "",
            name=self.name or "",
            tags=self.tags or (),
            identity=credentials.identity or "",
            external_id=self.external_id or "",
            secret=credentials.secret or "",
            metadata=self.metadata or {},
            private_metadata=self.private_metadata or {},
            status=_to_status(self.status),
            parent_group_id=self.parent_group_id or "",
        )


class UpdateClient(Struct):
    """New values. A field that is missing or null does not change, nor does the name if it is empty.

    An empty external id removes it. Metadata is replaced as a whole. A complete client may be sent: the service ignores its
    other fields.
    """

    name: Name | None = None
    external_id: ExternalId | None = None
    metadata: Metadata | None = None
    private_metadata: Metadata | None = None
    created_at: Timestamp = None
    updated_at: Timestamp = None


class UpdateTags(Struct):
    """All new tags of a client; an empty list clears them. A complete client may be sent: its other fields are ignored."""

    tags: Tags | None = None
    created_at: Timestamp = None
    updated_at: Timestamp = None


class UpdateSecret(Struct):
    """A `ChosenSecret` or a `GeneratedSecret`. OpenAPI documents these, because exactly one of them is valid."""

    secret: str | None = None
    generate: bool | None = None
    grace: int | float | None = None

    def to_change(self) -> SecretChange:
        """The change for the use case.

        Raises:
            InvalidBody: `grace` is not an integer; `60.0` is one in JSON.
        """
        grace = self.grace or 0
        if isinstance(grace, float) and not grace.is_integer():
            raise InvalidBody("grace")
        return SecretChange(self.secret or "", bool(self.generate), int(grace))


class ChosenSecret(Struct):
    """A new secret. With `grace` the old one stays valid for that many seconds."""

    secret: Annotated[Secret | None, REQUIRED, shown(minLength=1)] = None
    generate: Annotated[bool | None, NOT_TRUE] = None
    grace: Grace | None = None


class GeneratedSecret(Struct):
    """A request for a generated secret. With `grace` the old one stays valid for that many seconds."""

    generate: Annotated[bool | None, REQUIRED, NOT_FALSE] = None
    secret: Annotated[Annotated[str, shown(maxLength=0)] | None, shown(description="Missing or empty.")] = None
    grace: Grace | None = None


class SetParent(Struct):
    """The new parent group of a client."""

    parent_group_id: Annotated[Uuid | None, REQUIRED] = None


class Connect(Struct):
    """Clients to connect to channels or to disconnect from them, and the connection types.

    The number of connections is clients × channels × types, at most 10,000 in one call.
    """

    channel_ids: Annotated[Ids | None, REQUIRED] = None
    client_ids: Annotated[Ids | None, REQUIRED] = None
    types: Annotated[Types | None, REQUIRED] = None


class ConnectChannel(Struct):
    """Clients to connect to a channel or to disconnect from it, and the connection types.

    The number of connections is clients × types, at most 10,000 in one call.
    """

    client_ids: Annotated[Ids | None, REQUIRED] = None
    types: Annotated[Types | None, REQUIRED] = None


class CredentialsBody(Struct):
    """Credentials of a client. Only the response to the request that created the secret may contain it."""

    identity: str | UnsetType = UNSET
    secret: str | UnsetType = UNSET


class EffectiveRoleBody(Struct):
    """A grant of access to a client: by a role of the client, by its parent group or by its domain."""

    role_id: str
    role_name: str
    actions: tuple[ActionName, ...] | UnsetType = UNSET
    access_provider_id: str | UnsetType = UNSET
    access_type: AccessType | UnsetType = UNSET


class ClientBody(Struct, kw_only=True):
    """A client, without its empty fields."""

    id: str
    name: str | UnsetType = UNSET
    external_id: str | UnsetType = UNSET
    tags: tuple[str, ...] | UnsetType = UNSET
    domain_id: Annotated[str, READ_ONLY]
    parent_group_id: str | UnsetType = UNSET
    credentials: CredentialsBody
    metadata: Metadata | UnsetType = UNSET
    private_metadata: Metadata | UnsetType = UNSET
    created_at: Annotated[Time, READ_ONLY]
    updated_at: Annotated[Time, READ_ONLY] | UnsetType = UNSET
    updated_by: Annotated[str, READ_ONLY] | UnsetType = UNSET
    last_seen_at: Annotated[Time, READ_ONLY] | UnsetType = UNSET
    role_id: Annotated[str, READ_ONLY] | UnsetType = UNSET
    role_name: Annotated[str, READ_ONLY] | UnsetType = UNSET
    actions: Annotated[tuple[ActionName, ...], READ_ONLY] | UnsetType = UNSET
    access_type: Annotated[AccessType, READ_ONLY] | UnsetType = UNSET
    access_provider_id: Annotated[str, READ_ONLY] | UnsetType = UNSET
    connection_types: Annotated[tuple[ShownType, ...], READ_ONLY] | UnsetType = UNSET
    roles: Annotated[tuple[EffectiveRoleBody, ...], READ_ONLY] | UnsetType = UNSET
    status: ShownStatus


class ClientsBody(Struct):
    """The clients of a bulk create."""

    total: int
    clients: list[ClientBody]


class PageBody(Struct, kw_only=True):
    """One page of a list of clients, without `limit` and `offset` when these are 0."""

    limit: int | UnsetType = UNSET
    offset: int | UnsetType = UNSET
    total: int
    clients: list[ClientBody]


def to_body(client: Client, secret: str = "", last_seen_at: int | None = None) -> ClientBody:
    """The response body of a client."""
    return ClientBody(
        id=client.id,
        name=client.name or UNSET,
        external_id=client.external_id or UNSET,
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
    """The response body of a client that a caller views."""
    return to_body(viewed.client, last_seen_at=viewed.last_seen_at)


def to_body_with_roles(viewed: Viewed, roles: Sequence[EffectiveRole]) -> ClientBody:
    """The response body of a client with the caller's roles, which has no private metadata (schema/README.md#client-object)."""
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


def to_page(page: Page, client_filter: ClientFilter) -> PageBody:
    """The response body of a page."""
    return PageBody(
        limit=client_filter.limit or UNSET,
        offset=client_filter.offset or UNSET,
        total=page.total,
        clients=[_listed(item) for item in page.items],
    )


def to_types(names: "list[str] | tuple[str, ...]") -> tuple[ConnectionType, ...]:
    """Connection types by name, in any letter case.

    Raises:
        InvalidBody: a name is unknown.
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


def _object(text: str) -> dict[str, Any] | UnsetType:
    """Metadata, which passes through as its stored JSON text."""
    return UNSET if text == "{}" else cast("dict[str, Any]", Raw(text.encode()))


def _to_status(value: object) -> Status:
    if value is UNSET:
        return Status.ENABLED
    try:
        return _CREATE_STATUS[cast("str", value)]
    except (KeyError, TypeError) as error:
        raise InvalidStatus from error


def decoder(kind: type[Any]) -> "msgspec.json.Decoder[Any]":
    """A decoder of bodies of this type, to create once."""
    return msgspec.json.Decoder(kind)
