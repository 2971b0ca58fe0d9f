"""What a caller over gRPC is told when something goes wrong."""

import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

import grpc
from google.protobuf.message import DecodeError, Message

from edgeclients.core.ids import new_uuid
from edgeclients.errors import DomainError, Internal, MalformedRequest, row_of, text_of
from edgeclients.rpc.traced import Context

M = TypeVar("M", bound=Message)

_log = logging.getLogger(__name__)


def telling(method: str, error: Exception) -> tuple[DomainError, str]:
    """What a caller is told of `error`: its row and its text. A fault of ours is logged with a request id, which is told."""
    if isinstance(error, DomainError):
        return error, text_of(error)
    request_id = new_uuid()
    _log.error("call failed unexpectedly", exc_info=error, extra={"method": method, "request_id": request_id})
    return Internal(), f"{text_of(Internal())}, request {request_id}"


def decoded(kind: type[M], message: bytes) -> M:
    """`message`.

    Raises:
        MalformedRequest: it is none of this kind.
    """
    try:
        return kind.FromString(message)
    except DecodeError as error:
        raise MalformedRequest("no such message") from error


def told(method: Callable[[Context], Awaitable[Message | None]]) -> Callable[[object, Context], Awaitable[bytes | None]]:
    """`method` as a handler of calls that may stream, with every error of ours told by its row."""

    async def handle(_: object, context: Context) -> bytes | None:
        try:
            answer = await method(context)
        except DomainError as error:
            await context.abort(grpc.StatusCode[row_of(error).grpc], text_of(error))
            raise AssertionError("abort raises") from error
        return None if answer is None else answer.SerializeToString()

    return handle
