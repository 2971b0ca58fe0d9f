"""Servers with nothing in them, to compare with: `python -m tests.perf.bare grpc|http CONTENT` (hex) prints its port.

`grpc` takes two more words for TLS: files with a certificate and a key.

The same libraries in the same event loop as the service's, a constant answer, and not a line more.
"""

import asyncio
import contextlib
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import uvicorn
import uvloop


class Bare(NamedTuple):
    """One that runs."""

    pid: int
    port: int


@contextlib.contextmanager
def bare(kind: str, content: bytes, tls: Sequence[Path] = ()) -> Iterator[Bare]:
    """A bare server that answers `content` to everything, until the context is left."""
    with started([sys.executable, "-m", "tests.perf.bare", kind, content.hex(), *map(str, tls)]) as one:
        yield one


@contextlib.contextmanager
def started(command: Sequence[str]) -> Iterator[Bare]:
    """A server that prints its port, until the context is left."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    try:
        yield Bare(process.pid, int(process.stdout.readline()))
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


class _Constant(grpc.GenericRpcHandler):  # type: ignore[misc]
    def __init__(self, content: bytes) -> None:
        async def answer(_request: bytes, _context: object) -> bytes:
            return content

        self._handler = grpc.unary_unary_rpc_method_handler(answer)

    def service(self, _details: object) -> Any:
        return self._handler


async def _serve_grpc(content: bytes, *tls: str) -> None:
    server = grpc.aio.server(options=(("grpc.so_reuseport", 0),))
    server.add_generic_rpc_handlers((_Constant(content),))
    if tls:
        certificate, key = (Path(name).read_bytes() for name in tls)
        port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(key, certificate)]))
    else:
        port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(port, flush=True)
    await server.wait_for_termination()


async def _serve_http(content: bytes) -> None:
    start = {
        "type": "http.response.start",
        "status": 200,
        "headers": [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())],
    }
    body = {"type": "http.response.body", "body": content}

    async def app(_scope: object, _receive: object, send: Any) -> None:
        await send(start)
        await send(body)

    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    print(listener.getsockname()[1], flush=True)
    config = uvicorn.Config(
        app,
        loop="none",
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
    )
    await uvicorn.Server(config).serve([listener])


async def main(kind: str, content: str, *tls: str) -> None:
    """Serve until terminated."""
    await {"grpc": _serve_grpc, "http": _serve_http}[kind](bytes.fromhex(content), *tls)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt, asyncio.CancelledError):
        uvloop.run(main(*sys.argv[1:]))
