"""The read that tools make all the time, a client by its id, answered without the framework's routing: half the cost of one."""

from collections.abc import Awaitable, Callable, Mapping
from functools import lru_cache
from typing import Any, Final

import msgspec

from edgeclients.core.clients import Clients
from edgeclients.http.answers import JSON
from edgeclients.http.wire import to_viewed
from edgeclients.model import Session, Viewed

OPERATION: Final = "viewClient"

Message = dict[str, Any]

_SMALL = 4096  # characters of metadata: answers with more are not kept
_PATH_SEGMENTS = 2  # behind the domain
_TYPE: Final = (b"content-type", JSON.encode())

_encode = msgspec.json.Encoder().encode


class HotRead:
    """The route `viewClient` without parameters, for the gate.

    Args:
        clients: whose use case it is.
    """

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    @staticmethod
    def matches(scope: Mapping[str, Any], segments: list[str]) -> bool:
        """Whether it is this route; `segments` is the path behind the domain."""
        return (
            len(segments) == _PATH_SEGMENTS
            and segments[0] == "clients"
            and scope["method"] == "GET"
            and not scope["query_string"]
        )

    async def answer(self, session: Session, client_id: str, send: Callable[[Any], Awaitable[None]]) -> None:
        """Send the client.

        Raises:
            NotFound, Forbidden, …: as `Clients.view` has it.
        """
        viewed = await self._clients.view(session, client_id)
        client = viewed.client
        small = len(client.metadata) + len(client.private_metadata) <= _SMALL
        start, body = _prepared(viewed) if small else _prepare(viewed)
        await send(start)
        await send(body)


def _prepare(viewed: Viewed) -> tuple[Message, Message]:
    body = _encode(to_viewed(viewed))
    headers = [_TYPE, (b"content-length", b"%d" % len(body))]
    return {"type": "http.response.start", "status": 200, "headers": headers}, {"type": "http.response.body", "body": body}


_prepared = lru_cache(maxsize=512)(_prepare)
