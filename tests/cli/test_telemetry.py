"""Telemetry (schema/README.md#telemetry): said once, sent where the settings say, and nobody's trouble."""

import contextlib
import json
import os
import platform
import re
import socket
import ssl
import sys
import threading
import uuid
from pathlib import Path

import pytest

from edgeclients import __version__
from edgeclients.ops.telemetry import DAY, Telemetry, document
from tests.support.api import Api
from tests.support.callee import Callee, Reply, asked_by_http
from tests.support.certificates import Authority
from tests.support.ports import free_port
from tests.support.service import Service, started
from tests.support.waiting import PATIENCE, wait_until

SAID = "telemetry is sent now and once a day; MG_SEND_TELEMETRY=false switches it off"


def said(service: Service) -> list[dict[str, object]]:
    return [line for line in service.lines if "telemetry" in line["msg"]]


def line_of(service: Service, message: str) -> dict[str, object]:
    """The log line with this message, which may come before or after the service is ready."""
    wait_until(lambda: any(line["msg"] == message for line in service.lines), message)
    return next(line for line in service.lines if line["msg"] == message)


def told(callee: Callee) -> list[dict[str, str]]:
    return [asked.question for asked in callee.asked]


def test_it_is_sent_once_when_the_service_starts_and_said_once(tmp_path: Path) -> None:
    """A start later the store is still the same; another store is another."""
    with asked_by_http() as callee:
        env = {"MG_CALLHOME_URL": f"{callee.url.replace('//', '//user:geheim@')}?key=geheim"}
        for folder in ("a", "a", "b"):
            before = len(callee.asked)
            with started(tmp_path / folder, env) as service:
                wait_until(lambda before=before: len(callee.asked) > before, "telemetry")  # type: ignore[misc]
            (line,) = said(service)
            assert (line["msg"], line["level"], line["sent"]) == (SAID, "INFO", told(callee)[-1])
            assert line["to"] == f"http://localhost:{callee.port}"
            assert "geheim" not in str(service.lines)
        first, again, other = told(callee)
        assert first == again
        assert first | {"instance_id": ""} == other | {"instance_id": ""}
        assert first["instance_id"] != other["instance_id"]
        asked = callee.asked[0]
        assert (asked.method, asked.path, asked.query) == ("POST", "/ask", {"key": "geheim"})
        assert asked.headers["authorization"] == "Basic dXNlcjpnZWhlaW0="


def test_it_says_version_mode_platform_and_a_random_id_and_nothing_else(tmp_path: Path) -> None:
    with asked_by_http() as callee:
        with started(tmp_path / "data", {"MG_CALLHOME_URL": callee.url}) as service, Api(service) as api:
            api.create(name="n")
            wait_until(lambda: bool(callee.asked), "telemetry")
        (sent,) = told(callee)
        assert set(sent) == {"version", "mode", "platform", "instance_id"}
        assert (sent["version"], sent["mode"]) == (__version__, "gateway")
        assert sent["platform"] == f"{sys.platform}-{platform.machine()}"
        assert uuid.UUID(sent["instance_id"]).version == 4
        (asked,) = callee.asked
        assert set(map(str.lower, asked.headers)) == {
            "host", "accept-encoding", "content-length", "content-type", "user-agent", "connection",
        }  # fmt: skip
        assert asked.headers["user-agent"] == f"edgeclients/{__version__}"
        everything = str(asked)
        for own in (socket.gethostname(), str(tmp_path), os.environ.get("USER") or "no user", f"{uuid.getnode():012x}"):
            assert own not in everything


@pytest.mark.source_only("it calls parts of the program, without the program")
def test_the_id_is_not_what_a_store_s_events_say() -> None:
    store_id = str(uuid.uuid4())
    sent = document("gateway", store_id)
    assert sent == document("gateway", store_id)
    assert store_id not in json.dumps(sent)


@pytest.mark.parametrize("env", [{"MG_SEND_TELEMETRY": "false"}, {"MG_SEND_TELEMETRY": "true", "MG_CALLHOME_URL": ""}])
def test_it_is_not_sent_where_it_is_switched_off_or_nobody_is_named(tmp_path: Path, env: dict[str, str]) -> None:
    with asked_by_http() as callee:
        with started(tmp_path / "data", {"MG_CALLHOME_URL": callee.url} | env) as service, Api(service) as api:
            api.create(name="n")
        assert callee.asked == []
    assert said(service) == []


@pytest.mark.source_only("it calls parts of the program, without the program")
def test_it_is_sent_again_and_again_until_it_is_stopped() -> None:
    """Once a day; here at once."""
    assert DAY == 86400
    with asked_by_http() as callee:
        telemetry = Telemetry(callee.url, document("cloud", "s"), interval=0.01)
        telemetry.start()
        wait_until(lambda: len(callee.asked) >= 3, "the third time")
        telemetry.stop()
        wait_until(lambda: not alive(), "the end")
        assert {json.dumps(sent) for sent in told(callee)} == {json.dumps(document("cloud", "s"))}


def alive() -> bool:
    return any(thread.name == "telemetry" for thread in threading.enumerate())


@pytest.mark.parametrize("status", [204, 301, 302, 307, 308, 400, 500])
def test_whatever_is_answered_it_is_not_followed_and_not_sent_again(tmp_path: Path, status: int) -> None:
    with asked_by_http() as callee, asked_by_http() as elsewhere:
        callee.reply = lambda _: Reply(status, headers={"location": elsewhere.url})
        with started(tmp_path / "data", {"MG_CALLHOME_URL": callee.url, "MG_CLIENTS_LOG_LEVEL": "debug"}) as service:
            line_of(service, "telemetry was sent")
        assert len(callee.asked) == 1
        assert elsewhere.asked == []


def test_a_server_that_is_away_is_one_quiet_line(tmp_path: Path) -> None:
    env = {"MG_CALLHOME_URL": f"http://user:geheim@127.0.0.1:{free_port()}/"}
    with started(tmp_path / "data", env) as service, Api(service) as api:
        api.create(name="n")
        line = line_of(service, "telemetry could not be sent")
    assert (line["level"], line["error"]) == ("INFO", "ConnectionRefusedError")
    assert "geheim" not in str(service.lines)


def test_a_server_that_does_not_answer_keeps_nobody_waiting(tmp_path: Path) -> None:
    with asked_by_http() as callee:
        callee.reply = callee.silent
        with started(tmp_path / "data", {"MG_CALLHOME_URL": callee.url}) as service, Api(service) as api:
            wait_until(lambda: bool(callee.asked), "telemetry")
            api.create(name="n")
            assert service.stop() == 0


@pytest.mark.source_only("it calls parts of the program, without the program")
@pytest.mark.parametrize("secured", [False, True])
@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\nx-slow: "])
def test_one_attempt_has_an_end_though_the_answer_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: bytes, secured: bool
) -> None:
    """Nothing comes; or a byte now and then, which keeps every single read within its limit."""
    authority = Authority("ours")
    tls = serving(tmp_path, authority)
    monkeypatch.setenv("SSL_CERT_FILE", str(trusting(tmp_path, authority)))
    hung_up = threading.Event()

    def drip(listener: socket.socket) -> None:
        plain, _ = listener.accept()
        with tls.wrap_socket(plain, server_side=True) if secured else plain as connection:
            with contextlib.suppress(OSError):
                connection.settimeout(PATIENCE)
                connection.sendall(answer)
                while answer and not hung_up.wait(0.02):
                    connection.sendall(b"x")
                while connection.recv(65536):
                    pass
            hung_up.set()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=drip, args=(listener,))
        server.start()
        scheme = "https" if secured else "http"
        telemetry = Telemetry(f"{scheme}://localhost:{listener.getsockname()[1]}/", {"s": "x"}, patience=0.2)
        telemetry.start()
        assert hung_up.wait(PATIENCE)
        telemetry.stop()
        server.join()
        wait_until(lambda: not alive(), "the end")


def serving(folder: Path, authority: Authority) -> ssl.SSLContext:
    """TLS of a server whose certificate `authority` has signed."""
    pair = authority.sign("callee")
    (folder / "server.pem").write_text(pair.certificate + pair.key)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(folder / "server.pem")
    return tls


def trusting(folder: Path, authority: Authority) -> Path:
    """The file of those whom a system trusts that trusts `authority` alone."""
    path = folder / "trusted.pem"
    path.write_text(authority.certificate)
    return path


@pytest.mark.parametrize("trusted", [True, False])
def test_with_tls_the_server_has_to_prove_who_it_is(tmp_path: Path, trusted: bool) -> None:
    authority = Authority("somebody")
    with asked_by_http(serving(tmp_path, authority)) as callee:
        env = {"MG_CALLHOME_URL": callee.url, "MG_CLIENTS_LOG_LEVEL": "debug"}
        if trusted:
            env["SSL_CERT_FILE"] = str(trusting(tmp_path, authority))
        with started(tmp_path / "data", env) as service:
            line = line_of(service, "telemetry was sent" if trusted else "telemetry could not be sent")
        assert len(callee.asked) == trusted
        assert trusted or line["error"] == "SSLCertVerificationError"


@pytest.mark.source_only("it looks into a file of the sources")
def test_what_is_said_is_where_and_how_to_switch_it_off_in_the_page() -> None:
    page = (Path(__file__).resolve().parents[2] / "packaging/operations/observe.md").read_text()
    section = re.split(r"^## ", page.split("## Telemetry\n")[1], flags=re.MULTILINE)[0]
    assert {word for word in document("gateway", "s") if f"`{word}`" in section} == set(document("gateway", "s"))
    assert "`MG_SEND_TELEMETRY=false` switches it off" in section
