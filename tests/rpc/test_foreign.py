"""Hashes that other systems made, imported over HTTP: who gets in by gRPC, and what is exported then."""

import json
import uuid
from typing import Any

import grpc
import pytest
from argon2 import PasswordHasher

from edgeclients._pb.clients.v1 import clients_pb2
from tests.support.api import Api, basic, of_domain
from tests.support.waiting import wait_until

CHOSEN, RANDOM = "correct:horse battery", "6e0b5c1d-4f5a-4a53-8a0e-0c1b2d3e4f50"
HASHER = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)
JSONL = {"content-type": "application/jsonl"}
BOTH = pytest.mark.parametrize("secret", [CHOSEN, RANDOM])


def ask(stub: Any, token: str) -> str | None:
    """The id behind a token; None when it is denied."""
    try:
        return str(stub.Authenticate(clients_pb2.AuthnReq(token=token)).id)
    except grpc.RpcError as failure:
        error: Any = failure
        assert (error.code(), error.details()) == (
            grpc.StatusCode.PERMISSION_DENIED,
            "entity not found : failed to perform authorization over the entity",
        )
        return None


def imported(api: Api, content: str, headers: dict[str, str] | None = None) -> list[dict[str, Any]]:
    headers = headers or {"content-type": "text/csv"}
    response = api.request("POST", "/clients/import", content=content, headers=headers)
    assert response.status_code == 200, response.text
    return [json.loads(line) for line in response.text.splitlines()]


def counts(**wanted: int) -> dict[str, int]:
    return {"created": 0, "updated": 0, "unchanged": 0, "failed": 0, **wanted}


def exported(api: Api, form: str = "jsonl") -> str:
    response = api.request("GET", "/clients/export", params={"format": form, "with_hashes": True})
    assert response.status_code == 200, response.text
    return response.text


def kept(api: Api, client_id: str) -> str:
    """The hash of a client's secret."""
    found = {one["id"]: one["credentials"]["secret"] for one in map(json.loads, exported(api).splitlines())}
    return str(found[client_id])


def brought(api: Api, hashed: str) -> str:
    """A client that came with a hash."""
    name = uuid.uuid4().hex
    assert imported(api, f'external_id,secret\n{name},"{hashed}"\n') == [counts(created=1)]
    (client_id,) = api.listed(external_id=name)
    return client_id


@BOTH
def test_a_created_client_gets_in_by_its_id_and_the_hash_becomes_ours(api: Api, stub: Any, secret: str) -> None:
    hashed = HASHER.hash(secret)
    client_id = brought(api, hashed)
    assert kept(api, client_id) == hashed
    assert ask(stub, of_domain(api.domain, secret)) is None
    assert ask(stub, basic(client_id, secret + "x")) is None
    assert ask(stub, basic(client_id, str(uuid.uuid4()))) is None
    assert ask(stub, basic(client_id, hashed)) is None
    assert ask(stub, basic(client_id, secret)) == client_id
    wait_until(lambda: kept(api, client_id) != hashed, "the hash becomes ours")
    assert kept(api, client_id).startswith("$hmac-sha256$" if secret == RANDOM else "$argon2id$v=19$m=19456,t=2,p=1,keyid=")
    assert ask(stub, basic(client_id, secret)) == client_id
    assert ask(stub, of_domain(api.domain, secret) + "\n") == client_id


@BOTH
def test_an_existing_client_is_revoked_by_the_import(api: Api, stub: Any, secret: str) -> None:
    client = api.create(external_id="SN-1")
    old = client["credentials"]["secret"]
    assert ask(stub, basic(client["id"], old)) == client["id"]
    assert imported(api, f'external_id,secret\nSN-1,"{HASHER.hash(secret)}"\n') == [counts(updated=1)]
    assert ask(stub, basic(client["id"], old)) is None
    assert ask(stub, of_domain(api.domain, old)) is None
    assert ask(stub, basic(client["id"], secret)) == client["id"]
    api.request("POST", f"/clients/{client['id']}/disable")
    assert ask(stub, basic(client["id"], secret)) is None
    api.request("POST", f"/clients/{client['id']}/enable")
    assert ask(stub, basic(client["id"], secret)) == client["id"]


@BOTH
def test_it_is_exported_as_it_came_and_imported_unchanged(api: Api, secret: str) -> None:
    hashed = HASHER.hash(secret)
    client_id = brought(api, hashed)
    for form, kind in (("csv", "text/csv"), ("jsonl", "application/jsonl")):
        content = exported(api, form)
        assert hashed in content
        assert imported(api, content, {"content-type": kind}) == [counts(unchanged=1)]
        assert exported(api, form) == content
    assert kept(api, client_id) == hashed


@BOTH
def test_it_retires_like_any_other(api: Api, stub: Any, secret: str) -> None:
    hashed = HASHER.hash(secret)
    client_id = brought(api, hashed)
    path = f"/clients/{client_id}/secret"
    new = api.request("PATCH", path, json={"generate": True, "grace": 60}).json()["credentials"]["secret"]
    assert [ask(stub, basic(client_id, one)) for one in (secret, new)] == [client_id] * 2
    assert ask(stub, of_domain(api.domain, secret)) is None
    assert ask(stub, of_domain(api.domain, new)) == client_id
    api.request("PATCH", path, json={"generate": True})
    assert [ask(stub, basic(client_id, one)) for one in (secret, new)] == [None] * 2


@BOTH
def test_nobody_judges_whether_it_is_in_use_and_both_work(api: Api, stub: Any, secret: str) -> None:
    ours = api.create(credentials={"secret": secret})["id"]
    hashed = HASHER.hash(secret)
    first, second = (json.dumps({"external_id": name, "credentials": {"secret": hashed}}) for name in "ab")
    assert imported(api, f"{first}\n{second}\n", JSONL) == [counts(created=2)]
    found = [*api.listed(external_id="a"), *api.listed(external_id="b")]
    for end in ("", "\n", "\r\n"):
        assert [ask(stub, basic(client_id, secret) + end) for client_id in found] == found
    assert ask(stub, of_domain(api.domain, secret)) == ours
    assert [kept(api, client_id) for client_id in found] == [hashed] * 2


def test_its_parameters_are_no_third_set(api: Api, other: Api, stub: Any) -> None:
    hashed = [PasswordHasher(time_cost=passes, memory_cost=8, parallelism=1).hash(CHOSEN + str(passes)) for passes in (1, 3, 4)]
    found = [brought(api, one) for one in hashed]
    chosen = api.create(credentials={"secret": "of ours"})["id"]
    assert imported(api, exported(api), JSONL) == [counts(unchanged=4)]
    assert [
        ask(stub, basic(client_id, CHOSEN + str(passes))) for client_id, passes in zip(found, (1, 3, 4), strict=True)
    ] == found
    assert ask(stub, of_domain(api.domain, "of ours")) == chosen
    assert brought(other, hashed[0]) != found[0], "another domain takes the same"


def test_what_is_not_taken_and_why(api: Api) -> None:
    good = HASHER.hash(CHOSEN)
    bad = [
        (PasswordHasher().hash(CHOSEN), "4 lanes"),
        (good.replace("m=19456", "m=19457"), "19457 KiB of memory"),
        (good.replace("t=2", "t=5"), "5 passes"),
        (good.replace("v=19", "v=16"), "another version"),
        (PasswordHasher(2, 19456, 1, hash_len=16).hash(CHOSEN), "hash of 16 bytes"),
        (good.replace("argon2id", "argon2i"), "no argon2id hash"),
        ("$2b$12$abcdefghijklmnopqrstuv", "no argon2id hash"),
        (good + "=", "not of the form"),
    ]
    lines = [json.dumps({"external_id": f"SN-{number}", "credentials": {"secret": one}}) for number, (one, _) in enumerate(bad)]
    *told, summary = imported(api, "\n".join(lines) + "\n", JSONL)
    assert summary == counts(failed=len(bad))
    for one, (_, reason) in zip(told, bad, strict=True):
        assert (one["column"], one["value"]) == ("secret", "")
        assert reason in one["reason"]
    assert api.listed(status="all") == []
