"""The most frequent requests, answered without the framework: health, and one client by id."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

import msgspec

from edgeclients.core.clients import Clients
from edgeclients.http.scope import Message, Scope, Send
from edgeclients.http.wire.clients import to_viewed
from edgeclients.http.wire.failures import HEALTH_JSON, JSON
from edgeclients.model import Session, Viewed

HEALTH: Final = "health"
VIEW_CLIENT: Final = "viewClient"

_SMALL = 4096  # characters of metadata; larger responses are not cached
_PATH_SEGMENTS = 2  # after the domain
_OF_ALL_CLIENTS = {"export", "retiring-secrets"}  # in the place of an id, with GET

_encode = msgspec.json.Encoder().encode


class HotReads:
    """The routes `health`, and `viewClient` without parameters, for the gate.

    Args:
        clients: the use case that views a client.
        health: the health document.
    """

    def __init__(self, clients: Clients, health: Mapping[str, str]) -> None:
        self._clients = clients
        self._health = _messages(_encode(health), HEALTH_JSON)

    async def health(self, send: Send) -> None:
        """Send the health document."""
        for message in self._health:
            await send(message)

    @staticmethod
    def is_view(scope: Scope, segments: list[str]) -> bool:
        """Whether a request views one client; `segments` is the path after the domain."""
        return (
            len(segments) == _PATH_SEGMENTS
            and segments[0] == "clients"
            and segments[1] not in _OF_ALL_CLIENTS
            and scope["method"] == "GET"
            and not scope["query_string"]
        )

    async def view(self, session: Session, client_id: str, send: Send) -> None:
        """Send the client.

        Raises:
            NotFound, Forbidden, …: as `Clients.view` raises them.
        """
        viewed = await self._clients.view(session, client_id)
        client = viewed.client
        small = len(client.metadata) + len(client.private_metadata) <= _SMALL
        start, body = _prepared(viewed) if small else _prepare(viewed)
        await send(start)
        await send(body)


def _prepare(viewed: Viewed) -> tuple[Message, Message]:
    return _messages(_encode(to_viewed(viewed)), JSON)


_prepared = lru_cache(maxsize=512)(_prepare)


def _messages(body: bytes, media_type: str) -> tuple[Message, Message]:
    headers = [(b"content-type", media_type.encode()), (b"content-length", b"%d" % len(body))]
    return {"type": "http.response.start", "status": 200, "headers": headers}, {"type": "http.response.body", "body": body}
