"""POST /clients/import and GET /clients/export (schema/README.md#import)."""

import csv
import io
import json
import threading
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.api import Api, error_of
from tests.support.on_postgres import secret_works
from tests.support.raw import Raw
from tests.support.waiting import wait_until

CSV, JSONL = {"content-type": "text/csv"}, {"content-type": "application/jsonl; charset=utf-8"}
CHANNEL = "d8e9c2f0-5a4b-4e0e-9c39-0d5e6f1a2b3c"
GROUP = "6e0b5c1d-4f5a-4a53-8a0e-0c1b2d3e4f50"


def imported(
    api: Api, content: str | bytes, headers: dict[str, str] = CSV, **query: Any
) -> tuple[list[dict[str, Any]], dict[str, int]]:
    """What an import tells: of lines, and in sum."""
    response = api.request("POST", "/clients/import", content=content, headers=headers, params=query)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/jsonl"
    *told, summary = map(json.loads, response.text.splitlines())
    return told, summary


def exported(api: Api, **query: Any) -> str:
    response = api.request("GET", "/clients/export", params=query)
    assert response.status_code == 200, response.text
    return response.text


def counts(created: int = 0, updated: int = 0, unchanged: int = 0, failed: int = 0) -> dict[str, int]:
    return {"created": created, "updated": updated, "unchanged": unchanged, "failed": failed}


def connect(api: Api, client_id: str, *types: str) -> None:
    body = {"channel_ids": [CHANNEL], "client_ids": [client_id], "types": types}
    assert api.request("POST", "/channels/connect", json=body).is_success


def viewed(api: Api, client_id: str) -> dict[str, Any]:
    found: dict[str, Any] = api.request("GET", f"/clients/{client_id}").json()
    return found


def test_lines_become_clients_with_secrets_that_work(api: Api) -> None:
    content = (
        "external_id;name;tags;metadata.site.room;metadata.n;identity;status;parent_group_id;channels\r\n"
        f'SN-1;boiler;"a,b";b1;7;i@x;;{GROUP};{CHANNEL}:publish\r\n'
        'SN-2;"two\r\nlines";;;;;disabled;;\r\n'
    )
    told, summary = imported(api, content)
    assert summary == counts(created=2)
    assert [(one["line"], one["external_id"]) for one in told] == [(2, "SN-1"), (3, "SN-2")]
    first, second = (viewed(api, one["id"]) for one in told)
    assert first["metadata"] == {"site": {"room": "b1"}, "n": 7}
    assert (first["name"], first["tags"], first["credentials"]) == ("boiler", ["a", "b"], {"identity": "i@x"})
    assert (first["parent_group_id"], first["status"]) == (GROUP, "enabled")
    assert (second["name"], second["status"]) == ("two\r\nlines", "disabled")
    assert api.listed(channel=CHANNEL, connection_type="publish") == [first["id"]]
    assert secret_works(api.service, {"id": first["id"], "credentials": {"secret": told[0]["secret"]}})
    assert imported(api, content) == ([], counts(unchanged=2))


def test_what_a_line_changes_and_what_it_leaves(api: Api) -> None:
    client = api.create(
        external_id="SN-1", name="old", tags=["a"], metadata={"keep": 1, "drop": 2, "deep": {"a": 1}}, private_metadata={"p": 1}
    )
    path = f"/clients/{client['id']}"
    api.request(
        "POST",
        "/channels/connect",
        json={"channel_ids": [CHANNEL], "client_ids": [client["id"]], "types": ["publish", "subscribe"]},
    )
    assert imported(api, "external_id,status\nSN-1,\n")[1] == counts(unchanged=1), "an empty status says nothing"
    _, summary = imported(api, "external_id,name,metadata.drop,metadata.deep.b,metadata.new\nSN-1,,,2,x\n")
    assert summary == counts(updated=1)
    found = viewed(api, client["id"])
    assert "name" not in found
    assert found["metadata"] == {"keep": 1, "deep": {"a": 1, "b": 2}, "new": "x"}
    assert (found["tags"], found["private_metadata"]) == (["a"], {"p": 1})
    for header, cell, change in (
        ("tags", "b", {"tags": ["b"]}),
        ("status", "disabled", {"status": "disabled"}),
        ("identity", "i", {"credentials": {"identity": "i"}}),
        ("parent_group_id", GROUP, {"parent_group_id": GROUP}),
        ("name", "while disabled", {"name": "while disabled"}),
    ):
        assert imported(api, f"external_id,{header}\nSN-1,{cell}\n")[1] == counts(updated=1)
        assert imported(api, f"external_id,{header}\nSN-1,{cell}\n")[1] == counts(unchanged=1)
        assert viewed(api, client["id"]).items() >= change.items()
    assert imported(api, f"id,external_id\n{client['id']},\n")[1] == counts(updated=1)
    assert "external_id" not in api.request("GET", path).json()
    assert imported(api, f"id,channels\n{client['id']},{CHANNEL}:subscribe\n")[1] == counts(updated=1)
    assert api.listed(channel=CHANNEL, connection_type="publish", status="all") == []
    assert api.listed(channel=CHANNEL, status="all") == [client["id"]]
    assert imported(api, f"id,channels\n{client['id']},\n")[1] == counts(updated=1)
    assert api.listed(channel=CHANNEL, status="all") == []


def test_a_secret_is_changed_by_a_line_that_has_one_only(api: Api) -> None:
    client = api.create(external_id="SN-1", name="n")
    old, new = client["credentials"]["secret"], str(uuid.uuid4())
    assert imported(api, "external_id,name,secret\nSN-1,m,\n")[1] == counts(updated=1)
    assert secret_works(api.service, client)
    assert imported(api, f"external_id,secret\nSN-1,{new}\n") == ([], counts(updated=1))
    assert not secret_works(api.service, client), "it is dead when the answer is there"
    assert secret_works(api.service, client | {"credentials": {"secret": new}})
    assert imported(api, f"external_id,secret\nSN-1,{new}\n")[1] == counts(unchanged=1)
    assert imported(api, f"external_id,secret\nSN-1,{old}\n")[1] == counts(updated=1)
    assert imported(api, "external_id,secret\nSN-2,chosen by a person\n") == ([], counts(created=1))
    (made,) = api.listed(external_id="SN-2")
    assert secret_works(api.service, {"id": made, "credentials": {"secret": "chosen by a person"}})


def test_a_disabled_client_is_refused_when_the_answer_is_there(api: Api) -> None:
    client = api.create(external_id="SN-1")
    assert secret_works(api.service, client)
    imported(api, "external_id,status\nSN-1,disabled\n")
    assert not secret_works(api.service, client)
    imported(api, "external_id,status\nSN-1,enabled\n")
    assert secret_works(api.service, client)


BAD_LINES = [
    (",n", "external_id", "says which client"),
    ("SN-0", "external_id", "line 2"),
    ("x" * 256, "external_id", "invalid external id"),
    ("SN-9,,,,weird", "status", "neither"),
    (f"SN-9,{'n' * 1025}", "name", "invalid name"),
    (f"SN-9,,{'t' * 256}", "tags", "invalid tags"),
    ("SN-9,,,nonsense", "id", "invalid id"),
    ("SN-9,,,,,taken by another client", "secret", "not available"),
    ('SN-9,,,,,"$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaA"', "secret", "hash"),
    ("SN-9,,,,,$nonsense", "secret", "hash"),
    *(
        (f'SN-9,,,,,"{blank}{stored}"', "secret", "behind a blank")
        for blank in (" ", "\t", "\u00a0", "\ufeff", "\u200b ")
        for stored in ("$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$aGFzaA", "$2b$10$abc", "$6$salt$x", "$scrypt$ln=4,r=8$x")
    ),
    ("SN-9,,,,,  ", "secret", "white space only"),
    ("SN-9,,,,,,nonsense", "channels", "UUID"),
    ("SN-9,,,,,,,nonsense", "parent_group_id", "invalid id"),
    ("SN-9,,,,,,,,9", "", "cells"),
]


def test_every_bad_line_is_told_and_good_ones_go_in(api: Api) -> None:
    api.create(credentials={"secret": "taken by another client"})
    lines = [line.replace("SN-9", f"SN-9{number}") for number, (line, _, _) in enumerate(BAD_LINES)]
    header = "external_id,name,tags,id,status,secret,channels,parent_group_id"
    lines = [header, "SN-0", *lines, "SN-10"]
    told, summary = imported(api, "\n".join(lines), key="external_id")
    assert summary == counts(created=2, failed=len(BAD_LINES))
    bad = {one["line"]: one for one in told if "reason" in one}
    assert sorted(bad) == list(range(3, 3 + len(BAD_LINES)))
    for number, (line, column, reason) in enumerate(BAD_LINES, 3):
        assert bad[number]["column"] == column, line
        assert reason in bad[number]["reason"], line
        assert column != "secret" or bad[number]["value"] == ""
    assert len(api.listed()) == 3


@pytest.mark.parametrize("secret", [" $ 5 and more", " costs $5$", " $ $ $", "\u200bfive dollars $"])
def test_a_secret_that_is_no_hash_behind_a_blank_is_a_secret(api: Api, secret: str) -> None:
    assert imported(api, f'external_id,secret\nSN-1,"{secret}"\n')[1] == counts(created=1)
    (made,) = api.listed(external_id="SN-1")
    assert secret_works(api.service, {"id": made, "credentials": {"secret": secret}})


def test_a_dry_run_judges_and_changes_nothing(api: Api) -> None:
    client = api.create(external_id="SN-1", name="n")
    before = exported(api, format="jsonl", with_hashes=True)
    told, summary = imported(api, "external_id,name,status\nSN-1,m,\nSN-2,,\nSN-2,,\nSN-3,,weird\n", dry_run=True)
    assert summary == counts(created=1, updated=1, failed=2)
    assert [(one["line"], one["column"]) for one in told] == [(4, "external_id"), (5, "status")]
    assert exported(api, format="jsonl", with_hashes=True) == before
    assert secret_works(api.service, client)


def test_an_atomic_import_is_all_or_nothing(api: Api) -> None:
    client = api.create(external_id="SN-1", name="n")
    rows = "".join(f"SN-{number},m\n" for number in range(1, 1200))
    told, summary = imported(api, f"external_id,name\n{rows},bad\n", atomic=True)
    assert (len(told), summary) == (1, counts(failed=1))
    assert api.listed() == [client["id"]]
    assert viewed(api, client["id"])["name"] == "n"
    told, summary = imported(api, f"external_id,name\n{rows}", atomic=True)
    assert summary == counts(created=1198, updated=1)
    assert len({one["secret"] for one in told}) == 1198
    assert secret_works(api.service, {"id": told[7]["id"], "credentials": {"secret": told[7]["secret"]}})
    assert imported(api, f"external_id,name\n{rows}", atomic=True) == ([], counts(unchanged=1199))


def test_the_key(api: Api) -> None:
    one, two = api.create(name="same"), api.create(name="same")
    three = api.create(name="other", external_id="SN-3")
    queries: list[tuple[str, dict[str, Any]]] = [
        (f"id,name\n{one['id']},a\n", {}),
        ("name,tags\nother,t\n", {"key": "name"}),
        ("external_id,tags\nSN-3,u\n", {}),
        (f"id,external_id,tags\n{three['id']},SN-3,v\n", {}),
        (f"id,external_id,tags\n{three['id']},SN-3,w\n", {"key": "external_id"}),
    ]
    for content, query in queries:
        assert imported(api, content, **query)[1] == counts(updated=1), content
    api.request("PATCH", f"/clients/{one['id']}", json={"name": "same"})
    told, summary = imported(api, "name,tags\nsame,t\n", key="name")
    assert summary == counts(failed=1)
    assert one["id"] in told[0]["reason"]
    assert two["id"] in told[0]["reason"]
    new = str(uuid.uuid4())
    assert imported(api, f"id\n{new}\n")[1] == counts(created=1)
    assert viewed(api, new)["id"] == new


def test_an_id_of_another_domain_is_taken(api: Api, other: Api) -> None:
    there = other.create(name="n")
    told, summary = imported(api, f"id,name\n{there['id']},mine\n")
    assert summary == counts(failed=1)
    assert told[0]["column"] == "id"
    assert viewed(other, there["id"])["name"] == "n"


@pytest.mark.parametrize(
    ("content", "headers", "query", "expected"),
    [
        ("a", {"content-type": "text/plain"}, {}, (415, "unsupported_media_type")),
        ("", CSV, {}, (400, "unusable_file")),
        ("nme\n1\n", CSV, {}, (400, "unusable_file")),
        ("name\n1\n", CSV, {}, (400, "unusable_file")),
        ("external_id\n1\n", CSV, {"key": "id"}, (400, "unusable_file")),
        (b"\x7fELF\0", CSV, {}, (400, "unusable_file")),
        ("external_id\n1\n", CSV, {"key": "identity"}, (400, "invalid_query")),
        ("external_id\n1\n", CSV, {"dry_run": "perhaps"}, (400, "invalid_query")),
        ("external_id,_secret\n1,2\n", CSV, {}, (400, "unusable_file")),
    ],
)
def test_what_is_no_import(api: Api, content: Any, headers: dict[str, str], query: dict[str, str], expected: Any) -> None:
    response = api.request("POST", "/clients/import", content=content, headers=headers, params=query)
    assert error_of(response) == expected


def test_parameters_of_commands_are_not_heeded(api: Api) -> None:
    assert imported(api, "external_id\nSN-1\n", all_new=True, most_secrets=0)[1] == counts(created=1)
    assert imported(api, "external_id\nSN-1\n", all_new=True)[1] == counts(unchanged=1)


def test_json_lines(api: Api) -> None:
    lines = [
        {"external_id": "SN-1", "name": "n", "tags": ["a,b"], "metadata": {"a.b": [1]}, "credentials": {"identity": "i"}},
        {"external_id": "SN-2", "private_metadata": {"p": 1}, "channels": [{"id": CHANNEL, "types": ["publish"]}]},
        {"external_id": "SN-2"},
        {"external_id": "SN-3", "status": 7},
    ]
    told, summary = imported(api, "\n".join(map(json.dumps, lines)), JSONL)
    assert summary == counts(created=2, failed=2)
    assert [(one["line"], one.get("column")) for one in told] == [(1, None), (2, None), (3, "external_id"), (4, "")]
    assert viewed(api, told[0]["id"])["metadata"] == {"a.b": [1]}
    assert viewed(api, told[1]["id"])["private_metadata"] == {"p": 1}
    whole = viewed(api, told[0]["id"])
    assert imported(api, json.dumps(whole), JSONL)[1] == counts(unchanged=1), "what the API shows can be sent back"


def test_what_is_exported_is_imported_without_a_change(api: Api) -> None:
    for number, fields in enumerate(STRANGE):
        client = api.create(external_id=f"SN-{number}", **fields)
    api.request(
        "POST", "/channels/connect", json={"channel_ids": [CHANNEL], "client_ids": [client["id"]], "types": ["publish"]}
    )
    api.request("POST", f"/clients/{client['id']}/disable")
    for form, headers in (("csv", CSV), ("jsonl", JSONL)):
        for hashes in (False, True):
            content = exported(api, format=form, with_hashes=hashes)
            assert imported(api, content, headers) == ([], counts(unchanged=len(STRANGE))), (form, hashes)
    names = [row["name"] for row in csv.DictReader(io.StringIO(exported(api), newline=""))]
    assert not any(name.startswith(("=", "+", "-", "@")) for name in names)


STRANGE: list[dict[str, Any]] = [
    {},
    {"name": "=1+1", "tags": ["-a", "b,c"], "metadata": {"a": {"b": 1}, "e": {}}},
    {"name": "'x", "tags": ["", " "], "metadata": {"a": {"b": "1", "c.d": None}}},
    {"name": '@\r\n"', "metadata": {"": {"": [1, {"x": "y"}]}, "a": "scalar", "n": [1.0, 1e300, 2**70, -0.0, "1e5", "007"]}},
    {
        "name": "ü",
        "metadata": {"f": 1e300, "g": 5e-324, "h": 2**70, "i": "", "j": "null", "k": "=x"},
        "private_metadata": {"p": 1},
    },
    {"credentials": {"identity": "-i", "secret": 'chosen, ="'}},
]


def test_a_domain_without_clients(api: Api) -> None:
    assert exported(api, format="jsonl") == ""
    assert exported(api).splitlines() == ["id,name,external_id,identity,tags,parent_group_id,status,channels"]
    assert imported(api, exported(api)) == ([], counts())
    assert imported(api, "", JSONL) == ([], counts())


def test_hashes_go_to_another_domain_that_has_the_same_secrets(api: Api, other: Api) -> None:
    """No: a hash is that of one domain. What goes is told."""
    api.create(external_id="SN-1", credentials={"secret": "chosen"})
    content = exported(api, format="jsonl", with_hashes=True).replace(api.listed()[0], str(uuid.uuid4()))
    told, summary = imported(other, content, JSONL)
    assert summary == counts(failed=1)
    assert told[0]["column"] == "secret"


def test_a_request_that_goes_on_for_long_while_something_arrives(api: Api) -> None:
    """The body arrives in pieces; each is taken before the next one is sent."""
    gate = threading.Event()

    def body() -> Iterator[bytes]:
        yield b"external_id,name\n"
        for number in range(3000):
            yield f"SN-{number},n\n".encode()
        gate.set()

    response = api.request("POST", "/clients/import", content=body(), headers=CSV)
    assert gate.is_set()
    assert json.loads(response.text.splitlines()[-1]) == counts(created=3000)


def test_an_answer_without_a_summary_did_not_finish(api: Api) -> None:
    """A caller that leaves half-way: what arrived is imported or not, line by line, and the same file finishes it."""
    rows = "".join(f"SN-{number}\n" for number in range(2000))
    head = f"POST /{api.domain}/clients/import HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {api.service.token}\r\n"
    with Raw(api.service) as raw:
        raw.send(f"{head}Content-Type: text/csv\r\nContent-Length: 1000000\r\n\r\nexternal_id\n{rows}".encode())
    wait_until(lambda: api.request("POST", "/clients/import", content="id\n", headers=CSV).status_code == 200, "its place")
    told, summary = imported(api, f"external_id\n{rows}")
    assert summary["failed"] == 0
    assert summary["created"] + summary["unchanged"] == 2000
    assert len(told) == summary["created"]


class TestWhoMay:
    def test_nobody_without_a_token(self, api: Api) -> None:
        for method, path in (("POST", "/clients/import"), ("GET", "/clients/export")):
            response = api.request(method, path, headers={"authorization": "Bearer nonsense"}, content=b"external_id\n")
            assert error_of(response)[0] == 401

    def test_other_methods(self, api: Api) -> None:
        for method, path in (("GET", "/clients/import"), ("POST", "/clients/export"), ("DELETE", "/clients/import")):
            assert error_of(api.request(method, path)) == (404, "not_found")
