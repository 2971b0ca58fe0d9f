"""Methods as grpc.aio serves them."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, NoReturn, cast

import grpc
from typing_extensions import override

from edgeclients.lane.calls import Call, CallFailed, Fields, Method, Status, Streaming, Unary
from edgeclients.rpc.failures import failure_of
from edgeclients.rpc.grpcio.receiving import Context, Receiving


class _ContextCall(Call):
    """A call of grpc.aio."""

    __slots__ = ("_context", "_receiving")

    def __init__(self, context: Context, receiving: Receiving) -> None:
        self._context = context
        self._receiving = receiving

    @property
    @override
    def fields(self) -> Fields:
        found = cast("tuple[tuple[str, str | bytes], ...]", self._context.invocation_metadata() or ())
        return [(name.encode(), value.encode("latin-1") if isinstance(value, str) else value) for name, value in found]

    @property
    @override
    def peer(self) -> str:
        return str(self._context.peer())

    @override
    async def receive(self) -> bytes | None:
        with _told_as_gone():
            return await self._receiving.next(self._context)

    @override
    async def send(self, message: bytes) -> None:
        with _told_as_gone():
            await self._context.write(message)


@contextlib.contextmanager
def _told_as_gone() -> Iterator[None]:
    """Ends a handler whose call has ended in gRPC."""
    try:
        yield
    except grpc.aio.BaseError as error:
        raise CallFailed(Status.CANCELLED, "the caller has gone") from error


def handler(name: str, method: Method, receiving: Receiving) -> grpc.RpcMethodHandler:
    """A handler that serves `method`.

    gRPC calls it before the message has arrived. The handler receives the message itself, so that it, and not gRPC,
    reports a malformed one.
    """
    if isinstance(method, Streaming):
        return grpc.stream_stream_rpc_method_handler(_streaming(method, receiving))
    return grpc.stream_unary_rpc_method_handler(_unary(name, method, receiving))


def _unary(name: str, method: Unary, receiving: Receiving) -> Callable[[Any, Context], Awaitable[bytes]]:
    def lost(status: Status, started: float) -> None:
        if method.lost is not None:
            method.lost(status, time.perf_counter() - started)

    def failed(error: Exception, started: float) -> CallFailed:
        failure = failure_of(name, error)
        lost(failure.status, started)
        return failure

    async def received(context: Context) -> bytes:
        """The message of a call."""
        started = time.perf_counter()
        try:
            return await receiving.message(context)
        except Exception as error:  # noqa: BLE001 - becomes INTERNAL; the log has the details
            raise failed(error, started) from None
        except asyncio.CancelledError:
            lost(Status.CANCELLED, started)
            raise

    async def handle(_: object, context: Context) -> bytes:
        try:
            message, call = await received(context), _ContextCall(context, receiving)
            answer = method.at_once(message, call) if method.at_once is not None else None
            return await method.later(message, call) if answer is None else answer
        except CallFailed as failure:
            await _end(context, failure)

    return handle


def _streaming(method: Streaming, receiving: Receiving) -> Callable[[Any, Context], Awaitable[None]]:
    async def handle(_: object, context: Context) -> None:
        try:
            await method.serve(_ContextCall(context, receiving))
        except CallFailed as failure:
            if isinstance(failure.__cause__, grpc.aio.BaseError):
                raise failure.__cause__ from None  # the call has ended and cannot be answered
            await _end(context, failure)

    return handle


async def _end(context: Context, failure: CallFailed) -> NoReturn:
    """End a call with a failure.

    Raises:
        grpc.aio.AbortError: always.
    """
    # Setting only the code also sends an empty message, which blocks if the caller's flow-control window is full.
    await context.abort(grpc.StatusCode[failure.status.name], failure.message)
    raise AssertionError("abort raises")
