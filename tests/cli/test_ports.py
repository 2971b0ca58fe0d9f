"""Where it listens: the same on both ports, shown as one writes it, and if it cannot, why not."""

import socket
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.commands import refused, run
from tests.support.elsewhere import Elsewhere
from tests.support.listening import V4, V6, families, just_used, let_in, listening, named
from tests.support.service import Service, started
from tests.support.users import NOBODY

HOSTS = {
    "0.0.0.0": {V4},
    "::": {V4, V6},
    "localhost": named("localhost"),
    V4: {V4},
    V6: {V6},
}
FIRST_FREE = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")


def on(host: str) -> dict[str, str]:
    return {"MG_CLIENTS_HTTP_HOST": host, "MG_CLIENTS_GRPC_HOST": host}


def own(host: str) -> set[str]:
    """The addresses on which a service may listen that is told this host."""
    return {"0.0.0.0": {"0.0.0.0"}, "::": {"0.0.0.0", "::"}}.get(host, HOSTS[host])


def ports(service: Service) -> dict[str, int]:
    return {"http": urlsplit(service.http).port or 0, "grpc": urlsplit(f"//{service.grpc}").port or 0}


@pytest.mark.parametrize("host", [host for host in HOSTS if HOSTS[host] & families()])
def test_a_host_means_the_same_on_both_ports(tmp_path: Path, host: str) -> None:
    with started(tmp_path / "data", on(host)) as service:
        found = ports(service)
        for port in found.values():
            assert let_in(port) >= HOSTS[host] & families()
            # At any other address, the same port may be another program's.
            assert {address.removeprefix("::ffff:") for _, address in listening(service.process.pid, port)} <= own(host)
        written = f"[{host}]" if ":" in host else host
        assert service.http == f"http://{written}:{found['http']}"
        assert service.grpc == f"{written}:{found['grpc']}"
        healthy = run("health", data=tmp_path, env={**on(host), "MG_CLIENTS_HTTP_PORT": str(found["http"])})
        assert (healthy.code, healthy.out) == (0, "healthy\n")


def test_every_ipv4_address_is_no_ipv6_address(tmp_path: Path) -> None:
    """Not even for a moment after a connection over IPv6 has ended there."""
    http, grpc = just_used(), just_used()
    env = {**on("0.0.0.0"), "MG_CLIENTS_HTTP_PORT": str(http), "MG_CLIENTS_GRPC_PORT": str(grpc)}
    with started(tmp_path / "data", env) as service:
        for port in (http, grpc):
            assert listening(service.process.pid, port) == {(socket.AF_INET, "0.0.0.0")}
            assert let_in(port) == {V4}


def test_somebody_else_may_have_the_ipv6_addresses(tmp_path: Path) -> None:
    if V6 not in families():
        return
    with socket.create_server(("::", 0), family=socket.AF_INET6) as other:
        port = other.getsockname()[1]
        with started(tmp_path / "data", {**on("0.0.0.0"), "MG_CLIENTS_GRPC_PORT": str(port)}) as service:
            assert listening(service.process.pid, port) == {(socket.AF_INET, "0.0.0.0")}


@pytest.mark.parametrize("transport", ["HTTP", "GRPC"])
@pytest.mark.parametrize("taken", sorted(families()))
def test_every_address_is_each_of_them(tmp_path: Path, transport: str, taken: str) -> None:
    """One that is taken is none too few."""
    with socket.create_server((taken, 0), family=socket.AF_INET6 if ":" in taken else socket.AF_INET) as listener:
        port = listener.getsockname()[1]
        line = refused(tmp_path / "data", {**on("::"), f"MG_CLIENTS_{transport}_PORT": str(port)}).line
    assert f"cannot listen on [::]:{port} (Address already in use): stop the program that uses it" in line


@pytest.mark.parametrize("transport", ["HTTP", "GRPC"])
def test_an_address_of_another_machine(tmp_path: Path, transport: str) -> None:
    line = refused(tmp_path / "data", {f"MG_CLIENTS_{transport}_HOST": "192.0.2.1"}).line
    assert "cannot listen on 192.0.2.1:0 (Cannot assign requested address)" in line
    assert f"set MG_CLIENTS_{transport}_HOST to an address of this machine" in line


@pytest.mark.parametrize("transport", ["HTTP", "GRPC"])
def test_a_port_that_takes_rights(elsewhere: Elsewhere, transport: str) -> None:
    port = min(int(FIRST_FREE.read_text()), 1024) - 1
    if port < 1:
        return  # every user may have any here
    ended = elsewhere.run("serve", env={f"MG_CLIENTS_{transport}_PORT": str(port)}, user=NOBODY)
    assert f"cannot listen on localhost:{port} (Permission denied): set MG_CLIENTS_{transport}_PORT to 1024" in ended.line
    assert "CAP_NET_BIND_SERVICE" in ended.line
    assert "stop" not in ended.line


OVERLAPS: list[Mapping[str, str]] = [
    {},
    {"MG_CLIENTS_HTTP_HOST": "0.0.0.0"},
    {"MG_CLIENTS_GRPC_HOST": "::"},
    {"MG_CLIENTS_GRPC_HOST": "127.0.0.1"},
    {"MG_CLIENTS_HTTP_HOST": "::1"},
    {"MG_CLIENTS_HTTP_HOST": "::", "MG_CLIENTS_GRPC_HOST": "192.0.2.1"},
]


@pytest.mark.parametrize("hosts", OVERLAPS)
def test_one_port_for_both_is_our_own_fault(tmp_path: Path, hosts: Mapping[str, str]) -> None:
    ended = refused(tmp_path / "data", {"MG_CLIENTS_HTTP_PORT": "9006", "MG_CLIENTS_GRPC_PORT": "9006", **hosts})
    assert "MG_CLIENTS_HTTP_PORT and MG_CLIENTS_GRPC_PORT are the same" in ended.line


def test_one_port_for_both_on_different_addresses(tmp_path: Path) -> None:
    port = str(just_used())
    env = {"MG_CLIENTS_HTTP_PORT": port, "MG_CLIENTS_GRPC_PORT": port}
    hosts = {"MG_CLIENTS_HTTP_HOST": "127.0.0.1", "MG_CLIENTS_GRPC_HOST": "127.0.0.2"}
    with started(tmp_path / "data", {**env, **hosts}) as service:
        assert listening(service.process.pid, int(port))
