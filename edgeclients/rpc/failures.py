"""How a call over gRPC that fails is answered: every error by its row in the one table."""

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
    """The status code of a call that failed, and its text."""

    code: str
    text: str

    async def end(self, context: Context) -> None:
        """End the call with it.

        Raises:
            grpc.aio.AbortError: always.
        """
        # Not by the context's code alone: an empty message goes with that, for which a caller may leave no room.
        await context.abort(grpc.StatusCode[self.code], self.text)


def failure_of(method: str, error: Exception) -> Failure:
    """The failure that `error` is to the caller of `method`.

    An error that is not one of ours is INTERNAL. The log has its details; the caller gets the id of the log line.
    """
    if isinstance(error, DomainError):
        return Failure(row_of(error).grpc, text_of(error))
    request_id = new_uuid()
    _log.error("call failed unexpectedly", exc_info=error, extra={"method": method, "request_id": request_id})
    return Failure(row_of(Internal()).grpc, f"{text_of(Internal())}, request {request_id}")


def answering(
    method: str, answer: Callable[[Context], Awaitable[Message | None]]
) -> Callable[[object, Context], Awaitable[bytes | None]]:
    """A handler, also of calls that stream, that ends a call with the failure which `answer` meets."""

    async def handle(_: object, context: Context) -> bytes | None:
        try:
            message = await answer(context)
        except grpc.aio.BaseError:
            raise  # the call is over: there is nobody to answer
        except Exception as error:
            await failure_of(method, error).end(context)
            raise AssertionError("abort raises") from error
        return None if message is None else message.SerializeToString()

    return handle


def decoded(kind: type[M], message: bytes) -> M:
    """`message`.

    Raises:
        MalformedRequest: it is not a message of this kind.
    """
    try:
        return kind.FromString(message)
    except DecodeError as error:
        raise MalformedRequest("no such message") from error
