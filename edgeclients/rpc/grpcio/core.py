"""grpc.aio's server, with a loop that no caller can end and that reports its own end."""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, Final, TypeAlias

import grpc
from grpc._cython import cygrpc
from grpc.aio._server import Server

Methods: TypeAlias = Mapping[str, Mapping[str, grpc.RpcMethodHandler]]
Options: TypeAlias = Sequence[tuple[str, int]]


_STOP_SECONDS: Final = 1.0


class LastingServer(Server):  # type: ignore[misc] # grpc.aio has no types
    """A server with a fixed set of methods; every other call gets UNIMPLEMENTED.

    Args:
        methods: handlers by method, by service; all of them take a stream of requests.
        options: options of gRPC.
    """

    def __init__(self, methods: Methods, options: Options) -> None:
        self._loop = asyncio.get_running_loop()
        self._server = _CallServer(self._loop, options)
        for service, handlers in methods.items():
            self.add_registered_method_handlers(service, handlers)
            self._server.handlers |= {f"/{service}/{name}".encode(): handler for name, handler in handlers.items()}

    async def stop(self, grace: float | None) -> None:
        """Stop accepting calls, and give the calls in progress `grace` seconds."""
        await super().stop(grace)
        await self._server.wait_for_acceptors()

    async def ended(self) -> BaseException | None:
        """Wait until the loop ends, and return its error; None if it was stopped."""
        return await asyncio.shield(self._server.ended)


class _CallServer(cygrpc.AioServer):  # type: ignore[misc] # likewise
    """Accepts the calls of a server.

    The parent's loop reads the path of each call to an unregistered method, and ends if the path is not UTF-8. So no call
    reaches it. One task for each method accepts its calls. Another task rejects all other calls and does not read their
    paths. This also costs less.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, options: Options) -> None:
        super().__init__(loop, None, (), (), tuple(options), None)
        self.handlers: dict[bytes, grpc.RpcMethodHandler] = {}
        self.ended: asyncio.Future[BaseException | None] = loop.create_future()
        self._events = loop
        self._calls: set[asyncio.Task[None]] = set()
        self._acceptors: list[asyncio.Task[None]] = []

    def _make_request_call_future(self, method: bytes | None) -> "asyncio.Future[None]":
        """A future for the parent's loop, done when no more calls are accepted.

        The loop cancels this future when it ends. The task must not be cancelled: gRPC still writes to its pending call.
        """
        acceptor = self._events.create_task(self._reject_others() if method is None else self._accept_all(method))
        self._acceptors.append(acceptor)
        return asyncio.shield(acceptor)

    async def wait_for_acceptors(self) -> None:
        """Wait until the accepting tasks have ended. Their errors are expected at a stop, and ignored."""
        if self._acceptors:
            done, _ = await asyncio.wait(self._acceptors, timeout=_STOP_SECONDS)
            for acceptor in done:
                if not acceptor.cancelled():
                    acceptor.exception()

    async def _accept_all(self, method: bytes) -> None:
        name, handler = method.decode(), self.handlers[method]
        serve = cygrpc._handle_stream_stream_rpc if handler.response_streaming else cygrpc._handle_stream_unary_rpc  # noqa: SLF001 - as the parent does
        while True:
            state = await self._request_registered_call(method)
            self._schedule(state, name, serve(handler, state, self._events))

    async def _reject_others(self) -> None:
        while True:
            state = await self._request_call()
            context = cygrpc._ServicerContext(state, None, None, self._events)  # noqa: SLF001 # as in cygrpc itself
            self._schedule(state, "unknown", context.abort(grpc.StatusCode.UNIMPLEMENTED, "Method not found!"))

    def _schedule(self, state: Any, name: str, answer: Awaitable[None]) -> None:
        task = self._events.create_task(cygrpc._schedule_rpc_coro(answer, state, self._events, name))  # noqa: SLF001 - as the parent does
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)

    async def _server_main_loop(self, started: "asyncio.Future[bool]") -> None:
        """Run the parent's loop. An error is the result of `ended`, whose reader decides what to do."""
        failure: BaseException | None = None
        try:
            await super()._server_main_loop(started)
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - the result of `ended`
            failure = error
        if not started.done():
            started.set_exception(failure or RuntimeError("gRPC did not start"))
        self.ended.set_result(failure)
