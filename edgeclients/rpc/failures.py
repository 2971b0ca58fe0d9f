"""Errors of gRPC calls: each error by its row in `TABLE`."""

import logging
from collections.abc import Awaitable, Callable
from typing import NamedTuple, TypeVar

import grpc
from google.protobuf.message import DecodeError, Message

from edgeclients.core.ids import new_uuid
from edgeclients.errors import DomainError, Internal, MalformedRequest, row_of, text_of
from edgeclients.rpc.traced import Context

M = TypeVar("M", bound=Message)

_log = logging.getLogger(__name__)


class Failure(NamedTuple):
    """Status code and text of a failed call."""

    code: str
    text: str

    async def end(self, context: Context) -> None:
        """End the call with this failure.

        Raises:
            grpc.aio.AbortError: always.
        """
        # Setting only the code also sends an empty message, which blocks if the caller's flow-control window is full.
        await context.abort(grpc.StatusCode[self.code], self.text)


def failure_of(method: str, error: Exception) -> Failure:
    """The failure that the caller of `method` gets for `error`.

    An error that is not a `DomainError` is INTERNAL. The log has its details; the caller gets the id of the log line.
    """
    if isinstance(error, DomainError):
        return Failure(row_of(error).grpc, text_of(error))
    request_id = new_uuid()
    _log.error("call failed unexpectedly", exc_info=error, extra={"method": method, "request_id": request_id})
    return Failure(row_of(Internal()).grpc, f"{text_of(Internal())}, request {request_id}")


def reporting_failures(
    method: str, answer: Callable[[Context], Awaitable[Message | None]]
) -> Callable[[object, Context], Awaitable[bytes | None]]:
    """A handler that ends the call with a failure if `answer` raises; `answer` may stream responses."""

    async def handle(_: object, context: Context) -> bytes | None:
        try:
            message = await answer(context)
        except grpc.aio.BaseError:
            raise  # the call has ended and cannot be answered
        except Exception as error:
            await failure_of(method, error).end(context)
            raise AssertionError("abort raises") from error
        return None if message is None else message.SerializeToString()

    return handle


def decoded(kind: type[M], message: bytes) -> M:
    """The decoded `message`.

    Raises:
        MalformedRequest: it is not a message of this type.
    """
    try:
        return kind.FromString(message)
    except DecodeError as error:
        raise MalformedRequest("malformed message") from error
