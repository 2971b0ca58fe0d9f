"""Errors of gRPC calls: each error by its row in `TABLE`."""

import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from google.protobuf.message import DecodeError, Message

from edgeclients.core.ids import new_uuid
from edgeclients.errors import DomainError, Internal, MalformedRequest, row_of, text_of
from edgeclients.lane.calls import Call, CallFailed, Status, Streaming, Unary

M = TypeVar("M", bound=Message)

_log = logging.getLogger(__name__)


def failure_of(method: str, error: Exception) -> CallFailed:
    """The failure that the caller of `method` gets for `error`.

    An error that is not a `DomainError` is INTERNAL. The log has its details; the caller gets the id of the log line.
    """
    if isinstance(error, CallFailed):
        return error
    if isinstance(error, DomainError):
        return CallFailed(Status[row_of(error).grpc], text_of(error))
    request_id = new_uuid()
    _log.error("call failed unexpectedly", exc_info=error, extra={"method": method, "request_id": request_id})
    return CallFailed(Status[row_of(Internal()).grpc], f"{text_of(Internal())}, request {request_id}")


def answering(method: str, answer: Callable[[bytes], Message]) -> Unary:
    """The method that returns `answer` of a message, and its errors as failures."""

    def at_once(message: bytes, _: Call) -> bytes:
        try:
            return answer(message).SerializeToString()
        except Exception as error:  # noqa: BLE001 - becomes INTERNAL; the log has the details
            raise failure_of(method, error) from None

    async def later(message: bytes, call: Call) -> bytes:
        return at_once(message, call)

    return Unary(later, at_once)


def streaming(method: str, serve: Callable[[Call], Awaitable[None]]) -> Streaming:
    """The method that runs `serve`, with its errors as failures."""

    async def served(call: Call) -> None:
        try:
            await serve(call)
        except Exception as error:  # noqa: BLE001 - likewise
            raise failure_of(method, error) from None

    return Streaming(served)


def decoded(kind: type[M], message: bytes) -> M:
    """The decoded `message`.

    Raises:
        MalformedRequest: it is not a message of this type.
    """
    try:
        return kind.FromString(message)
    except DecodeError as error:
        raise MalformedRequest("malformed message") from error
