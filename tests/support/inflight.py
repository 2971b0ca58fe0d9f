"""How many HTTP requests a service is answering, asked of its metrics."""

from tests.support import asking
from tests.support.service import Service
from tests.support.waiting import wait_until


def is_in_flight(service: Service, count: int) -> bool:
    """Whether so many requests are being answered, the one that asks not counted."""
    return f"clients_api_requests_active {count + 1}.0" in asking.get(f"{service.http}/metrics").text


def wait_until_in_flight(service: Service, count: int) -> None:
    """Ask until so many are."""
    wait_until(lambda: is_in_flight(service, count), f"{count} requests in flight")
