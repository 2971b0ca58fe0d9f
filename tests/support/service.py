"""The service as its users run it: a process, with its ports, its files and its log."""

import contextlib
import json
import os
import queue
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import psutil

from tests.support.program import PROGRAM
from tests.support.waiting import PATIENCE

START_SECONDS = PATIENCE
AS_INSTALLED: Final = {"PYTHONPATH": str(Path(__file__).parent / "lean")}
"""What a service is told whose memory is looked at: to load no libraries of the tests."""


class Service:
    """One `edgeclients serve`. Make it with `started`, or `Service.launch` to watch it fail."""

    def __init__(self, process: "subprocess.Popen[str]", data: Path, env: Mapping[str, str] = {}) -> None:
        self.process = process
        self.data = data
        self.env = env
        self.lines: list[dict[str, Any]] = []
        self.ready: dict[str, Any] = {}
        self._queue: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @classmethod
    def launch(cls, data: Path, env: Mapping[str, str] = {}, command: Sequence[str] = ()) -> "Service":
        """Start the process; `wait_ready` says when it serves."""
        process = subprocess.Popen(
            command or [*PROGRAM, "serve"],
            env=environment(data, env),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return cls(process, data, env)

    def wait_ready(self) -> "Service":
        """Wait until it serves."""
        self.ready = self.wait_for("ready")
        return self

    def wait_for(self, message: str) -> dict[str, Any]:
        """The next log line with this message."""
        while True:
            line = self._queue.get(timeout=START_SECONDS)
            if line is None:
                raise AssertionError(f"the service ended: {self.lines[-5:]}")
            if line.get("msg") == message:
                return line

    @property
    def http(self) -> str:
        return str(self.ready["http"])

    @property
    def grpc(self) -> str:
        return str(self.ready["grpc"])

    @property
    def token(self) -> str:
        return self.env.get("MG_CLIENTS_STANDALONE_TOKEN") or (self.data / "operator.token").read_text()

    @property
    def operator_id(self) -> str:
        return self.env.get("MG_CLIENTS_STANDALONE_ID") or (self.data / "operator.id").read_text()

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}

    def stop(self) -> int:
        """SIGTERM, and its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.end()

    def kill(self) -> None:
        """SIGKILL, for what the one-file executable has started as well: it does not end with the one that unpacked it."""
        for child in psutil.Process(self.process.pid).children(recursive=True):
            child.kill()
        self.process.kill()
        self.end()

    def end(self) -> int:
        """Wait until it is gone."""
        code = self.process.wait(timeout=START_SECONDS)
        self._reader.join()
        assert self.process.stdout
        self.process.stdout.close()
        return code

    def _read(self) -> None:
        assert self.process.stdout
        for text in self.process.stdout:
            try:
                line = json.loads(text)
            except ValueError:
                line = {"msg": text.rstrip("\n")}
            self.lines.append(line)
            self._queue.put(line)
        self._queue.put(None)


# On a busy machine a test may say nothing for a while; those that are about a limit set it.
_PATIENT: Final = {f"MG_CLIENTS_HTTP_SERVER_{limit}_TIMEOUT": "10m" for limit in ("READ", "READ_HEADER", "WRITE", "IDLE")}


_chosen: list[str] = []


@contextlib.contextmanager
def grpc_served_by(name: str) -> Iterator[None]:
    """Services that are started within have this gRPC server; "": the program's default."""
    if name:
        _chosen.append(name)
    try:
        yield
    finally:
        if name:
            _chosen.remove(name)


def environment(data: Path, env: Mapping[str, str] = {}) -> dict[str, str]:
    """What the process is told: this data directory, free ports, nothing of ours from outside."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("MG_")}
    return {
        **inherited,
        "MG_CLIENTS_DATA_DIR": str(data),
        "MG_CLIENTS_HTTP_PORT": "0",
        "MG_CLIENTS_GRPC_PORT": "0",
        "MG_CLIENTS_HTTP_WRONG_TOKENS": "1000000",  # tests share an address
        **_PATIENT,
        **({"MG_CLIENTS_GRPC_SERVER": _chosen[-1]} if _chosen else {}),
        **env,
    }


@contextlib.contextmanager
def started(data: Path, env: Mapping[str, str] = {}, command: Sequence[str] = ()) -> Iterator[Service]:
    """A service that serves, stopped at the end if it still runs."""
    service = Service.launch(data, env, command)
    try:
        yield service.wait_ready()
    finally:
        if service.process.poll() is None:
            service.stop()
        else:
            service.end()
