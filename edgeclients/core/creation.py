"""New clients: from what a caller sends to what is written.

A gateway has memory for ten thousand clients, not for ten thousand in several forms. So drafts may be decoded whenever they
are looked at, which happens twice, and hashes, roles and events are made for some hundred clients at a time.
"""

from collections.abc import Callable, Collection, Sequence

from msgspec import Struct

from edgeclients.core.ids import new_role_id
from edgeclients.core.rules import check_external_id, check_id, check_identity, check_name, check_tags, metadata_text, values
from edgeclients.core.secrets.issue import SuppliedSecret
from edgeclients.core.secrets.keyring import generate
from edgeclients.model import ALL_ACTIONS, Client, ClientDraft, NewClient, NewRole, Session, StoredSecret

ADMIN_ROLE = "admin"


class Created(Struct, frozen=True):
    """A stored client and its secret, which is shown only now."""

    client: Client
    secret: str


class Outline(Struct, frozen=True):
    """What is to be known of all drafts together: ids, parent groups, supplied secrets, number of values in the metadata."""

    ids: list[str]
    parents: list[str]
    supplied: list[SuppliedSecret]
    values: int


def outline(drafts: Collection[ClientDraft], new_id: Callable[[], str]) -> Outline:
    """The outline of `drafts`; those without an id get a new one."""
    ids, parents, supplied, count = [], [], [], 0
    for draft in drafts:
        client_id = draft.id or new_id()
        ids.append(client_id)
        if draft.parent_group_id:
            parents.append(draft.parent_group_id)
        if draft.secret:
            supplied.append(SuppliedSecret(client_id, draft.secret))
        count += values(draft.metadata)
    return Outline(ids, parents, supplied, count)


def checked(session: Session, ids: Sequence[str], drafts: Collection[ClientDraft], now: int) -> list[Created]:
    """The clients that `drafts` become, with their secrets; a secret that is missing is generated.

    Raises:
        InvalidId, InvalidName, InvalidTags, InvalidMetadata, …: one is not valid.
    """
    return [
        Created(client_of(session, client_id, draft, now), draft.secret or generate())
        for client_id, draft in zip(ids, drafts, strict=True)
    ]


def new_client(session: Session, client: Client, stored: StoredSecret) -> NewClient:
    """The client to write, with its secret's stored form and a built-in role whose member is the caller."""
    role = NewRole(
        id=new_role_id(),
        entity_id=client.id,
        name=ADMIN_ROLE,
        actions=ALL_ACTIONS,
        created_at=client.created_at,
        created_by=session.user_id,
        members=(session.user_id,),
    )
    return NewClient(client, stored, role)


def client_of(session: Session, client_id: str, draft: ClientDraft, now: int) -> Client:
    """The client that a draft becomes.

    Raises:
        InvalidId, InvalidName, InvalidTags, InvalidMetadata, …: it is not valid.
    """
    check_name(draft.name)
    check_id(client_id)
    check_identity(draft.identity)
    check_external_id(draft.external_id)
    return Client(
        id=client_id,
        domain_id=session.domain_id,
        status=int(draft.status),
        name=draft.name,
        tags=check_tags(draft.tags),
        identity=draft.identity,
        external_id=draft.external_id,
        parent_group_id=draft.parent_group_id or None,
        created_at=now,
        updated_at=None,
        updated_by=None,
        metadata=metadata_text(draft.metadata),
        private_metadata=metadata_text(draft.private_metadata),
    )
