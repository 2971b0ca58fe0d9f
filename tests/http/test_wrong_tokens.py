"""Wrong bearer tokens: told to be wrong a few times a minute, then told to be too many; a right one always works."""

import re
import secrets
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support import asking
from tests.support.api import error_of
from tests.support.service import Service, started

ALLOWED = 5


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that is told of few wrong tokens."""
    env = {"MG_CLIENTS_HTTP_WRONG_TOKENS": str(ALLOWED), "MG_CLIENTS_HTTP_HOST": "127.0.0.1"}
    with started(tmp_path_factory.mktemp("strict") / "data", env) as service:
        yield service


def _ask(service: Service, token: str | None, address: str) -> httpx.Response:
    """A request from an address of this machine's own: each has its own ration."""
    transport = httpx.HTTPTransport(local_address=address)
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    with asking.client(transport=transport) as client:
        return client.get(f"{service.http}/d1/clients", headers=headers)


def _used_up(service: Service, address: str) -> None:
    for _ in range(ALLOWED):
        assert error_of(_ask(service, secrets.token_hex(16), address)) == (401, "unauthenticated")
    assert error_of(_ask(service, secrets.token_hex(16), address)) == (429, "throttled")


def test_too_many_wrong_tokens_are_told_so_and_when_to_come_back(strict: Service) -> None:
    _used_up(strict, "127.0.0.2")
    response = _ask(strict, "wrong", "127.0.0.2")
    assert error_of(response) == (429, "throttled")
    assert 1 <= int(response.headers["retry-after"]) <= 60 / ALLOWED


def test_a_right_token_is_answered_whatever_its_address_did(strict: Service) -> None:
    _used_up(strict, "127.0.0.3")
    for _ in range(3 * ALLOWED):
        assert _ask(strict, strict.token, "127.0.0.3").status_code == 200
    assert _ask(strict, "wrong", "127.0.0.3").status_code == 429


def test_one_address_does_not_cost_another(strict: Service) -> None:
    _used_up(strict, "127.0.0.4")
    _used_up(strict, "127.0.0.5")


def test_no_token_is_no_wrong_one(strict: Service) -> None:
    for _ in range(3 * ALLOWED):
        assert error_of(_ask(strict, None, "127.0.0.6")) == (401, "missing_token")
    _used_up(strict, "127.0.0.6")


def test_tokens_of_local_operators_are_guessed_no_faster(strict: Service) -> None:
    for number in range(ALLOWED):
        assert _ask(strict, f"mgo_ann_{number:064x}", "127.0.0.7").status_code == 401
    assert _ask(strict, f"mgo_ann_{uuid.uuid4().hex * 2}", "127.0.0.7").status_code == 429


def test_they_are_counted_and_not_told(strict: Service, tmp_path: Path) -> None:
    token = f"told-to-nobody-{uuid.uuid4().hex}"
    for _ in range(ALLOWED + 2):
        _ask(strict, token, "127.0.0.8")
    text = asking.get(f"{strict.http}/metrics").text
    counted = dict(re.findall(r'^clients_api_requests_total\{code="(401|429)",operation="none"\} (\S+)', text, re.MULTILINE))
    assert float(counted["401"]) >= ALLOWED
    assert float(counted["429"]) >= 2
    assert token not in text
    assert not any(token in str(line) for line in strict.lines)
