"""A gateway and a cloud with the same pepper hand clients to each other as files, hashes included, and nothing is lost."""

import csv
import io
import json
import uuid
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from argon2 import PasswordHasher
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.support.api import Api
from tests.support.on_postgres import cloud_on, secret_works
from tests.support.postgres import Server
from tests.support.service import Service, started
from tests.support.strategies import GROUPS, OBJECTS, TAGS

CHEAP = {"MG_CLIENTS_ARGON2_MEMORY_KIB": "8", "MG_CLIENTS_ARGON2_PASSES": "1"}
TYPES = {"csv": "text/csv", "jsonl": "application/jsonl"}
CHANNELS = ("d8e9c2f0-5a4b-4e0e-9c39-0d5e6f1a2b3c", "d8e9c2f0-5a4b-4e0e-9c39-0d5e6f1a2b3d")
TEXTS = st.sampled_from(["", "a", "=1+1", "'x", '"', ",", "\r\n", "-7", "007", "@", "\t", " ", "é", "\U0001f525", "null", "{}"])
GENERATED, CHOSEN, RANDOM, BROUGHT = "generated", "chosen", "random", "brought"

# A client, and how its secret came to be.
CLIENTS = st.fixed_dictionaries(
    {
        "name": TEXTS,
        "identity": TEXTS,
        "external_id": TEXTS,
        "tags": TAGS,
        "metadata": OBJECTS,
        "private_metadata": OBJECTS,
        "status": st.sampled_from(["enabled", "enabled", "disabled"]),
        "parent_group_id": st.sampled_from(["", *GROUPS]),
        "secret": st.sampled_from([GENERATED, CHOSEN, RANDOM, BROUGHT]),
        "channels": st.lists(
            st.tuples(st.sampled_from(CHANNELS), st.sampled_from(["publish", "subscribe"])), max_size=3, unique=True
        ),
    }
)
ODD_NUMBERS = {"a": [1.0, -0.0, 1e300, 5e-324, 2**70], "b": 1e300, "c": 1.0, "d": -0.0, "e": 2**70, "f": 5e-324, "g": 0.1}
ODD: dict[str, Any] = {
    "name": "=x", "identity": "'", "external_id": "-7", "tags": ("b,c", ""),
    "metadata": ODD_NUMBERS, "private_metadata": ODD_NUMBERS,
    "status": "disabled", "parent_group_id": GROUPS[0], "secret": BROUGHT, "channels": [(CHANNELS[0], "publish")],
}  # fmt: skip


class Pair(NamedTuple):
    """Two services with the same pepper."""

    gateway: Service
    cloud: Service


@pytest.fixture(scope="module")
def pair(postgres: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("exchange")
    with cloud_on(postgres, folder) as database:
        pepper: dict[str, str] = {"MG_CLIENTS_PEPPER_FILE": database.env["MG_CLIENTS_PEPPER_FILE"]}
        with (
            started(folder / "gateway", CHEAP | pepper) as gateway,
            started(folder / "cloud", CHEAP | database.env) as cloud,
        ):
            yield Pair(gateway, cloud)


def exported(api: Api, form: str) -> str:
    response = api.request("GET", "/clients/export", params={"format": form, "with_hashes": True})
    assert response.status_code == 200, response.text
    return response.text


def imported(api: Api, content: str, form: str) -> dict[str, int]:
    """What became of the lines, none of which is bad."""
    response = api.request("POST", "/clients/import", content=content.encode(), headers={"content-type": TYPES[form]})
    assert response.status_code == 200, response.text
    *told, summary = map(json.loads, response.text.splitlines())
    assert [one for one in told if "reason" in one] == []
    return {outcome: count for outcome, count in summary.items() if count}


def rows(content: str, form: str) -> list[dict[str, str]]:
    """The rows of a file, in the order of their ids: each kind of store has an order of its own."""
    if form == "csv":
        return sorted(csv.DictReader(io.StringIO(content, newline="")), key=lambda row: row["id"])
    return sorted(({"id": json.loads(line)["id"], "line": line} for line in content.splitlines()), key=lambda row: row["id"])


def made(api: Api, wanted: list[dict[str, Any]]) -> dict[str, str]:
    """Clients like these, and their secrets by id."""
    known = {}
    for number, fields in enumerate(wanted):
        line = {name: value for name, value in fields.items() if name not in {"secret", "channels", "identity"}}
        line["external_id"] = f"{fields['external_id']}{number}"
        secret = str(uuid.uuid4()) if fields["secret"] == RANDOM else f"chosen by a person {number}"
        stored = {GENERATED: "", CHOSEN: secret, RANDOM: secret, BROUGHT: PasswordHasher(1, 8, 1).hash(secret)}
        line["credentials"] = {"identity": fields["identity"], "secret": stored[fields["secret"]]}
        types: dict[str, list[str]] = {}
        for channel, kind in fields["channels"]:
            types.setdefault(channel, []).append(kind)
        line["channels"] = [{"id": channel, "types": kinds} for channel, kinds in types.items()]
        response = api.request("POST", "/clients/import", json=line, headers={"content-type": TYPES["jsonl"]})
        *told, summary = map(json.loads, response.text.splitlines())
        assert summary == {"created": 1, "updated": 0, "unchanged": 0, "failed": 0}, told
        (client_id,) = api.listed(external_id=line["external_id"], status="all")
        known[client_id] = told[0]["secret"] if told else secret
    return known


@pytest.mark.parametrize("form", TYPES)
@pytest.mark.parametrize("way", ["to the cloud", "to the gateway"])
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(wanted=st.lists(CLIENTS, min_size=1, max_size=4))
@example(wanted=[ODD, ODD | {"secret": CHOSEN, "metadata": {}}, ODD | {"secret": GENERATED}, ODD | {"secret": RANDOM}])
def test_what_goes_over_changes_nothing_on_either_side(pair: Pair, way: str, form: str, wanted: list[dict[str, Any]]) -> None:
    source, target = pair if way == "to the cloud" else reversed(pair)
    with Api(source) as here, Api(target, here.domain) as there:
        known = made(here, wanted)
        sent = exported(here, form)
        assert imported(there, sent, form) == {"created": len(wanted)}
        back = exported(there, form)
        assert rows(back, form) == rows(sent, form)
        for api in (here, there):
            for content in (sent, back):
                assert imported(api, content, form) == {"unchanged": len(wanted)}
        assert exported(here, form) == sent
        assert exported(there, form) == back
        disabled = [*there.listed(status="disabled", limit=100)]
        for client_id, secret in known.items():
            client = {"id": client_id, "credentials": {"secret": secret}}
            assert [secret_works(service, client) for service in pair] == [client_id not in disabled] * 2


def test_a_change_on_one_side_goes_to_the_other_and_back(pair: Pair) -> None:
    """Such as a secret that was replaced: the old one is dead where the file arrives."""
    with Api(pair.gateway) as here, Api(pair.cloud, here.domain) as there:
        client = here.create(name="pump")
        for form in TYPES:
            imported(there, exported(here, form), form)
            assert secret_works(pair.cloud, client)
            rotated = there.request("PATCH", f"/clients/{client['id']}/secret", json={"generate": True}).json()
            assert imported(here, exported(there, form), form) == {"updated": 1}
            assert not secret_works(pair.gateway, client)
            assert secret_works(pair.gateway, rotated)
            client = rotated
