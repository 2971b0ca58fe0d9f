"""A caller of Authenticate that speaks HTTP/2 itself: `python -m tests.perf.wire` with an order as JSON on stdin.

It makes all its calls before it begins, and keeps a number of them under way on each connection or calls at a fixed rate. It
fails at the first answer that is not the right one; only at a rate, which may be too much for a server, such an answer is one
that never came. It says when it is ready, begins at a line on stdin, and tells what it saw.
"""

import json
import math
import select
import socket
import ssl
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from jh2.hpack import Decoder

from edgeclients.lane.hpack import read_over
from tests.perf import prepared
from tests.perf.prepared import Asked

_HEAD = struct.Struct(">HBBBL")
_READ = 256 * 1024
_PATIENCE = 60.0


class Order(NamedTuple):
    """What to ask, and how."""

    port: int
    questions: Sequence[tuple[str, str]]
    """Tokens with the ids of their clients, asked in turns."""
    calls: int
    connections: int
    at_a_time: int = 1
    """Calls under way on each connection, where there is no rate."""
    rate: float = 0.0
    """Calls a second, on all connections together."""
    varies: str = prepared.CONSTANT
    authority: str = ""
    """The certificate that is trusted, for TLS."""


class Seen(NamedTuple):
    """What a caller saw."""

    seconds: float
    cpu_seconds: float
    """The server's, if it was watched."""
    each_ms: list[float]
    """From when each call was meant to begin until its answer was there, infinite if it was wrong; empty without a rate."""


def ask(order: Order, watched: Callable[[], float] = lambda: 0.0) -> Seen:
    """Send what is ordered, from a process of its own; `watched` tells the CPU time that the server has used so far."""
    command = [sys.executable, "-m", "tests.perf.wire"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(json.dumps(order) + "\n")
        process.stdin.flush()
        if not process.stdout.readline():
            raise RuntimeError("the caller is not ready")
        before = watched()
        process.stdin.write("\n")
        process.stdin.close()
        told = process.stdout.readline()
        used = watched() - before
    if process.returncode or not told:
        raise RuntimeError("the caller failed")
    seconds, each_ms = json.loads(told)
    return Seen(seconds, used, each_ms)


class Link:
    """One connection, with all that will be asked on it.

    Args:
        connected: to the server.
        asked: in the order of their streams.
    """

    def __init__(self, connected: socket.socket, asked: Sequence[Asked]) -> None:
        self.socket = connected
        self.asked = asked
        self.may_fail = False
        self.begun = self.ended = 0
        self.meant = [0.0] * len(asked)
        self.took: list[float] = []
        self._decoder = Decoder()
        self._known: dict[bytes, dict[bytes, bytes]] = {}
        self._answers: dict[int, bytes] = {}
        self._failed: set[int] = set()
        self._rest = b""
        self._has_settings = False

    def greet(self) -> None:
        """Begin, and wait for the server's settings."""
        self.socket.sendall(prepared.GREETING)
        while not self._has_settings:
            self.take()

    def send(self, count: int, meant: float = 0.0) -> None:
        """Send the next `count` calls."""
        some = self.asked[self.begun : self.begun + count]
        if not some:
            return
        for number in range(self.begun, self.begun + len(some)):
            self.meant[number] = meant
        self.begun += len(some)
        self.socket.sendall(b"".join(part for one in some for part in (one.headers, one.message)))

    def take(self) -> int:
        """Read what is there; how many calls ended with it."""
        before = self.ended
        data = self.socket.recv(_READ)
        if not data:
            raise RuntimeError("the server has closed the connection")
        data, place = self._rest + data, 0
        while len(data) - place >= _HEAD.size:
            high, low, kind, flags, stream = _HEAD.unpack_from(data, place)
            begin = place + _HEAD.size
            end = begin + (high << 8 | low)
            if end > len(data):
                break
            self._on_frame(kind, flags, stream, data[begin:end])
            place = end
        self._rest = data[place:]
        return self.ended - before

    def _on_frame(self, kind: int, flags: int, stream: int, content: bytes) -> None:
        if kind == prepared.DATA:
            self._answers[stream] = self._answers.get(stream, b"") + content
        elif kind == prepared.HEADERS:
            fields = self._fields(content)
            if flags & prepared.END_STREAM:
                self._on_end(stream, fields)
        elif kind == prepared.SETTINGS and not flags & prepared.ACK:
            self._has_settings = True
            self.socket.sendall(prepared.frame(prepared.SETTINGS, prepared.ACK, 0, b""))
        elif kind == prepared.PING and not flags & prepared.ACK:
            self.socket.sendall(prepared.frame(prepared.PING, prepared.ACK, 0, content))
        elif kind == prepared.RST_STREAM and self.may_fail:
            self._on_reset(stream)
        elif kind in {prepared.RST_STREAM, prepared.GOAWAY}:
            raise RuntimeError(f"frame {kind} of the server: {content!r}")

    def _fields(self, block: bytes) -> dict[bytes, bytes]:
        known = self._known.get(block)
        if known is None:
            known = {bytes(name): bytes(value) for name, value in self._decoder.decode(block, raw=True)}
            if read_over(block).changes:
                self._known.clear()  # the same bytes may mean something else from here on
            else:
                self._known[block] = known
        return known

    def _on_end(self, stream: int, trailers: dict[bytes, bytes]) -> None:
        number = stream // 2
        is_right = self._answers.pop(stream, b"") == self.asked[number].answer and trailers.get(b"grpc-status") == b"0"
        if not is_right and not self.may_fail:
            raise RuntimeError(f"call {number} has a wrong answer: {trailers}")
        if not is_right:
            self._on_reset(stream)
            return
        self.ended += 1
        self.took.append((time.perf_counter() - self.meant[number]) * 1000)

    def _on_reset(self, stream: int) -> None:
        """A call has failed. A server that answers before it has read all may reset the stream as well."""
        if stream not in self._failed:
            self._failed.add(stream)
            self.ended += 1
            self.took.append(math.inf)


def keep_under_way(links: Sequence[Link], at_a_time: int) -> None:
    """Make all calls, so many at a time on each connection."""
    for link in links:
        link.send(at_a_time)
    while any(link.ended < len(link.asked) for link in links):
        for link in _readable(links, _PATIENCE):
            link.send(_taken(link))


def keep_rate(links: Sequence[Link], rate: float) -> list[float]:
    """Make all calls when they are due, whether or not others are answered; what each took, in ms."""
    for link in links:
        link.may_fail = True
    count, begin, due = sum(len(link.asked) for link in links), time.perf_counter() + 0.01, 0
    while any(link.ended < len(link.asked) for link in links):
        now = time.perf_counter()
        while due < count and begin + due / rate <= now:
            links[due % len(links)].send(1, begin + due / rate)
            due += 1
        wait = begin + due / rate - time.perf_counter() if due < count else _PATIENCE
        for link in _readable(links, max(wait, 0.0)):
            _taken(link)
    return [took for link in links for took in link.took]


def _readable(links: Sequence[Link], seconds: float) -> list[Link]:
    ready, _, _ = select.select([link.socket for link in links], [], [], seconds)
    if not ready and seconds == _PATIENCE:
        raise RuntimeError("calls are not answered")
    return [link for link in links if link.socket in ready]


def _taken(link: Link) -> int:
    """How many calls ended with what has arrived."""
    ended = link.take()
    while isinstance(link.socket, ssl.SSLSocket) and link.socket.pending():
        ended += link.take()
    return ended


def connected(order: Order) -> list[Link]:
    """Connections on which the server has said what it takes."""
    links = []
    scheme = "https" if order.authority else "http"
    each, more = divmod(order.calls, order.connections)
    messages = [(prepared.request(token), prepared.response(client_id)) for token, client_id in order.questions]
    for number in range(order.connections):
        size = each + (number < more)
        some = [messages[(number + place * order.connections) % len(messages)] for place in range(size)]
        asked = prepared.calls(order.varies, scheme, f"127.0.0.1:{order.port}", some)
        links.append(Link(_connection(order), asked))
        links[-1].greet()
    return links


def _connection(order: Order) -> socket.socket:
    made = socket.create_connection(("127.0.0.1", order.port), _PATIENCE)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if not order.authority:
        return made
    context = ssl.create_default_context(cadata=order.authority)
    context.set_alpn_protocols(["h2"])
    return context.wrap_socket(made, server_hostname="localhost")


def main() -> None:
    """Do what stdin says."""
    ordered: list[Any] = json.loads(sys.stdin.readline())
    order = Order(*ordered)
    links = connected(order)
    print("ready", flush=True)
    sys.stdin.readline()
    began = time.perf_counter()
    each_ms: list[float] = []
    if order.rate:
        each_ms = keep_rate(links, order.rate)
    else:
        keep_under_way(links, order.at_a_time)
    print(json.dumps((time.perf_counter() - began, each_ms)), flush=True)


if __name__ == "__main__":
    main()
