"""Routes of clients (schema/README.md#clients)."""

import asyncio
from typing import Annotated

import msgspec
from litestar import delete, get, patch, post
from litestar.handlers import BaseRouteHandler
from litestar.response.base import ASGIResponse

from edgeclients.core import limits
from edgeclients.core.clients import ClientChange, Clients
from edgeclients.core.creation import Created
from edgeclients.errors import (
    EmptyList,
    ExternalIdTaken,
    GroupNotEnabled,
    GroupOfOtherDomain,
    IdTaken,
    InvalidDirection,
    InvalidExternalId,
    InvalidId,
    InvalidIdentity,
    InvalidLimit,
    InvalidMetadata,
    InvalidName,
    InvalidOrder,
    InvalidQuery,
    InvalidSecret,
    InvalidStatus,
    InvalidTags,
    NotFound,
    QueryTimedOut,
    SecretTaken,
    StatusUnchanged,
    SuperAdminOnly,
    Throttled,
    TooManyChosenSecrets,
    TooManyElements,
)
from edgeclients.http.wire import query
from edgeclients.http.wire.answers import answer, empty
from edgeclients.http.wire.call import BulkLimiter, Call, body_of, session_of
from edgeclients.http.wire.clients import (
    ClientBody,
    ClientsBody,
    CreateClient,
    PageBody,
    UpdateClient,
    UpdateTags,
    decoder,
    to_body,
    to_body_with_roles,
    to_page,
    to_viewed,
)
from edgeclients.http.wire.docs import BODY_ERRORS, CLIENT_ERRORS, CLIENT_EXAMPLE, STORE_ERRORS, describe
from edgeclients.http.wire.drafts import Drafts
from edgeclients.http.wire.fields import shown
from edgeclients.http.wire.parameters import Parameter, boolean, by_name, read

_create = decoder(CreateClient)
_create_many = decoder(list[msgspec.Raw])
_encode_into = msgspec.json.Encoder().encode_into
_update = decoder(UpdateClient)
_update_tags = decoder(UpdateTags)

_VIEW_PARAMETERS = by_name(
    Parameter(
        "roles",
        boolean,
        {"type": "boolean", "default": False},
        "Include the caller's roles on the client and omit private metadata; 404 if the caller has no role.",
    )
)

_CREATE_ERRORS = (
    *BODY_ERRORS,
    InvalidStatus,
    InvalidId,
    InvalidName,
    InvalidIdentity,
    InvalidExternalId,
    InvalidTags,
    InvalidMetadata,
    InvalidSecret,
    IdTaken,
    ExternalIdTaken,
    SecretTaken,
    NotFound,
    GroupOfOtherDomain,
    GroupNotEnabled,
    Throttled,
    *STORE_ERRORS,
)
_CREATED_EXAMPLE = CLIENT_EXAMPLE | {"credentials": {"secret": "1f0c6a52-8a6e-4a1b-9a5f-6a8f7d0f3c21"}}
_BODY_EXAMPLE = {"name": "boiler", "tags": ["floor-1"], "metadata": {"location": {"room": "b1"}}}


def routes(clients: Clients, bulk_bytes: int) -> list[BaseRouteHandler]:
    """The routes of `clients`; `bulk_bytes` is the maximum size of a bulk body."""
    bulk = BulkLimiter()

    @post(
        "/",
        **describe(
            "createClient",
            "Create a client; only this response contains its secret",
            "The client gets a role `admin` with all actions, whose member is the caller. If the request has no secret, the "
            "service generates one. It stores only a hash, so no later response contains the secret.",
            status=201,
            answer=ClientBody,
            example=_CREATED_EXAMPLE,
            errors=_CREATE_ERRORS,
            body=CreateClient,
            body_example=_BODY_EXAMPLE,
            headers=("location",),
        ),
    )
    async def create_client(request: Call) -> ASGIResponse:
        body: CreateClient = await body_of(request, _create)
        (created,) = await clients.create(session_of(request), [body.to_draft()])
        location = {"location": f"/clients/{created.client.id}"}
        return answer(to_body(created.client, created.secret), 201, location)

    @post(
        "/bulk",
        request_max_body_size=bulk_bytes,
        **describe(
            "createClients",
            "Create many clients, all or none; only this response contains their secrets",
            "Creates up to 10,000 clients as `createClient` does. At most 100 of them may have a secret chosen by a person; "
            "generated secrets and random UUIDs do not count.",
            answer=ClientsBody,
            example={"total": 1, "clients": [_CREATED_EXAMPLE]},
            errors=(*_CREATE_ERRORS, EmptyList, TooManyElements, TooManyChosenSecrets),
            body=Annotated[list[CreateClient], shown(minItems=1, maxItems=limits.BULK_CLIENTS)],
            body_example=[_BODY_EXAMPLE],
        ),
    )
    async def create_clients(request: Call) -> ASGIResponse:
        async with bulk.enter() as work:
            drafts = Drafts(await body_of(request, _create_many))
            async with work:
                created = await clients.create(session_of(request), drafts)
                return await asyncio.to_thread(_bulk_answer, created)

    @get(
        "/",
        **describe(
            "listClients",
            "List clients of the domain",
            "Returns one page of the clients that the caller has access to; for a super admin, of all clients. All given "
            "filters have to match.",
            answer=PageBody,
            example={"limit": 10, "total": 1, "clients": [CLIENT_EXAMPLE]},
            errors=(
                InvalidQuery,
                InvalidStatus,
                InvalidLimit,
                InvalidName,
                InvalidOrder,
                InvalidDirection,
                QueryTimedOut,
                SuperAdminOnly,
                *STORE_ERRORS,
            ),
            query=query.PARAMETERS.values(),
        ),
    )
    async def list_clients(request: Call) -> ASGIResponse:
        listed = query.parse(request.scope["query_string"])
        page = await clients.page(session_of(request), listed.clients, listed.user_id)
        return answer(to_page(page, listed.clients))

    @get(
        "/{client_id:str}",
        **describe(
            "viewClient",
            "View a client",
            "Returns the client, enabled or disabled, without its secret.",
            answer=ClientBody,
            example=CLIENT_EXAMPLE,
            errors=(InvalidQuery, *CLIENT_ERRORS),
            query=_VIEW_PARAMETERS.values(),
        ),
    )
    async def view_client(request: Call, client_id: str) -> ASGIResponse:
        if read(request.scope["query_string"], _VIEW_PARAMETERS).get("roles"):
            return answer(to_body_with_roles(*await clients.view_with_roles(session_of(request), client_id)))
        return answer(to_viewed(await clients.view(session_of(request), client_id)))

    @patch(
        "/{client_id:str}",
        **describe(
            "updateClient",
            "Change the name, external id and metadata of an enabled client",
            "Missing fields do not change. Metadata is replaced as a whole.",
            answer=ClientBody,
            example=CLIENT_EXAMPLE,
            errors=(*BODY_ERRORS, InvalidName, InvalidExternalId, InvalidMetadata, ExternalIdTaken, *CLIENT_ERRORS),
            body=UpdateClient,
            body_example={"name": "boiler 2", "metadata": {"location": {"room": "b2"}}},
        ),
    )
    async def update_client(request: Call, client_id: str) -> ASGIResponse:
        body: UpdateClient = await body_of(request, _update)
        change = ClientChange(
            name=body.name or "",
            external_id=body.external_id,
            metadata=body.metadata,
            private_metadata=body.private_metadata,
        )
        return answer(to_body(await clients.update(session_of(request), client_id, change)))

    @patch(
        "/{client_id:str}/tags",
        **describe(
            "updateClientTags",
            "Replace all tags of an enabled client",
            "Replaces all tags with those of the request; an empty list clears them.",
            answer=ClientBody,
            example=CLIENT_EXAMPLE,
            errors=(*BODY_ERRORS, InvalidTags, *CLIENT_ERRORS),
            body=UpdateTags,
            body_example={"tags": ["floor-1", "heating"]},
        ),
    )
    async def update_client_tags(request: Call, client_id: str) -> ASGIResponse:
        body: UpdateTags = await body_of(request, _update_tags)
        return answer(to_body(await clients.update_tags(session_of(request), client_id, body.tags or ())))

    @post(
        "/{client_id:str}/enable",
        **describe(
            "enableClient",
            "Enable a client",
            "The client can authenticate again. The call fails with a conflict if the client is enabled already.",
            answer=ClientBody,
            example=CLIENT_EXAMPLE,
            errors=(StatusUnchanged, *CLIENT_ERRORS),
        ),
    )
    async def enable_client(request: Call, client_id: str) -> ASGIResponse:
        return answer(to_body(await clients.enable(session_of(request), client_id)))

    @post(
        "/{client_id:str}/disable",
        **describe(
            "disableClient",
            "Disable a client",
            "The client cannot authenticate any more, effective at once: cached results become invalid, too. The call fails "
            "with a conflict if the client is disabled already.",
            answer=ClientBody,
            example=CLIENT_EXAMPLE | {"status": "disabled"},
            errors=(StatusUnchanged, *CLIENT_ERRORS),
        ),
    )
    async def disable_client(request: Call, client_id: str) -> ASGIResponse:
        return answer(to_body(await clients.disable(session_of(request), client_id)))

    @delete(
        "/{client_id:str}",
        **describe(
            "deleteClient",
            "Delete a client",
            "Deletes the client with its secrets, roles and connections. This cannot be undone.",
            status=204,
            errors=CLIENT_ERRORS,
        ),
    )
    async def delete_client(request: Call, client_id: str) -> ASGIResponse:
        await clients.remove(session_of(request), client_id)
        return empty(204)

    return [
        create_client,
        create_clients,
        list_clients,
        view_client,
        update_client,
        update_client_tags,
        enable_client,
        disable_client,
        delete_client,
    ]


def _bulk_answer(created: list[Created]) -> ASGIResponse:
    """A `ClientsBody`, encoded client by client: all of the bodies together would take several times its length."""
    text = bytearray(f'{{"total":{len(created)},"clients":['.encode())
    for one in created:
        _encode_into(to_body(one.client, one.secret), text, -1)
        text += b","
    text[-1:] = b"]}"
    return ASGIResponse(body=bytes(text))
