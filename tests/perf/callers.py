"""Callers in a process of their own: `python -m tests.perf.callers grpc|http` with an order as JSON on stdin.

Each asks for a counted number of things over a few connections and fails at the first answer that is not the one expected.
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import grpc
import uvloop

from edgeclients._pb.clients.v1 import clients_pb2

AUTHENTICATE = "/clients.v1.ClientsService/Authenticate"
_CONCURRENT = 32


def authenticate(port: int, tokens: Sequence[str], times: int) -> None:
    """Call Authenticate `times` times with each of `tokens`; every call must succeed."""
    _send("grpc", {"port": port, "tokens": list(tokens), "times": times})


def get(port: int, path: str, headers: Sequence[str], count: int) -> None:
    """Ask for `path` `count` times over HTTP/1.1; every answer must be 200."""
    _send("http", {"port": port, "path": path, "headers": list(headers), "count": count})


def _send(kind: str, order: dict[str, Any]) -> None:
    subprocess.run([sys.executable, "-m", "tests.perf.callers", kind], input=json.dumps(order), text=True, check=True)


async def _grpc(order: dict[str, Any]) -> None:
    messages = [clients_pb2.AuthnReq(token=token).SerializeToString() for token in order["tokens"]]
    waiting = iter(messages * order["times"])

    async with grpc.aio.insecure_channel(f"127.0.0.1:{order['port']}") as channel:
        call = channel.unary_unary(AUTHENTICATE)

        async def caller(share: Iterator[bytes]) -> None:
            for message in share:
                if not await call(message):
                    raise RuntimeError("an empty answer")

        await asyncio.gather(*(caller(waiting) for _ in range(_CONCURRENT)))


async def _http(order: dict[str, Any]) -> None:
    lines = (f"GET {order['path']} HTTP/1.1", f"host: 127.0.0.1:{order['port']}", *order["headers"], "", "")
    request = "\r\n".join(lines).encode()
    waiting = iter(range(order["count"]))

    async def caller(share: Iterator[int]) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", order["port"])
        for _ in share:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200 "):
                raise RuntimeError(head.decode())
            await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].split(b"\r")[0]))
        writer.close()
        await writer.wait_closed()

    await asyncio.gather(*(caller(waiting) for _ in range(_CONCURRENT)))


if __name__ == "__main__":
    uvloop.run({"grpc": _grpc, "http": _http}[sys.argv[1]](json.load(sys.stdin)))
