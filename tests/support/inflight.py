"""How many HTTP requests a service is answering, asked of its metrics."""

import httpx

from tests.support.service import Service

_ASKED = 1000


def wait_until_in_flight(service: Service, count: int) -> None:
    """Ask until so many requests are being answered, the one that asks not counted."""
    wanted = f"clients_api_requests_active {count + 1}.0"
    with httpx.Client(base_url=service.http, timeout=30) as caller:
        for _ in range(_ASKED):
            text = caller.get("/metrics").text
            if wanted in text:
                return
    raise AssertionError([line for line in text.splitlines() if "active" in line])
