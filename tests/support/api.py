"""Callers: HTTP as the operator in a domain of their own, and tokens for gRPC."""

import base64
import uuid
from typing import Any

import httpx

from tests.support.service import Service


class Api:
    """An operator in one domain."""

    def __init__(self, service: Service, domain: str = "") -> None:
        self.service = service
        self.domain = domain or f"d-{uuid.uuid4().hex[:12]}"
        self.session = httpx.Client(base_url=service.http, headers=service.headers, timeout=30)

    def request(self, method: str, path: str, **kwargs: Any) -> httpx.Response:
        """A request below the domain: `/clients`, `/channels`."""
        return self.session.request(method, f"/{self.domain}{path}", **kwargs)

    def create(self, **fields: Any) -> dict[str, Any]:
        """A client, created."""
        response = self.request("POST", "/clients", json=fields)
        assert response.status_code == 201, response.text
        created: dict[str, Any] = response.json()
        return created

    def listed(self, **query: Any) -> list[str]:
        """The ids of a list, in order."""
        response = self.request("GET", "/clients", params=query)
        assert response.status_code == 200, response.text
        return [client["id"] for client in response.json()["clients"]]

    def __enter__(self) -> "Api":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.session.close()


def basic(client_id: str, secret: str) -> str:
    """A `Basic` token."""
    return "Basic" + base64.b64encode(f"{client_id}:{secret}".encode()).decode()


def of_domain(domain_id: str, secret: str) -> str:
    """A `Domain` token."""
    return "Domain" + base64.b64encode(f"{domain_id}:{secret}".encode()).decode()


def error_of(response: httpx.Response) -> tuple[int, str]:
    """Status and code of an answer that is an error, in the one shape all have."""
    body = response.json()
    assert body["message"]
    assert response.headers["content-type"] == "application/json"
    return response.status_code, body["error"]
