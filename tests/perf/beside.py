"""Calls while others create and list clients: `python -m tests.perf.beside` with an order as JSON on stdin is these others.

They go on until stdin is closed, and say how much they did.
"""

import asyncio
import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

import uvloop

from tests.perf import contenders, prepared
from tests.perf.contenders import GRPCIO, LANE
from tests.perf.fleet import BULK, DOMAIN, body, create
from tests.perf.homes import serving
from tests.perf.measure import Figure, Row, Run, Spread, chunks
from tests.perf.wire import Order, ask
from tests.support.api import Api
from tests.support.service import Service

_CREATORS = 64
_PAGE = 100
_RATE = 500


def beside(run: Run) -> list[Row]:
    """Hits while 64 creates are under way and a domain of 100,000 is listed, on either server in turns."""
    count, rounds, calls = run.pick(100_000, 400), run.pick(3, 1), run.pick(2_000, 100)
    with serving(run.home, "beside") as service, Api(service, DOMAIN) as api:
        for some in chunks(count, BULK):
            tokens = create(api, some)
    questions = contenders.asked_of(tokens[:10])
    taken: dict[str, list[list[float]]] = {LANE: [], GRPCIO: []}
    done: dict[str, list[float]] = {LANE: [], GRPCIO: []}
    for _ in range(rounds):
        for server in (LANE, GRPCIO):
            with serving(run.home, "beside", contenders.on(server)) as service:
                port = contenders.port(service)
                ask(Order(port, questions, 200, 4, varies=prepared.TIMEOUT))
                told: dict[str, float] = {}
                with _others(service, count, told):
                    order = Order(port, questions, calls, 4, rate=_RATE, varies=prepared.TIMEOUT)
                    taken[server].append(ask(order).each_ms)
                done[server].append(told["created"] / told["seconds"])
    what = f"{_RATE} hits a second while {_CREATORS} creates are under way and {count:,} clients are listed"
    figures = {server: percentile(some, 99) for server, some in taken.items()}
    limit = figures[GRPCIO].median
    return [
        Row(
            "lane",
            f"{what}: {server}, 99th percentile; {Spread.of(done[server]).median:,.0f} creates a second; {rounds} restarts",
            Figure(figure, 1, " ms"),
            *((f"≤ {limit:,.1f} ms", figure.median <= limit) if server == LANE else ("", None)),
        )
        for server, figure in figures.items()
    ]


def percentile(taken: Sequence[Sequence[float]], part: int) -> Spread:
    """A percentile of each of several runs."""
    return Spread.of(sorted(one)[len(one) * part // 100] for one in taken)


@contextlib.contextmanager
def _others(service: Service, count: int, told: dict[str, float]) -> Iterator[None]:
    """The others, at work until the context is left; then `told` has what they say."""
    order = {"port": urlsplit(service.http).port, "token": service.token, "domain": DOMAIN, "count": count}
    command = [sys.executable, "-m", "tests.perf.beside"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(json.dumps(order) + "\n")
        process.stdin.flush()
        process.stdout.readline()  # all have begun
        yield
        process.stdin.close()
        told.update(json.loads(process.stdout.readline()))
    if process.returncode:
        raise RuntimeError("those beside have failed")


class _Busy:
    """Creates and lists until it is told to stop."""

    def __init__(self, order: dict[str, Any]) -> None:
        self._order = order
        self.goes_on = True
        self.done = {"created": 0, "pages": 0}

    async def create(self, number: int) -> None:
        """Create clients, one after the other, in a domain of their own."""
        content = json.dumps(body(number)).encode()
        await self._repeat("created", lambda _: ("POST", "/created/clients", content), b"201")

    async def list(self) -> None:
        """Read page after page, and begin again."""
        pages = self._order["count"] // _PAGE

        def page(number: int) -> tuple[str, str, bytes]:
            return "GET", f"/{self._order['domain']}/clients?limit={_PAGE}&offset={number % pages * _PAGE}", b""

        await self._repeat("pages", page, b"200")

    async def _repeat(self, what: str, asked: Any, status: bytes) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._order["port"])
        number = 0
        while self.goes_on:
            method, path, content = asked(number)
            writer.write(self._head(method, path, content) + content)
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 " + status):
                raise RuntimeError(head.decode())
            await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].split(b"\r")[0]))
            number += 1
            self.done[what] += 1
        writer.close()

    def _head(self, method: str, path: str, content: bytes) -> bytes:
        lines = (
            f"{method} {path} HTTP/1.1",
            f"host: 127.0.0.1:{self._order['port']}",
            f"authorization: Bearer {self._order['token']}",
            "content-type: application/json",
            f"content-length: {len(content)}",
        )
        return "\r\n".join((*lines, "", "")).encode()


async def _main(order: dict[str, Any]) -> None:
    busy, loop = _Busy(order), asyncio.get_running_loop()
    tasks = [loop.create_task(busy.create(number)) for number in range(_CREATORS)]
    tasks.append(loop.create_task(busy.list()))
    while busy.done["created"] < _CREATORS or not busy.done["pages"]:
        await asyncio.sleep(0.01)
        for task in tasks:
            if task.done():
                task.result()
    print("at work", flush=True)
    began, before = loop.time(), dict(busy.done)
    await loop.run_in_executor(None, sys.stdin.readline)
    busy.goes_on = False
    seconds = loop.time() - began
    await asyncio.gather(*tasks)
    done = {name: count - before[name] for name, count in busy.done.items()}
    print(json.dumps({"seconds": seconds, **done}), flush=True)


if __name__ == "__main__":
    uvloop.run(_main(json.loads(sys.stdin.readline())))
