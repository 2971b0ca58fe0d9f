"""Auth away, slow, back: 503 while nobody can be asked, and nobody gets in; and how long its answers are believed."""

import threading
import uuid
from pathlib import Path

import grpc
import pytest

from tests.support.api import Api, error_of
from tests.support.certificates import Authority
from tests.support.cloud.plant import Plant, planted
from tests.support.cloud.server import Cloud, Fault
from tests.support.cloud.world import World
from tests.support.commands import ready_to_run, refused
from tests.support.waiting import wait_until

AWAY = (503, "unavailable")


def answer(caller: Api, client_id: str) -> tuple[int, str]:
    response = caller.request("GET", f"/clients/{client_id}")
    if response.is_success:
        return response.status_code, ""
    if response.status_code == 503:
        assert int(response.headers["retry-after"]) >= 1
    return error_of(response)


def services(caller: Api) -> dict[str, str]:
    """What the service, which is ready, says of those it asks."""
    response = caller.session.get("/ready")
    assert response.status_code == 200
    told: dict[str, str] = response.json()["services"]
    return told


def wait_for(caller: Api, client_id: str, wanted: tuple[int, str], meanwhile: tuple[int, str]) -> None:
    """Ask until it is answered so; before, it is answered otherwise."""

    def answered() -> bool:
        told = answer(caller, client_id)
        assert told in {wanted, meanwhile}
        return told == wanted

    wait_until(answered, f"{wanted}")


def test_away_and_back(tmp_path: Path) -> None:
    """Whoever is inside stays: clients authenticate without Auth. Everybody else waits for it."""
    with planted(tmp_path / "data", ("domains",), {"MG_AUTH_GRPC_TIMEOUT": "1s", "MG_DOMAINS_GRPC_TIMEOUT": "1s"}) as plant:
        client = plant.root.create()["id"]
        caller = plant.member(["client_read"])
        assert answer(caller, client) == (200, "")
        assert services(caller) == {"auth": "up", "domains": "up"}
        plant.cloud.go_away()
        for _ in range(12):
            assert answer(caller, client) == answer(plant.root, client) == AWAY
        assert caller.session.get("/health").status_code == 200
        assert services(caller) == {"auth": "away", "domains": "up"}, "of domains nobody has been asked meanwhile"
        assert 'clients_service_up{service="auth"} 0.0' in caller.session.get("/metrics").text
        plant.cloud.come_back()
        wait_for(caller, client, (200, ""), AWAY)
        assert services(caller) == {"auth": "up", "domains": "up"}
        assert 'clients_service_up{service="auth"} 1.0' in caller.session.get("/metrics").text
        assert all("time" in line for line in plant.service.lines)  # gRPC writes nothing past the log


@pytest.mark.parametrize("method", ["Authenticate", "Authorize"])
def test_slow(tmp_path: Path, method: str) -> None:
    gate = threading.Event()
    with planted(tmp_path / "data", env={"MG_AUTH_GRPC_TIMEOUT": "300ms"}) as plant:
        client = plant.root.create()["id"]
        caller = plant.member(["client_read"])
        plant.cloud.faults[method] = Fault(gate=gate)
        for _ in range(6):
            assert answer(caller, client) == AWAY
        plant.cloud.faults.clear()
        gate.set()
        wait_for(caller, client, (200, ""), AWAY)


def test_a_service_that_is_left_alone_is_not_asked(tmp_path: Path) -> None:
    """And says for how long."""
    with planted(tmp_path / "data") as plant:
        caller = plant.member(["client_read"])
        client = plant.root.create()["id"]
        plant.cloud.faults["Authenticate"] = Fault(grpc.StatusCode.UNAVAILABLE)
        for _ in range(30):
            assert answer(caller, client) == AWAY
        assert len(plant.cloud.asked("Authenticate")) < 25  # two tries a call until the fifth, and a trial now and then
        plant.cloud.faults.clear()
        wait_for(caller, client, (200, ""), AWAY)


def test_an_answer_that_is_no_answer_lets_nobody_in(plant: Plant) -> None:
    client = plant.root.create()["id"]
    for method in ("Authenticate", "Authorize"):
        for code in (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN):
            caller = plant.member(["client_read"])
            plant.cloud.faults[method] = Fault(code, times=1)
            assert answer(caller, client) == AWAY
            assert answer(caller, client) == (200, "")


def test_a_right_that_auth_took_away_ends_within_seconds(plant: Plant) -> None:
    caller = plant.member(["client_read"])
    client = plant.root.create()["id"]
    asked = [0, 1]
    while asked[-1] != asked[-2]:  # until the answers are those of a moment ago
        assert answer(caller, client) == (200, "")
        asked.append(len(plant.cloud.asked("Authorize")))
    plant.world.domains[plant.domain].members[caller.user].clear()
    wait_for(caller, client, (403, "forbidden"), (200, ""))


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "", {"role_name": "another"}),
        ("PUT", "/ROLE", {"name": "renamed"}),
        ("POST", "/ROLE/actions", {"actions": ["delete"]}),
        ("POST", "/ROLE/actions/delete", {"actions": ["read"]}),
        ("POST", "/ROLE/actions/delete-all", None),
        ("POST", "/ROLE/members", {"members": ["MEMBER"]}),
        ("POST", "/ROLE/members/delete", {"members": ["MEMBER"]}),
        ("POST", "/ROLE/members/delete-all", None),
        ("DELETE", "/ROLE", None),
    ],
    ids=str,
)
def test_no_answer_outlives_a_change_of_roles(plant: Plant, method: str, path: str, body: dict[str, list[str]] | None) -> None:
    caller = plant.member(["client_read"])
    client = plant.root.create()["id"]
    role = plant.root.give_role(client, "some", ["read"])["id"]
    assert answer(caller, client) == (200, "")
    plant.world.domains[plant.domain].members[caller.user].clear()
    if body and "MEMBER" in body.get("members", ()):
        body = {"members": [plant.world.member(plant.domain)]}
    response = plant.root.request(method, f"/clients/{client}/roles{path.replace('ROLE', role)}", json=body)
    assert response.is_success, response.text
    assert answer(caller, client) == (403, "forbidden")


def test_over_mutual_tls(tmp_path: Path) -> None:
    authority, stranger = Authority(), Authority("another")
    ours = authority.sign("edgeclients")
    env = {"MG_AUTH_GRPC_CLIENT_CERT": ours.certificate, "MG_AUTH_GRPC_CLIENT_KEY": ours.key, "MG_AUTH_GRPC_TIMEOUT": "2s"}
    cloud = Cloud(World(), authority.sign("auth"), authority.certificate)
    with planted(tmp_path / "data", env={**env, "MG_AUTH_GRPC_SERVER_CA_CERTS": authority.certificate}, cloud=cloud) as plant:
        assert answer(plant.root, str(uuid.uuid4())) == (404, "not_found")
        logged = "\n".join(str(line) for line in plant.service.lines)
        assert "PRIVATE KEY" not in logged
        assert plant.root.session.headers["authorization"].removeprefix("Bearer ") not in logged
    with planted(tmp_path / "wrong", env={**env, "MG_AUTH_GRPC_SERVER_CA_CERTS": stranger.certificate}, cloud=cloud) as plant:
        assert answer(plant.root, str(uuid.uuid4())) == AWAY


@pytest.mark.parametrize(
    ("env", "named"),
    [
        ({"MG_CLIENTS_AUTH_PLUGIN": "magistrala"}, "MG_AUTH_GRPC_URL"),
        ({"MG_AUTH_GRPC_CLIENT_CERT": "x"}, "MG_AUTH_GRPC_CLIENT_KEY"),
        ({"MG_AUTH_GRPC_SERVER_CA_CERTS": "/no/such/file"}, "MG_AUTH_GRPC_SERVER_CA_CERTS"),
        ({"MG_GROUPS_GRPC_URL": "x:1", "MG_GROUPS_GRPC_SERVER_CA_CERTS": "/no/such/file"}, "MG_GROUPS_GRPC_SERVER_CA_CERTS"),
        ({"MG_AUTH_JWKS_URL": "file:///etc/passwd"}, "MG_AUTH_JWKS_URL"),
        ({"MG_ALLOW_UNVERIFIED_USER": "perhaps"}, "MG_ALLOW_UNVERIFIED_USER"),
        ({"MG_AUTH_GRPC_TIMEOUT": "soon"}, "MG_AUTH_GRPC_TIMEOUT"),
    ],
    ids=str,
)
def test_what_keeps_it_from_starting(tmp_path: Path, env: dict[str, str], named: str) -> None:
    url = {} if "MG_CLIENTS_AUTH_PLUGIN" in env else {"MG_AUTH_GRPC_URL": "127.0.0.1:1", "MG_CLIENTS_MODE": "gateway"}
    with ready_to_run():
        assert named in refused(tmp_path / "data", {**url, **env}).line
