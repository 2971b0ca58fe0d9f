"""Callers in a process of their own: `python -m tests.perf.callers grpc|http` with an order as JSON on stdin.

Each asks for a counted number of things over a few connections and fails at the first answer that is not the one expected.
"""

import asyncio
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

import grpc
import uvloop

from edgeclients._pb.clients.v1 import clients_pb2
from tests.support.api import basic

AUTHENTICATE = "/clients.v1.ClientsService/Authenticate"
_CONCURRENT = 32
_GUESSES = 300  # of one guesser
_GUESS_SECONDS = 0.5  # between them


def authenticate(port: int, tokens: Sequence[str], times: int, at_a_time: int = _CONCURRENT) -> list[float]:
    """Call Authenticate `times` times with each of `tokens`; every call must succeed.

    Returns:
        How long each took, in ms.
    """
    return _send("grpc", {"port": port, "tokens": list(tokens), "times": times, "at_a_time": at_a_time})


def get(port: int, path: str, headers: Sequence[str], count: int, at_a_time: int = _CONCURRENT) -> list[float]:
    """Ask for `path` `count` times over HTTP/1.1; every answer must be 200.

    Returns:
        How long each took, in ms.
    """
    return _send("http", {"port": port, "path": path, "headers": list(headers), "count": count, "at_a_time": at_a_time})


def _send(kind: str, order: dict[str, Any]) -> list[float]:
    command = [sys.executable, "-m", "tests.perf.callers", kind]
    done = subprocess.run(command, input=json.dumps(order), stdout=subprocess.PIPE, text=True, check=True)
    took: list[float] = json.loads(done.stdout)
    return took


async def _grpc(order: dict[str, Any]) -> None:
    took: list[float] = []
    messages = [clients_pb2.AuthnReq(token=token).SerializeToString() for token in order["tokens"]]
    waiting = iter(messages * order["times"])

    async with grpc.aio.insecure_channel(f"127.0.0.1:{order['port']}") as channel:
        call = channel.unary_unary(AUTHENTICATE)

        async def caller(share: Iterator[bytes]) -> None:
            for message in share:
                began = time.perf_counter()
                if not await call(message):
                    raise RuntimeError("an empty answer")
                took.append((time.perf_counter() - began) * 1000)

        await asyncio.gather(*(caller(waiting) for _ in range(order["at_a_time"])))
    print(json.dumps(took))


async def _http(order: dict[str, Any]) -> None:
    lines = (f"GET {order['path']} HTTP/1.1", f"host: 127.0.0.1:{order['port']}", *order["headers"], "", "")
    request = "\r\n".join(lines).encode()
    waiting = iter(range(order["count"]))
    took: list[float] = []

    async def caller(share: Iterator[int]) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", order["port"])
        for _ in share:
            began = time.perf_counter()
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200 "):
                raise RuntimeError(head.decode())
            await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].split(b"\r")[0]))
            took.append((time.perf_counter() - began) * 1000)
        writer.close()
        await writer.wait_closed()

    await asyncio.gather(*(caller(waiting) for _ in range(order["at_a_time"])))
    print(json.dumps(took))


async def _guess(order: dict[str, Any]) -> None:
    """Guess at chosen secrets, twice a second at each target and never the same one twice; for a bounded time."""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{order['port']}") as channel:
        call = channel.unary_unary(AUTHENTICATE)

        async def guesser(target: str) -> None:
            for number in range(_GUESSES):
                token = basic(target, f"{order['name']} {number}")
                with contextlib.suppress(grpc.aio.AioRpcError):
                    await call(clients_pb2.AuthnReq(token=token).SerializeToString())
                await asyncio.sleep(_GUESS_SECONDS)

        guessing = [asyncio.ensure_future(guesser(target)) for target in order["targets"]]
        await asyncio.sleep(1)
        print("guessing", flush=True)
        await asyncio.gather(*guessing)


if __name__ == "__main__":
    uvloop.run({"grpc": _grpc, "http": _http, "guess": _guess}[sys.argv[1]](json.load(sys.stdin)))
