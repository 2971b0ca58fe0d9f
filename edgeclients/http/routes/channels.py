"""Routes to connect and disconnect clients, for gateways without a channels service (schema/README.md#connections)."""

from litestar import post
from litestar.handlers import BaseRouteHandler
from litestar.response.base import ASGIResponse

from edgeclients.core.connections import Connections
from edgeclients.core.rules import check_path_id
from edgeclients.errors import (
    AlreadyConnected,
    ClientNotEnabled,
    InvalidId,
    MissingChannelId,
    MissingConnectionType,
    MissingId,
    NotFound,
    TooManyElements,
)
from edgeclients.http.wire.answers import empty
from edgeclients.http.wire.call import Call, body_of, session_of
from edgeclients.http.wire.clients import Connect, ConnectChannel, decoder, to_types
from edgeclients.http.wire.docs import BODY_ERRORS, CHANNEL_ID, CLIENT_ID, STORE_ERRORS, describe

_connect = decoder(Connect)
_connect_channel = decoder(ConnectChannel)

_ERRORS = (
    *BODY_ERRORS,
    MissingId,
    MissingChannelId,
    MissingConnectionType,
    InvalidId,
    NotFound,
    TooManyElements,
    *STORE_ERRORS,
)
_CONNECT_ERRORS = (*_ERRORS, AlreadyConnected, ClientNotEnabled)
_CHANNEL_EXAMPLE = {"client_ids": [CLIENT_ID], "types": ["publish", "subscribe"]}
_EXAMPLE = {"channel_ids": [CHANNEL_ID], **_CHANNEL_EXAMPLE}


def routes(connections: Connections) -> list[BaseRouteHandler]:
    """The routes, for `connections`."""

    @post(
        "/connect",
        **describe(
            "connect",
            "Connect clients to channels, all or none",
            "Connects every client to every channel with every given type. The clients must be enabled and belong to this "
            "domain. The call fails with a conflict if one of the connections exists.",
            status=201,
            errors=_CONNECT_ERRORS,
            body=Connect,
            body_example=_EXAMPLE,
            tag="channels",
        ),
    )
    async def connect(request: Call) -> ASGIResponse:
        body: Connect = await body_of(request, _connect)
        types = to_types(body.types or ())
        await connections.connect(session_of(request), body.channel_ids or (), body.client_ids or (), types)
        return empty(201)

    @post(
        "/disconnect",
        **describe(
            "disconnect",
            "Disconnect clients from channels",
            "Removes the connections of every client to every channel with every given type. Missing connections are ignored.",
            status=204,
            errors=_ERRORS,
            body=Connect,
            body_example=_EXAMPLE,
            tag="channels",
        ),
    )
    async def disconnect(request: Call) -> ASGIResponse:
        body: Connect = await body_of(request, _connect)
        types = to_types(body.types or ())
        await connections.disconnect(session_of(request), body.channel_ids or (), body.client_ids or (), types)
        return empty(204)

    @post(
        "/{channel_id:str}/connect",
        **describe(
            "connectChannel",
            "Connect clients to a channel, all or none",
            "Connects every client to the channel with every given type. The clients must be enabled and belong to this "
            "domain. The call fails with a conflict if one of the connections exists.",
            status=201,
            errors=_CONNECT_ERRORS,
            body=ConnectChannel,
            body_example=_CHANNEL_EXAMPLE,
            tag="channels",
        ),
    )
    async def connect_channel(request: Call, channel_id: str) -> ASGIResponse:
        body: ConnectChannel = await body_of(request, _connect_channel)
        types = to_types(body.types or ())
        check_path_id(channel_id)
        await connections.connect(session_of(request), (channel_id,), body.client_ids or (), types)
        return empty(201)

    @post(
        "/{channel_id:str}/disconnect",
        **describe(
            "disconnectChannel",
            "Disconnect clients from a channel",
            "Removes the connections of every client to the channel with every given type. Missing connections are ignored.",
            status=204,
            errors=_ERRORS,
            body=ConnectChannel,
            body_example=_CHANNEL_EXAMPLE,
            tag="channels",
        ),
    )
    async def disconnect_channel(request: Call, channel_id: str) -> ASGIResponse:
        body: ConnectChannel = await body_of(request, _connect_channel)
        types = to_types(body.types or ())
        check_path_id(channel_id)
        await connections.disconnect(session_of(request), (channel_id,), body.client_ids or (), types)
        return empty(204)

    return [connect, disconnect, connect_channel, disconnect_channel]
