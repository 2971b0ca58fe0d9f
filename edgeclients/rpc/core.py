"""grpc.aio's server, with a loop that no caller ends and that says when it has ended."""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, Final, TypeAlias

import grpc
from grpc._cython import cygrpc
from grpc.aio._server import Server

Methods: TypeAlias = Mapping[str, Mapping[str, grpc.RpcMethodHandler]]
Options: TypeAlias = Sequence[tuple[str, int]]


_REST_SECONDS: Final = 1.0


class LastingServer(Server):  # type: ignore[misc] # grpc.aio has no types
    """A server for methods that are all known beforehand; every other call is answered UNIMPLEMENTED.

    Args:
        methods: handlers by method, by service; of requests that stream.
        options: gRPC's.
    """

    def __init__(self, methods: Methods, options: Options) -> None:
        self._loop = asyncio.get_running_loop()
        self._server = _Core(self._loop, options)
        for service, handlers in methods.items():
            self.add_registered_method_handlers(service, handlers)
            self._server.handlers |= {f"/{service}/{name}".encode(): handler for name, handler in handlers.items()}

    async def stop(self, grace: float | None) -> None:
        """Accept no more calls, give those that have begun `grace` seconds."""
        await super().stop(grace)
        await self._server.rest()

    async def ended(self) -> BaseException | None:
        """Wait until its loop takes no more calls, and why: None if it was stopped."""
        return await asyncio.shield(self._server.ended)


class _Core(cygrpc.AioServer):  # type: ignore[misc] # likewise
    """What takes the calls.

    The loop of its parent reads the path of each call whose method is not registered, and ends when that is no UTF-8. So no
    call gets there: a task for each method takes its calls, and another one all those whose paths nobody looks at. It costs
    less, too.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, options: Options) -> None:
        super().__init__(loop, None, (), (), tuple(options), None)
        self.handlers: dict[bytes, grpc.RpcMethodHandler] = {}
        self.ended: asyncio.Future[BaseException | None] = loop.create_future()
        self._events = loop
        self._calls: set[asyncio.Task[None]] = set()
        self._takers: list[asyncio.Task[None]] = []

    def _make_request_call_future(self, method: bytes | None) -> "asyncio.Future[None]":
        """What the parent's loop waits for: it is done when no more calls are taken.

        When that loop ends it cancels this, which must not reach the task: a call that nobody waits for is still written to.
        """
        taker = self._events.create_task(self._refuse_all() if method is None else self._take_all(method))
        self._takers.append(taker)
        return asyncio.shield(taker)

    async def rest(self) -> None:
        """Return when nobody waits for calls any more, which is how each of them ends: with an error that is no news."""
        if self._takers:
            done, _ = await asyncio.wait(self._takers, timeout=_REST_SECONDS)
            for taker in done:
                if not taker.cancelled():
                    taker.exception()

    async def _take_all(self, method: bytes) -> None:
        name, handler = method.decode(), self.handlers[method]
        serve = cygrpc._handle_stream_stream_rpc if handler.response_streaming else cygrpc._handle_stream_unary_rpc  # noqa: SLF001
        while True:
            state = await self._request_registered_call(method)
            self._begin(state, name, serve(handler, state, self._events))

    async def _refuse_all(self) -> None:
        while True:
            state = await self._request_call()
            context = cygrpc._ServicerContext(state, None, None, self._events)  # noqa: SLF001 # as its own functions do
            self._begin(state, "unknown", context.abort(grpc.StatusCode.UNIMPLEMENTED, "Method not found!"))

    def _begin(self, state: Any, name: str, answer: Awaitable[None]) -> None:
        task = self._events.create_task(cygrpc._schedule_rpc_coro(answer, state, self._events, name))  # noqa: SLF001
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)

    async def _server_main_loop(self, started: "asyncio.Future[bool]") -> None:
        """The parent's, but when it fails it has ended, no more: whoever waits for that decides what comes next."""
        why: BaseException | None = None
        try:
            await super()._server_main_loop(started)
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - told to whoever waits
            why = error
        if not started.done():
            started.set_exception(why or RuntimeError("gRPC did not start"))
        self.ended.set_result(why)
