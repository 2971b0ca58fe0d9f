"""The description of the API, and what others make of it: the page, generated clients."""

import importlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx
import openapi_spec_validator
import pytest

from edgeclients.files import schema_path
from edgeclients.model import ALL_ACTIONS, action_names
from tests.support import asking
from tests.support.api import Api
from tests.support.callee import Asked, Reply, asked_by_http
from tests.support.service import Service

DOCUMENT: dict[str, Any] = json.loads(schema_path("openapi.json").read_bytes())
SCHEMAS: dict[str, Any] = DOCUMENT["components"]["schemas"]
OPERATIONS: list[dict[str, Any]] = [operation for path in DOCUMENT["paths"].values() for operation in path.values()]
PREFIX = "/edge/api"


def every_schema(part: Any = DOCUMENT) -> Iterator[dict[str, Any]]:
    if isinstance(part, dict):
        yield part
        for key, value in part.items():
            if key not in {"example", "examples"}:
                yield from every_schema(value)
    if isinstance(part, list):
        for value in part:
            yield from every_schema(value)


@pytest.mark.source_only("it looks into a file of the sources")
def test_it_is_valid() -> None:
    openapi_spec_validator.validate(DOCUMENT)


@pytest.mark.source_only("it looks into a file of the sources")
def test_it_says_whose_it_is_and_where() -> None:
    assert DOCUMENT["info"]["license"] == {"name": "Apache-2.0", "identifier": "Apache-2.0"}
    assert [server["url"] for server in DOCUMENT["servers"]] == ["."]


@pytest.mark.source_only("it looks into a file of the sources")
def test_every_operation_is_explained() -> None:
    told = {tag["name"] for tag in DOCUMENT["tags"] if tag["description"]}
    for operation in OPERATIONS:
        assert operation["summary"]
        assert operation["description"] not in {"", operation["summary"]}
        assert set(operation["tags"]) <= told


@pytest.mark.source_only("it looks into a file of the sources")
def test_it_says_which_operations_need_a_token() -> None:
    open_to_all = {operation["operationId"] for operation in OPERATIONS if operation["security"] == []}
    assert open_to_all == {"health", "ready", "metrics"}
    assert all(operation["security"] == [{"operator": []}] for operation in OPERATIONS if operation["security"])


@pytest.mark.source_only("it looks into a file of the sources")
def test_no_schema_misleads_generators() -> None:
    for schema in every_schema():
        assert schema.get("default", "") is not None
        for several in ("oneOf", "anyOf", "allOf"):
            assert len(schema.get(several, "  ")) > 1
        if schema.get("type") == "object":
            assert "properties" in schema or schema["additionalProperties"] not in (None, False)
        assert not [key for key in schema if key.startswith("x-")]


@pytest.mark.source_only("it looks into a file of the sources")
@pytest.mark.parametrize(
    ("name", "required"),
    [
        ("Connect", ["channel_ids", "client_ids", "types"]),
        ("ConnectChannel", ["client_ids", "types"]),
        ("SetParent", ["parent_group_id"]),
        ("ChosenSecret", ["secret"]),
        ("GeneratedSecret", ["generate"]),
        ("CreateRole", ["role_name"]),
        ("RenameRole", ["name"]),
        ("ActionList", ["actions"]),
        ("MemberList", ["members"]),
    ],
)
def test_it_says_what_must_be_there(name: str, required: list[str]) -> None:
    assert SCHEMAS[name]["required"] == required
    for field in required:
        schema = SCHEMAS[name]["properties"][field]
        assert schema["type"] != "null"
        assert schema["type"] != "array" or schema["minItems"] == 1


@pytest.mark.source_only("it looks into a file of the sources")
def test_it_says_which_words_there_are() -> None:
    assert SCHEMAS["CreateClient"]["properties"]["status"]["enum"] == ["", "enabled", "disabled"]
    assert SCHEMAS["ClientBody"]["properties"]["status"]["enum"] == ["enabled", "disabled", "deleted"]
    assert SCHEMAS["ClientBody"]["properties"]["connection_types"]["items"]["enum"] == ["Publish", "Subscribe"]
    assert SCHEMAS["ConnectionType"]["enum"] == ["publish", "subscribe"]
    for name in ("Connect", "ConnectChannel"):
        assert SCHEMAS[name]["properties"]["types"]["items"] == {"$ref": "#/components/schemas/ConnectionType"}
    assert SCHEMAS["Action"]["enum"] == list(action_names(ALL_ACTIONS))
    for name in ("ActionList", "ActionsBody"):
        assert SCHEMAS[name]["properties"]["actions"]["items"] == {"$ref": "#/components/schemas/Action"}


def test_a_client_as_it_was_answered_may_be_sent(api: Api) -> None:
    """With what only the service says, and with what it does not know: the description says so."""
    for name in ("CreateClient", "CredentialsIn", "UpdateClient", "UpdateTags"):
        assert SCHEMAS[name]["additionalProperties"] is True
    for name in ("CreateClient", "UpdateClient", "UpdateTags"):
        assert SCHEMAS[name]["properties"]["created_at"]["readOnly"]
    assert {name for name, field in SCHEMAS["ClientBody"]["properties"].items() if field.get("readOnly")} >= {
        "domain_id",
        "created_at",
        "updated_at",
        "updated_by",
        "last_seen_at",
    }
    client = api.create(name="boiler", tags=["a"], metadata={"k": "v"}, credentials={"identity": "i"})
    api.request("PATCH", f"/clients/{client['id']}", json={"name": "kettle"})
    whole = api.request("GET", f"/clients/{client['id']}").json()
    for path in ("", "/tags"):
        answer = api.request("PATCH", f"/clients/{client['id']}{path}", json=whole | {"unknown": {"a": [None]}})
        assert answer.status_code == 200
        assert answer.json() | {"updated_at": ""} == whole | {"updated_at": ""}
    api.request("DELETE", f"/clients/{client['id']}")
    again = api.create(**whole)
    assert (again["id"], again["name"], again["metadata"]) == (client["id"], "kettle", {"k": "v"})


def test_a_grace_is_whole_in_whatever_way_it_is_written(api: Api) -> None:
    path = f"/clients/{api.create()['id']}/secret"
    for text, status in ((b"60.0", 200), (b"6e1", 200), (b"0.5", 400), (b"1e300", 400), (b"-1.0", 400)):
        answer = api.request("PATCH", path, content=b'{"generate":true,"grace":' + text + b"}")
        assert answer.status_code == status, text


@pytest.mark.parametrize("field", ["client_ids", "channel_ids", "types"])
def test_what_is_named_again_and_again_is_too_much_as_well(api: Api, field: str) -> None:
    client_id = api.create()["id"]
    body = {"client_ids": [client_id], "channel_ids": [client_id], "types": ["publish"]}
    answer = api.request("POST", "/channels/connect", json=body | {field: body[field] * 10_001})
    assert (answer.status_code, answer.json()["error"]) == (413, "too_many_elements")
    assert api.request("POST", "/channels/connect", json=body | {field: body[field] * 10_000}).status_code == 201


def test_one_call_names_10000_members_at_most(api: Api) -> None:
    client_id = api.create()["id"]
    role_id = api.give_role(client_id, "technician")["id"]
    for path, field in (
        ("", "optional_members"),
        (f"/{role_id}/members", "members"),
        (f"/{role_id}/members/delete", "members"),
    ):
        body = {"role_name": "x", field: [f"m{number}" for number in range(10_001)]}
        answer = api.request("POST", f"/clients/{client_id}/roles{path}", json=body)
        assert (answer.status_code, answer.json()["error"]) == (413, "too_many_elements")


@pytest.fixture
def behind_a_proxy(service: Service) -> Iterator[str]:
    """Where the service is seen by a reverse proxy that takes a prefix from every path."""

    def forward(asked: Asked) -> Reply:
        if not asked.path.startswith(f"{PREFIX}/"):
            return Reply(404, b"of somebody else")
        headers = {name: value for name, value in asked.headers.items() if name.lower() in {"authorization", "content-type"}}
        address = service.http + asked.path.removeprefix(PREFIX)
        answer = onward.request(asked.method, address, params=asked.query, headers=headers, content=asked.body)
        return Reply(answer.status_code, answer.content, {"content-type": answer.headers["content-type"]})

    with asking.client() as onward, asked_by_http() as proxy:
        proxy.reply = forward
        yield f"http://localhost:{proxy.port}{PREFIX}"


@pytest.fixture
def browser() -> Iterator[httpx.Client]:
    """Somebody without a token."""
    with asking.client() as client:
        yield client


@pytest.fixture(params=["directly", "behind a proxy"])
def root(request: pytest.FixtureRequest, service: Service) -> str:
    """Where callers see the service."""
    return service.http if request.param == "directly" else str(request.getfixturevalue("behind_a_proxy"))


@pytest.mark.parametrize("page", ["/docs", "/docs/"])
def test_the_page_finds_what_it_shows_and_where_to_try_it(browser: httpx.Client, root: str, page: str, api: Api) -> None:
    """As a browser resolves it; `start.js` takes the description from beside the folder that it lies in."""
    shown = browser.get(root + page)
    assert shown.status_code == 200
    assert shown.headers["content-type"].startswith("text/html")
    links = [urljoin(root + page, link) for link in re.findall(r'(?:src|href)="(?!data:)([^"]+)"', shown.text)]
    assert len(links) == 3
    answers = {link: browser.get(link) for link in links}
    assert {answer.status_code for answer in answers.values()} == {200}
    (start,) = (link for link in links if link.endswith("/start.js"))
    (beside,) = re.findall(r'new URL\("([^"]+)", document\.currentScript\.src\)', answers[start].text)
    description = urljoin(start, beside)
    assert description == f"{root}/openapi.json"
    served = browser.get(description).json()
    assert served == DOCUMENT
    (server,) = served["servers"]
    base = urljoin(description, server["url"])
    assert base == f"{root}/"
    tried = browser.post(f"{base}{api.domain}/clients", headers=api.service.headers, json={"name": "tried"})
    assert tried.status_code == 201
    assert api.listed(name="tried") == [tried.json()["id"]]


FILES = ("text/csv", "application/jsonl")


@pytest.fixture(scope="session")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The name of a package that openapi-python-client has made of the description."""
    folder = tmp_path_factory.mktemp("generated")
    name = "client_of_edgeclients"
    config = folder / "config.json"
    # It would be formatted otherwise; and a file is sent as it is.
    config.write_text(
        json.dumps({"post_hooks": [], "content_type_overrides": dict.fromkeys(FILES, "application/octet-stream")})
    )
    generator = Path(sys.executable).parent / "openapi-python-client"
    command = [str(generator), "generate", "--meta", "none", "--fail-on-warning"]
    command += ["--path", str(schema_path("openapi.json")), "--output-path", str(folder / name), "--config", str(config)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    sys.path.insert(0, str(folder))
    yield name
    sys.path.remove(str(folder))


def test_a_generated_client_makes_and_lists_clients_and_roles(generated: str, api: Api) -> None:
    def module(path: str) -> Any:
        return importlib.import_module(f"{generated}.{path}")

    models = module("models")
    caller = module("client").AuthenticatedClient(base_url=api.service.http, token=api.service.token)
    with caller:
        wanted = models.CreateClient(
            name="boiler",
            tags=["floor-1"],
            metadata=models.Metadata.from_dict({"location": {"room": "b1"}}),
            status=models.CreateClientStatus.ENABLED,
        )
        made = module("api.clients.create_client").sync(api.domain, client=caller, body=wanted)
        assert made.credentials.secret
        assert made.metadata.additional_properties == {"location": {"room": "b1"}}

        listed = module("api.clients.list_clients").sync(api.domain, client=caller, metadata='{"location": {}}', limit=5)
        assert [(one.id, one.name, one.status) for one in listed.clients] == [(made.id, "boiler", "enabled")]

        # All that was answered, sent as it is.
        whole = models.UpdateClient.from_dict(made.to_dict() | {"name": "kettle"})
        changed = module("api.clients.update_client").sync(api.domain, made.id, client=caller, body=whole)
        assert (changed.name, changed.updated_by) == ("kettle", api.service.operator_id)

        new_secret = models.GeneratedSecret(generate=True, grace=60)
        rotated = module("api.clients.update_client_secret").sync(api.domain, made.id, client=caller, body=new_secret)
        assert rotated.credentials.secret

        role = models.CreateRole(
            role_name="technician", optional_actions=[models.Action.READ, models.Action.UPDATE], optional_members=["bob"]
        )
        given = module("api.roles.create_client_role").sync(api.domain, made.id, client=caller, body=role)
        assert (given.name, given.optional_members) == ("technician", ["bob"])
        roles = module("api.roles.list_client_roles").sync(api.domain, made.id, client=caller)
        assert [one.name for one in roles.roles] == ["admin", "technician"]
        twice = module("api.roles.create_client_role").sync(api.domain, made.id, client=caller, body=role)
        assert twice.error == "member_of_other_role"
