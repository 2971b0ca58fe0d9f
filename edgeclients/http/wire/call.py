"""What a request carries for us: its session, and its body."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any, TypeVar, cast

import msgspec
from litestar import Request

from edgeclients.errors import Busy, InvalidBody, UnsupportedMediaType
from edgeclients.http.scope import SESSION
from edgeclients.model import Session

T = TypeVar("T")

_LARGE = 64 * 1024  # bodies beyond this are decoded off the event loop
_BULKS = 4  # bodies of megabytes held at a time

Call = Request[Any, Any, Any]


def session_of(call: Call) -> Session:
    """Whose request it is; the gate has made sure."""
    return cast("Session", cast("dict[str, Any]", call.scope)[SESSION])


async def body_of(call: Call, decoder: "msgspec.json.Decoder[T]") -> T:
    """The body, decoded.

    Raises:
        UnsupportedMediaType: it is not declared to be JSON.
        InvalidBody: it is not one JSON value of the right shape.
    """
    # A substring, in exactly this case: contract 1.3.
    if "application/json" not in call.headers.get("content-type", ""):
        raise UnsupportedMediaType
    body = await call.body()
    if len(body) > _LARGE:
        return await asyncio.to_thread(_decode, decoder, body)
    return _decode(decoder, body)


def _decode(decoder: "msgspec.json.Decoder[T]", body: bytes) -> T:
    try:
        body.decode()  # the decoder does not look into what it skips
        return decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidBody(type(error).__name__) from error


class BulkLimiter:
    """Lets a few large requests in at a time, and one of them work."""

    def __init__(self) -> None:
        self._inside = 0
        self._work = asyncio.Lock()

    @contextlib.asynccontextmanager
    async def enter(self) -> AsyncIterator[asyncio.Lock]:
        """The lock to hold while working.

        Raises:
            Busy: too many are inside.
        """
        if self._inside >= _BULKS:
            raise Busy("too many bulk requests", retry_after=1)
        self._inside += 1
        try:
            yield self._work
        finally:
            self._inside -= 1
