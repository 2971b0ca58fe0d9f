"""Messages to systemd: what is sent, what is kept for later, and what is no error."""

import logging
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgeclients.ops.notify import NotifySocket, status, watchdog_seconds

OTHER = os.getpid() + 1


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[socket.socket]:
    """A socket that takes a few messages and then is full."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bound:
        bound.bind(str(tmp_path / "notify"))
        bound.setblocking(False)
        yield bound


@pytest.fixture
def notify(listening: socket.socket) -> Iterator[NotifySocket]:
    made = NotifySocket(listening.getsockname())
    yield made
    made.close()


def received(listening: socket.socket) -> list[str]:
    found = []
    try:
        while True:
            found.append(listening.recv(65536).decode())
    except BlockingIOError:
        return found


def test_a_message_is_its_lines(listening: socket.socket, notify: NotifySocket) -> None:
    notify.send("READY=1", status("serving"))
    assert received(listening) == ["READY=1\nSTATUS=serving"]


def test_a_status_is_one_line_that_is_not_too_long() -> None:
    assert status("a\nREADY=1\r b") == "STATUS=a READY=1 b"
    assert len(status("x" * 10_000)) < 1000


def test_what_is_no_unicode_is_replaced(listening: socket.socket, notify: NotifySocket) -> None:
    notify.send(status("bad \udcff"))
    assert received(listening) == ["STATUS=bad ?"]


def test_a_full_socket_delays_what_must_arrive_and_loses_hints(listening: socket.socket, notify: NotifySocket) -> None:
    hints = 0
    while len(notify._unsent) == 0:
        notify.hint(f"WATCHDOG={hints}")
        hints += 1
        notify.send("STATUS=filling")
    notify.send("READY=1")
    notify.hint("WATCHDOG=lost")
    got = received(listening)
    assert "READY=1" not in got
    notify.resend()
    later = received(listening)
    assert later == ["STATUS=filling", "READY=1"]
    assert "WATCHDOG=lost" not in got
    notify.resend()
    assert received(listening) == []


@pytest.mark.parametrize("address", ["/no/such/socket", "@edgeclients-nobody", "vsock:2:1234", "relative"])
def test_a_socket_that_cannot_be_used_is_logged_once(address: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        notify = NotifySocket(address)
        for _ in range(3):
            notify.send("READY=1")
            notify.hint("WATCHDOG=1")
        notify.close()
    assert caplog.messages == ["systemd cannot be notified"]


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        ({}, 0),
        ({"WATCHDOG_USEC": "120000000"}, 120),
        ({"WATCHDOG_USEC": "500000", "WATCHDOG_PID": str(os.getpid())}, 0.5),
        ({"WATCHDOG_USEC": "500000", "WATCHDOG_PID": str(OTHER)}, 0),
        ({"WATCHDOG_USEC": "0"}, 0),
        ({"WATCHDOG_USEC": "-5"}, 0),
        ({"WATCHDOG_USEC": "soon"}, 0),
        ({"WATCHDOG_USEC": ""}, 0),
    ],
)
def test_when_pings_are_wanted(environ: dict[str, str], seconds: float) -> None:
    assert watchdog_seconds(environ, os.getpid()) == seconds


def test_without_the_variable_nothing_is_imported() -> None:
    program = """
import sys
from edgeclients.cli import serve
from edgeclients.wiring import notify
assert type(notify.found({})) is notify.Manager
assert "edgeclients.ops.notify" not in sys.modules
environ = {"NOTIFY_SOCKET": "@nobody", "WATCHDOG_USEC": "1", "WATCHDOG_PID": "1", "PATH": ""}
assert isinstance(notify.found(environ), notify.Systemd)
assert environ == {"PATH": ""}
"""
    subprocess.run([sys.executable, "-c", program], check=True)
