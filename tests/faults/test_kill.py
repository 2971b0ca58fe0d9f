"""What was acknowledged before `kill -9` is there afterwards, and nothing is there by halves."""

import asyncio
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import grpc
import httpx

from edgeclients._pb.clients.v1 import clients_pb2, clients_pb2_grpc
from tests.support.api import basic
from tests.support.database import keep_events, opened, rows, searched
from tests.support.service import Service
from tests.support.waiting import PATIENCE

KILLS = 20
CALLERS = 64
DOMAIN = "killed"

_TORN = """
SELECT c.n FROM client_rows c JOIN client_ids i ON i.n = c.n
WHERE (SELECT count(*) FROM role_rows r WHERE r.client = c.n) <> 1
   OR (SELECT count(*) FROM member_rows m WHERE m.client = c.n) <> 1
   OR (SELECT count(*) FROM outbox o WHERE o.client_id = i.id AND o.stream LIKE '%client.create') <> 1
"""
_ORPHANS = """
SELECT * FROM (
    SELECT client FROM role_rows UNION SELECT client FROM member_rows
    EXCEPT SELECT n FROM client_rows
)
UNION ALL SELECT * FROM (SELECT client_id FROM outbox EXCEPT SELECT id FROM client_ids)
"""


async def test_twenty_kills_lose_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    acknowledged: dict[str, str] = {}
    service = Service.launch(tmp_path / "data").wait_ready()
    keep_events(service)
    try:
        for round_number in range(KILLS):
            latest = await create_until_killed(service, answers=1 + round_number * 5)
            acknowledged |= latest
            service = Service.launch(tmp_path / "data").wait_ready()
            look_into(service.data, acknowledged)
            await check_served(service, latest)
        await check_served(service, acknowledged)
        assert service.stop() == 0
    finally:
        if service.process.poll() is None:
            service.kill()
    look_into(service.data, acknowledged)


async def create_until_killed(service: Service, answers: int) -> dict[str, str]:
    """Secrets by id of all creates that were answered; the process dies as soon as `answers` of them were."""
    acknowledged: dict[str, str] = {}
    limits = httpx.Limits(max_connections=CALLERS)
    headers = service.headers

    async def create_on_and_on(caller: int) -> None:
        for number in range(1_000_000):
            wanted = {"name": f"{caller}-{number}", "tags": ["t"], "metadata": {"n": number}}
            try:
                response = await http.post(f"/{DOMAIN}/clients", json=wanted)
            except httpx.TransportError:
                return
            assert response.status_code == 201, response.text
            client: dict[str, Any] = response.json()
            acknowledged[client["id"]] = client["credentials"]["secret"]
            if len(acknowledged) == answers:
                service.process.kill()

    async with httpx.AsyncClient(base_url=service.http, headers=headers, limits=limits, timeout=PATIENCE) as http:
        await asyncio.gather(*map(create_on_and_on, range(CALLERS)))
    await asyncio.to_thread(service.end)
    assert service.process.returncode == -signal.SIGKILL
    return acknowledged


def look_into(data: Path, acknowledged: dict[str, str]) -> None:
    """Every acknowledged row is in the file, and no row is without what belongs to it."""
    assert rows(data, "PRAGMA integrity_check") == [("ok",)]
    assert rows(data, "PRAGMA foreign_key_check") == []
    assert rows(data, _TORN) == []
    assert rows(data, _ORPHANS) == []
    with opened(data / "clients.db") as connection:
        older = connection.execute("SELECT n FROM client_rows, store_state WHERE n <= indexed_through").fetchall()
        assert {number: len(found) for number, found in searched(connection).items()} == {number: 2 for (number,) in older}
    assert acknowledged.keys() <= {client_id for (client_id,) in rows(data, "SELECT id FROM clients")}


async def check_served(service: Service, acknowledged: dict[str, str]) -> None:
    """Every acknowledged client is shown, and its secret proves it."""
    async with (
        httpx.AsyncClient(base_url=service.http, headers=service.headers, timeout=PATIENCE) as http,
        grpc.aio.insecure_channel(service.grpc) as channel,
    ):
        stub = clients_pb2_grpc.ClientsServiceStub(channel)  # type: ignore[no-untyped-call]

        async def check(ids: Sequence[str]) -> None:
            for client_id in ids:
                shown = await http.get(f"/{DOMAIN}/clients/{client_id}")
                assert shown.status_code == 200, client_id
                proof = clients_pb2.AuthnReq(token=basic(client_id, acknowledged[client_id]))
                assert (await stub.Authenticate(proof)).id == client_id

        ids = list(acknowledged)
        await asyncio.gather(*(check(ids[start::8]) for start in range(8)))
