"""How many HTTP requests a service is answering, asked of its metrics."""

from tests.support import asking
from tests.support.service import Service
from tests.support.waiting import wait_until


def wait_until_in_flight(service: Service, count: int) -> None:
    """Ask until so many requests are being answered, the one that asks not counted."""
    wanted = f"clients_api_requests_active {count + 1}.0"
    wait_until(lambda: wanted in asking.get(f"{service.http}/metrics").text, wanted)
