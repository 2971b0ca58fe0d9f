"""Connect and disconnect, which a gateway has no channels service for (contract A4, 14.1)."""

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
            "Connect clients to channels, all of them or none",
            "Every client is connected to every channel in every way given. The clients have to be enabled and of this "
            "domain; what is connected already makes the whole call a conflict.",
            status=201,
            errors=_CONNECT_ERRORS,
            body=Connect,
            body_example=_EXAMPLE,
            tag="channels",
        ),
    )
    async def connect(request: Call) -> ASGIResponse:
        wanted: Connect = await body_of(request, _connect)
        types = to_types(wanted.types or ())
        await connections.connect(session_of(request), wanted.channel_ids or (), wanted.client_ids or (), types)
        return empty(201)

    @post(
        "/disconnect",
        **describe(
            "disconnect",
            "Disconnect clients from channels",
            "The connections of every client with every channel in every way given are removed. Those that are not there do "
            "no harm.",
            status=204,
            errors=_ERRORS,
            body=Connect,
            body_example=_EXAMPLE,
            tag="channels",
        ),
    )
    async def disconnect(request: Call) -> ASGIResponse:
        wanted: Connect = await body_of(request, _connect)
        types = to_types(wanted.types or ())
        await connections.disconnect(session_of(request), wanted.channel_ids or (), wanted.client_ids or (), types)
        return empty(204)

    @post(
        "/{channel_id:str}/connect",
        **describe(
            "connectChannel",
            "Connect clients to a channel, all of them or none",
            "Every client is connected to the channel in every way given. The clients have to be enabled and of this "
            "domain; what is connected already makes the whole call a conflict.",
            status=201,
            errors=_CONNECT_ERRORS,
            body=ConnectChannel,
            body_example=_CHANNEL_EXAMPLE,
            tag="channels",
        ),
    )
    async def connect_channel(request: Call, channel_id: str) -> ASGIResponse:
        wanted: ConnectChannel = await body_of(request, _connect_channel)
        types = to_types(wanted.types or ())
        check_path_id(channel_id)
        await connections.connect(session_of(request), (channel_id,), wanted.client_ids or (), types)
        return empty(201)

    @post(
        "/{channel_id:str}/disconnect",
        **describe(
            "disconnectChannel",
            "Disconnect clients from a channel",
            "The connections of every client with the channel in every way given are removed. Those that are not there do "
            "no harm.",
            status=204,
            errors=_ERRORS,
            body=ConnectChannel,
            body_example=_CHANNEL_EXAMPLE,
            tag="channels",
        ),
    )
    async def disconnect_channel(request: Call, channel_id: str) -> ASGIResponse:
        wanted: ConnectChannel = await body_of(request, _connect_channel)
        types = to_types(wanted.types or ())
        check_path_id(channel_id)
        await connections.disconnect(session_of(request), (channel_id,), wanted.client_ids or (), types)
        return empty(204)

    return [connect, disconnect, connect_channel, disconnect_channel]
