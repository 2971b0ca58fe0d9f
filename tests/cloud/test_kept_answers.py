"""What Auth said is kept for seconds, but by no process beyond a change of roles that another made.

See edgeclients/README.md#trip-role-change.
"""

from pathlib import Path

from tests.support.api import Api
from tests.support.cloud.plant import Plant, planted
from tests.support.on_postgres import Cloud
from tests.support.redis import RedisServer
from tests.support.service import Service, started
from tests.support.streams import metric
from tests.support.waiting import wait_until

ROUNDS = 6
HEARD = "clients_redis_hints_heard_total"


def test_a_change_of_roles_is_felt_by_the_others(cloud: Cloud, tmp_path: Path) -> None:
    with RedisServer() as redis:
        env = {**cloud.storage, "MG_CLIENTS_CACHE_URL": redis.address}
        with planted(tmp_path / "one", (), env) as plant:
            auth = {"MG_AUTH_GRPC_URL": plant.cloud.address, "MG_AUTH_GRPC_TIMEOUT": "20s"}
            with started(tmp_path / "other", {**env, **auth}) as other:
                member = plant.member(["client_read"])
                client = plant.root.create()["id"]
                with Api(other, plant.domain, member.session.headers["authorization"].removeprefix("Bearer ")) as there:
                    found = [_asked_anew(plant, there, other, client) for _ in range(ROUNDS)]
    # An answer that merely got too old would be asked for again, too: but not each time.
    assert all(found), found


def _asked_anew(plant: Plant, there: Api, other: Service, client: str) -> bool:
    """Whether the other process asks Auth once more, after roles were changed here."""

    def asks() -> bool:
        before = len(plant.cloud.asked("Authorize"))
        assert there.request("GET", f"/clients/{client}").is_success
        return len(plant.cloud.asked("Authorize")) > before

    wait_until(lambda: not asks(), "answers to be kept")
    heard = metric(other, HEARD)
    role = plant.root.give_role(client, "another", ["read"])
    wait_until(lambda: metric(other, HEARD) > heard, "a hint")
    anew = asks()
    assert plant.root.request("DELETE", f"/clients/{client}/roles/{role['id']}").is_success
    return anew
