"""Many equal requests: h2load where it is installed, else our own callers. Bounded in count, over a few connections."""

import re
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from edgeclients._pb.clients.v1 import clients_pb2
from tests.perf import callers

_H2LOAD = shutil.which("h2load")
DRIVER = "h2load" if _H2LOAD else "Python callers (h2load is not installed)"
_MANY_SECONDS = 300


class Times(NamedTuple):
    """How long all requests took together, and each by itself."""

    seconds: float
    each_ms: list[float]


def authenticate(port: int, token: str, count: int, folder: Path) -> None:
    """Call Authenticate with one token, `count` times."""
    if not _H2LOAD:
        callers.authenticate(port, [token], count)
        return
    _h2load(count, ["-c", "4", "-m", "8", *_grpc(port, token, folder)])


def authenticate_times(port: int, token: str, count: int, at_a_time: int, folder: Path) -> Times:
    """The same with `at_a_time` calls under way, timed each."""
    if not _H2LOAD:
        return _clocked(lambda: callers.authenticate(port, [token], count, at_a_time))
    return _timed(count, ["-c", "1", "-m", str(at_a_time), *_grpc(port, token, folder)], folder)


def get(port: int, path: str, headers: Sequence[str], count: int) -> None:
    """Ask for `path` over HTTP/1.1, `count` times."""
    if not _H2LOAD:
        callers.get(port, path, headers, count)
        return
    _h2load(count, ["-c", "32", *_http(port, path, headers)])


def get_times(port: int, path: str, headers: Sequence[str], count: int, at_a_time: int, folder: Path) -> Times:
    """The same with `at_a_time` requests under way, timed each."""
    if not _H2LOAD:
        return _clocked(lambda: callers.get(port, path, headers, count, at_a_time))
    return _timed(count, ["-c", str(at_a_time), *_http(port, path, headers)], folder)


def _grpc(port: int, token: str, folder: Path) -> list[str]:
    message = clients_pb2.AuthnReq(token=token).SerializeToString()
    body = folder / "authenticate.bin"
    body.write_bytes(b"\0" + len(message).to_bytes(4, "big") + message)
    address = f"http://127.0.0.1:{port}{callers.AUTHENTICATE}"
    return ["-d", str(body), "-H", "content-type: application/grpc", "-H", "te: trailers", address]


def _http(port: int, path: str, headers: Sequence[str]) -> list[str]:
    return ["--h1", *(part for header in headers for part in ("-H", header)), f"http://127.0.0.1:{port}{path}"]


def _timed(count: int, arguments: list[str], folder: Path) -> Times:
    log = folder / "times.tsv"
    log.unlink(missing_ok=True)

    def ask() -> list[float]:
        _h2load(count, ["--log-file", str(log), *arguments])
        return [int(line.split("\t")[2]) / 1000 for line in log.read_text().splitlines()]

    return _clocked(ask)


def _clocked(ask: Callable[[], list[float]]) -> Times:
    began = time.perf_counter()
    each_ms = ask()
    return Times(time.perf_counter() - began, each_ms)


def _h2load(count: int, arguments: list[str]) -> None:
    assert _H2LOAD
    done = subprocess.run(
        [_H2LOAD, "-n", str(count), *arguments], capture_output=True, text=True, check=True, timeout=_MANY_SECONDS
    )
    answered = re.search(r"status codes: (\d+) 2xx", done.stdout)
    if answered is None or int(answered[1]) != count:
        raise RuntimeError(f"not every request was answered:\n{done.stdout}{done.stderr}")
