"""Proxies that the environment names: nothing the service asks or tells goes there."""

import json
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgeclients.operations import CALLOUTS
from tests.support.callee import Reply, asked_by_http
from tests.support.certificates import Authority
from tests.support.cloud.keys import Key
from tests.support.cloud.plant import planted
from tests.support.cloud.server import Cloud as Neighbours
from tests.support.cloud.world import SUPER_ADMIN, World
from tests.support.collector import collecting
from tests.support.commands import run
from tests.support.on_postgres import Cloud
from tests.support.redis import RedisServer
from tests.support.waiting import wait_until

VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "grpc_proxy")


class Trap:
    """What is named as the proxy."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        named = dict.fromkeys(VARIABLES, f"http://{address}")
        by_address = {"GRPC_ADDRESS_HTTP_PROXY": address, "GRPC_ADDRESS_HTTP_PROXY_ENABLED_ADDRESSES": "127.0.0.0/8"}
        exceptions = {"no_proxy": "", "NO_PROXY": "", "no_grpc_proxy": ""}
        self.env = {**named, **{name.upper(): url for name, url in named.items()}, **by_address, **exceptions}

    @property
    def is_untouched(self) -> bool:
        """Whether nobody has connected."""
        self._listener.setblocking(False)
        try:
            self._listener.accept()[0].close()
        except BlockingIOError:
            return True
        return False


@pytest.fixture
def trap() -> Iterator[Trap]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield Trap(listener)


def test_nothing_goes_through_a_proxy(cloud: Cloud, tmp_path: Path, trap: Trap) -> None:
    """Auth, its keys and its neighbours, callouts, spans, telemetry, events, hints, PostgreSQL."""
    authority, key = Authority(), Key()
    pair = authority.sign("keys")
    (tmp_path / "pair.pem").write_text(pair.certificate + pair.key)
    (tmp_path / "ca.pem").write_text(authority.certificate)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "pair.pem")
    with (
        asked_by_http(tls) as keys,
        asked_by_http() as callee,
        asked_by_http() as home,
        collecting() as collector,
        RedisServer() as redis,
    ):
        keys.reply = lambda _: Reply(200, json.dumps({"keys": [key.public()]}).encode())
        env = {
            "MG_AUTH_JWKS_URL": keys.url,
            "SSL_CERT_FILE": str(tmp_path / "ca.pem"),  # whom to trust the environment may say
            "MG_CLIENTS_CALLOUT_URLS": callee.url,
            "MG_CLIENTS_CALLOUT_OPERATIONS": ",".join(sorted(CALLOUTS)),
            "MG_JAEGER_URL": collector.url,
            "MG_CALLHOME_URL": home.url,
            "MG_CLIENTS_ES_URL": redis.address,
            "MG_CLIENTS_CACHE_URL": redis.address,
        }
        with planted(
            tmp_path / "data",
            ("domains", "groups"),
            {**cloud.storage, "MG_CLIENTS_MODE": "cloud", **env, **trap.env},
            Neighbours(World()),
        ) as plant:
            member = plant.root.user
            api = plant.caller(key.sign(member, role=SUPER_ADMIN), member)
            group = plant.world.group(plant.domain)
            client = api.create(name="boiler")
            assert api.request("POST", f"/clients/{client['id']}/parent", json={"parent_group_id": group}).is_success
            assert api.request("DELETE", f"/clients/{client['id']}").is_success
            assert keys.asked
            assert callee.asked
            assert {"Authorize", "RetrieveStatus", "RetrieveEntity"} <= {call.method for call in plant.cloud.calls}
            redis.wait_for(1)
            wait_until(lambda: bool(collector.spans), "spans")
            wait_until(lambda: bool(home.asked), "telemetry")
            port = {"MG_CLIENTS_HTTP_PORT": plant.service.http.rpartition(":")[2]}
            assert run("health", data=tmp_path, env={**port, **trap.env}).code == 0
        assert trap.is_untouched
