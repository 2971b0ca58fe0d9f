"""Callers: HTTP as the operator in a domain of their own, and tokens for gRPC."""

import base64
import copy
import json
import uuid
from collections.abc import Sequence
from typing import Any, Self

import httpx

from tests.support.asking import TLS
from tests.support.database import kept
from tests.support.service import Service
from tests.support.waiting import PATIENCE


class Api:
    """An operator in one domain: the standalone one, or whose `token` it is, with `user` for an id."""

    def __init__(self, service: Service, domain: str = "", token: str = "", user: str = "") -> None:
        self.service = service
        self.domain = domain or f"d-{uuid.uuid4().hex[:12]}"
        self.user = user
        headers = {"Authorization": f"Bearer {token or service.token}", "Content-Type": "application/json"}
        self.session = httpx.Client(base_url=service.http, headers=headers, timeout=PATIENCE, verify=TLS)

    def within(self, domain: str) -> Self:
        """The same caller on the same connection, in another domain."""
        there = copy.copy(self)
        there.domain = domain
        return there

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

    def give_role(self, client_id: str, name: str, actions: Sequence[str] = (), members: Sequence[str] = ()) -> dict[str, Any]:
        """A role of a client, created."""
        body = {"role_name": name, "optional_actions": actions, "optional_members": members}
        response = self.request("POST", f"/clients/{client_id}/roles", json=body)
        assert response.status_code == 201, response.text
        created: dict[str, Any] = response.json()
        return created

    def told(self, client_id: str) -> list[dict[str, Any]]:
        """What the service's outbox says of a client's roles, in order."""
        found = kept(
            self.service,
            "SELECT payload FROM outbox WHERE client_id = ? AND stream = 'client.roles' ORDER BY seq",
            (client_id,),
        )
        return [json.loads(payload) for (payload,) in found]

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
