"""A server of the lane's own, in a thread with its own event loop; its handlers do what a test wants of them."""

import asyncio
import contextlib
import gc
import logging
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, TypeVar

import uvloop

from edgeclients.lane.calls import Call, CallFailed, Method, Status, Streaming, Unary
from edgeclients.lane.limits import Limits
from edgeclients.lane.server import LaneServer
from tests.support.waiting import PATIENCE, wait_until

MIB = 1024 * 1024
MEMORY = 16 * MIB

_T = TypeVar("_T")


class Log(logging.Handler):
    """What has been logged."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


class Served:
    """A running server.

    Args:
        limits: of its connections.
        memory: its budget.
        loop: the event loop of its thread.
    """

    def __init__(self, limits: Limits, memory: int, loop: asyncio.AbstractEventLoop) -> None:
        self.limits, self.memory = limits, memory
        self.loop = loop
        self.log = Log()
        self.begun = self.cancelled = 0
        """Calls of Wait, and of Chat."""
        self.lost: list[Status] = []
        self.seen: list[Call] = []
        """Every call that got to a handler."""
        self.gate = asyncio.Event()
        """Calls of Hold go on when it is set."""
        self.address = ""
        self.lane: LaneServer

    def methods(self) -> dict[str, Method]:
        """By path."""
        return {
            "/t/Echo": Unary(self._echo, self._echo_at_once, lambda status, _: self.lost.append(status)),
            "/t/Later": Unary(self._echo),
            "/t/Wait": Unary(self._wait),
            "/t/Hold": Unary(self._hold),
            "/t/Large": Unary(self._large),
            "/t/LargeAtOnce": Unary(self._large, self._large_at_once),
            "/t/Fail": Unary(self._fail),
            "/t/FailAtOnce": Unary(self._fail, self._fail_at_once),
            "/t/Broken": Unary(self._broken),
            "/t/BrokenAtOnce": Unary(self._broken, self._broken_at_once),
            "/t/CancelledInside": Unary(self._cancelled_inside),
            "/t/Chat": Streaming(self._chat),
            "/t/Listen": Streaming(self._listen),
            "/t/Idle": Streaming(self._idle),
            "/t/Talk": Streaming(self._talk),
            "/t/Early": Streaming(self._early),
            "/t/Stubborn": Streaming(self._stubborn),
            "/t/Greet": Streaming(self._greet),
        }

    async def _greet(self, call: Call) -> None:
        """Answers whoever has sent all, with a message or none, and not at once: calls are open beside each other."""
        while await call.receive() is not None:
            pass
        await asyncio.sleep(0.3)
        await call.send(b"good morning")

    def _echo_at_once(self, content: bytes, call: Call) -> bytes:
        self.seen.append(call)
        return content

    async def _echo(self, content: bytes, call: Call) -> bytes:
        self.seen.append(call)
        await asyncio.sleep(0)
        return content

    async def _wait(self, _content: bytes, _call: Call) -> bytes:
        with self._noted():
            await asyncio.Event().wait()
        raise AssertionError("it ends by being cancelled")

    @contextlib.contextmanager
    def _noted(self) -> Iterator[None]:
        self.begun += 1
        try:
            yield
        except asyncio.CancelledError:
            self.cancelled += 1
            raise

    async def _hold(self, content: bytes, _call: Call) -> bytes:
        with self._noted():
            await self.gate.wait()
        return content

    def _large_at_once(self, content: bytes, _call: Call) -> bytes:
        return b"x" * int(content)

    async def _large(self, content: bytes, _call: Call) -> bytes:
        await asyncio.sleep(0)
        return b"x" * int(content)

    async def _fail(self, content: bytes, call: Call) -> bytes:
        await asyncio.sleep(0)
        return self._fail_at_once(content, call)

    def _fail_at_once(self, content: bytes, _call: Call) -> bytes:
        raise CallFailed(Status.PERMISSION_DENIED, content.decode("utf-8", "surrogateescape"), [(b"x-more", b"1")])

    async def _broken(self, _content: bytes, _call: Call) -> bytes:
        raise ZeroDivisionError("broken")

    def _broken_at_once(self, _content: bytes, _call: Call) -> bytes:
        raise ZeroDivisionError("broken at once")

    async def _cancelled_inside(self, _content: bytes, _call: Call) -> bytes:
        """As when a computation that calls share is cancelled with another of them."""
        raise asyncio.CancelledError

    async def _chat(self, call: Call) -> None:
        with self._noted():
            while (message := await call.receive()) is not None:
                await call.send(message)

    async def _listen(self, call: Call) -> None:
        sizes = []
        while (message := await call.receive()) is not None:
            sizes.append(b"%d" % len(message))
        await call.send(b" ".join(sizes))

    async def _idle(self, _call: Call) -> None:
        with self._noted():
            await asyncio.Event().wait()

    async def _talk(self, call: Call) -> None:
        """Says so many messages of so many bytes."""
        count, size = map(int, (await call.receive() or b"0 0").split())
        for _ in range(count):
            await call.send(b"x" * size)

    async def _early(self, call: Call) -> None:
        await call.send(b"early")

    async def _stubborn(self, call: Call) -> None:
        """Goes on when it is cancelled."""
        self.begun += 1
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled += 1
        await call.send(b"too late")

    # What tests look at, and do.

    def run(self, what: Callable[[], Awaitable[_T]]) -> _T:
        """Run it in the event loop."""

        async def running() -> _T:
            return await what()

        return asyncio.run_coroutine_threadsafe(running(), self.loop).result(PATIENCE)

    def do(self, what: Callable[[], _T]) -> _T:
        """Do it in the event loop."""

        async def doing() -> _T:
            return what()

        return self.run(doing)

    def check(self, ahead: float) -> None:
        """Check all connections as if so many seconds had gone by."""

        def checking() -> None:
            for one in list(self.lane._shared.connections):
                one.check(self.loop.time() + ahead)

        self.do(checking)

    @property
    def drawn(self) -> int:
        """Bytes of the budget in use."""
        return self.memory - self.do(lambda: self.lane._shared.budget.left)

    @property
    def streams(self) -> int:
        """How many there are."""
        return self.do(lambda: sum(len(one._exchange.streams) for one in self.lane._shared.connections))

    @property
    def unsent(self) -> list[int]:
        """The bytes in the buffer of each connection's transport."""
        return self.do(lambda: [one._transport.get_write_buffer_size() for one in self.lane._shared.connections])

    def open(self) -> None:
        """Let calls of Hold go on."""
        self.do(self.gate.set)

    def settled(self) -> None:
        """Wait until no connection is left; then nothing else is, either."""
        wait_until(lambda: self.lane.connections == 0, "the end of connections")
        assert self.drawn == 0
        assert self.streams == 0
        wait_until(lambda: self.do(lambda: len(asyncio.all_tasks())) <= 1, "the end of tasks")

    def unlogged(self) -> None:
        """Nothing has been logged."""
        assert self.log.lines == []


@contextlib.contextmanager
def serving(limits: Limits | None = None, memory: int = MEMORY, grace: float = 0, kept: int = 0) -> Iterator[Served]:
    """A server until the end of the block, after which nothing of it is left; it has logged nothing that a test has not taken.

    Args:
        limits: of its connections.
        memory: its budget.
        grace: seconds for calls that have begun.
        kept: bytes that the system keeps of what a peer does not read; 0: as it likes.
    """
    loop = uvloop.new_event_loop()
    served = Served(limits or Limits(), memory, loop)
    thread = threading.Thread(target=_run, args=(loop,))
    thread.start()
    logging.getLogger("edgeclients.lane").addHandler(served.log)
    loop.set_exception_handler(lambda _, context: served.log.lines.append(str(context)))
    listening = socket.create_server(("127.0.0.1", 0))
    if kept:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, kept)
    served.address = f"127.0.0.1:{listening.getsockname()[1]}"

    async def start() -> None:
        served.lane = LaneServer(served.methods(), served.limits, memory)
        await served.lane.start([listening])

    try:
        served.run(start)
        try:
            yield served
        finally:
            served.run(lambda: served.lane.stop(grace))
            served.settled()
        served.do(gc.collect)  # an error that nobody has seen would be logged now
        served.unlogged()
    finally:
        logging.getLogger("edgeclients.lane").removeHandler(served.log)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
        listening.close()


def _run(loop: Any) -> None:
    asyncio.set_event_loop(loop)
    loop.run_forever()
