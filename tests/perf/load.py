"""Many equal requests: h2load where it is installed, else our own callers. Bounded in count, over a few connections."""

import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from edgeclients._pb.clients.v1 import clients_pb2
from tests.perf import callers

_H2LOAD = shutil.which("h2load")
DRIVER = "h2load" if _H2LOAD else "Python callers (h2load is not installed)"
_MANY_SECONDS = 300


def authenticate(port: int, token: str, count: int, folder: Path) -> None:
    """Call Authenticate with one token, `count` times."""
    if not _H2LOAD:
        callers.authenticate(port, [token], count)
        return
    message = clients_pb2.AuthnReq(token=token).SerializeToString()
    body = folder / "authenticate.bin"
    body.write_bytes(b"\0" + len(message).to_bytes(4, "big") + message)
    address = f"http://127.0.0.1:{port}{callers.AUTHENTICATE}"
    options = ("-c", "4", "-m", "8", "-d", str(body), "-H", "content-type: application/grpc", "-H", "te: trailers")
    _h2load(count, [*options, address])


def get(port: int, path: str, headers: Sequence[str], count: int) -> None:
    """Ask for `path` over HTTP/1.1, `count` times."""
    if not _H2LOAD:
        callers.get(port, path, headers, count)
        return
    options = [part for header in headers for part in ("-H", header)]
    _h2load(count, ["--h1", "-c", "32", *options, f"http://127.0.0.1:{port}{path}"])


def _h2load(count: int, arguments: list[str]) -> None:
    assert _H2LOAD
    done = subprocess.run(
        [_H2LOAD, "-n", str(count), *arguments], capture_output=True, text=True, check=True, timeout=_MANY_SECONDS
    )
    answered = re.search(r"status codes: (\d+) 2xx", done.stdout)
    if answered is None or int(answered[1]) != count:
        raise RuntimeError(f"not every request was answered:\n{done.stdout}{done.stderr}")
