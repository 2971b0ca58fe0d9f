"""Session and body of a request."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable
from typing import Any, TypeVar, cast

import msgspec
from litestar import Request

from edgeclients.core.provisioning.importing import Caller
from edgeclients.errors import Busy, InvalidBody, UnsupportedMediaType
from edgeclients.http.scope import CALLER, SESSION
from edgeclients.model import Session

T = TypeVar("T")

_LARGE_BYTES = 64 * 1024  # bytes; a thread decodes larger bodies
_MAX_BULK = 4  # maximum number of bulk bodies in memory

Call = Request[Any, Any, Any]


def session_of(call: Call) -> Session:
    """The session of a request, which the gate has authenticated."""
    return cast("Session", cast("dict[str, Any]", call.scope)[SESSION])


def caller_of(call: Call) -> Caller:
    """What identifies the caller of a request once more."""
    scope = cast("dict[str, Any]", call.scope)
    domain_id = session_of(call).domain_id
    return lambda: cast("Awaitable[Session]", scope[CALLER](scope, domain_id))


async def body_of(call: Call, decoder: "msgspec.json.Decoder[T]") -> T:
    """The decoded body.

    Raises:
        UnsupportedMediaType: the content type is not JSON.
        InvalidBody: the body is not one JSON value of the right shape.
    """
    # Magistrala searches for this substring, case-sensitively: schema/README.md#bodies.
    if "application/json" not in call.headers.get("content-type", ""):
        raise UnsupportedMediaType
    body = await call.body()
    if len(body) > _LARGE_BYTES:
        return await asyncio.to_thread(_decode, decoder, body)
    return _decode(decoder, body)


def _decode(decoder: "msgspec.json.Decoder[T]", body: bytes) -> T:
    try:
        body.decode()  # the decoder does not validate UTF-8 in values that it skips
        return decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidBody(type(error).__name__) from error


class BulkLimiter:
    """Limits bulk requests: a few at a time hold their bodies, and one of them works."""

    def __init__(self) -> None:
        self._entered = 0
        self._work = asyncio.Lock()

    @contextlib.asynccontextmanager
    async def enter(self) -> AsyncIterator[asyncio.Lock]:
        """Enter with a bulk request, and get the lock to hold while it works.

        Raises:
            Busy: too many bulk requests have entered.
        """
        if self._entered >= _MAX_BULK:
            raise Busy("too many bulk requests", retry_after=1)
        self._entered += 1
        try:
            yield self._work
        finally:
            self._entered -= 1
