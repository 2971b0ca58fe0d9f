"""Who gets in: tokens of every kind (schema/README.md#tokens), verified by Auth or here."""

import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import asking
from tests.support.api import Api, error_of
from tests.support.cloud.keys import Key, KeyServer
from tests.support.cloud.plant import Plant, planted
from tests.support.cloud.world import ACCESS, API_KEY, INVITATION, PAT, RECOVERY, REFRESH, SUPER_ADMIN, USER, Scope
from tests.support.waiting import wait_until

UNAUTHENTICATED, NOT_VERIFIED = (401, "unauthenticated"), (401, "email_not_verified")
OTHERS = {"refresh": REFRESH, "recovery": RECOVERY, "api": API_KEY, "invitation": INVITATION, "of no type": 6}


def answer(caller: Api) -> tuple[int, str]:
    """What a list is answered with."""
    response = caller.request("GET", "/clients")
    return (response.status_code, "") if response.is_success else error_of(response)


def test_an_access_token_gets_in_and_nothing_else_does(plant: Plant) -> None:
    user = plant.world.member(plant.domain)
    assert answer(plant.caller(plant.world.token(user, type=ACCESS))) == (200, "")
    for name, kind in OTHERS.items():
        assert answer(plant.caller(plant.world.token(user, type=kind))) == UNAUTHENTICATED, name
    for nonsense in ("x", "pat_x", "x" * 100_000, "é", "\udcff"):
        header = (b"authorization", b"Bearer " + nonsense.encode("utf-8", "surrogateescape"))
        response = asking.get(f"{plant.service.http}/{plant.domain}/clients", headers=[header])
        assert error_of(response) == UNAUTHENTICATED, nonsense


@pytest.mark.parametrize("role", [0, 3])
def test_a_role_that_is_none(plant: Plant, role: int) -> None:
    assert answer(plant.caller(plant.world.token(plant.world.member(plant.domain), role=role))) == UNAUTHENTICATED


def test_nobodys_token(plant: Plant) -> None:
    assert answer(plant.caller(plant.world.token(""))) == UNAUTHENTICATED
    assert answer(plant.caller(plant.world.token(plant.world.member(plant.domain), type=PAT))) == UNAUTHENTICATED  # without id


def test_users_whose_address_is_not_verified(plant: Plant, tmp_path: Path) -> None:
    """Only with the setting; super admins and personal access tokens always."""
    user, root = plant.world.member(plant.domain), plant.world.super_admin()
    listing = Scope(plant.domain, "list_clients")
    tokens = {
        plant.world.token(user, verified=False): NOT_VERIFIED,
        plant.world.token(user, verified=False, role=SUPER_ADMIN): NOT_VERIFIED,
        plant.world.token(root, verified=False, role=SUPER_ADMIN): (200, ""),
        plant.world.pat(user, listing): (200, ""),
    }
    assert {token: answer(plant.caller(token)) for token in tokens} == tokens
    with planted(tmp_path / "data", env={"MG_ALLOW_UNVERIFIED_USER": "true"}) as lenient:
        ours = lenient.world.member(lenient.domain)
        assert answer(lenient.caller(lenient.world.token(ours, verified=False))) == (200, "")


def test_a_token_that_was_revoked_is_none_at_the_next_request(plant: Plant) -> None:
    token = plant.world.token(plant.world.member(plant.domain))
    caller = plant.caller(token)
    assert answer(caller) == (200, "")
    del plant.world.tokens[token]
    assert answer(caller) == UNAUTHENTICATED


@pytest.fixture(scope="module")
def keys() -> Iterator[KeyServer]:
    with KeyServer(Key()) as server:
        yield server


@pytest.fixture(scope="module")
def verifying(keys: KeyServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    """A service that verifies access tokens itself."""
    data = tmp_path_factory.mktemp("verifying") / "data"
    with planted(data, env={"MG_AUTH_JWKS_URL": keys.url}) as plant:
        yield plant


def test_verified_here(verifying: Plant, keys: KeyServer) -> None:
    """Auth is asked what somebody may, and not who they are; nobody gets in whom it would not let in."""
    user, root, (key, *_) = verifying.world.member(verifying.domain), verifying.world.super_admin(), keys.keys
    now = int(time.time())
    expected = {
        key.sign(user): (200, ""),
        key.sign(user, role=SUPER_ADMIN): (200, ""),  # a member like others
        key.sign(root, role=SUPER_ADMIN): (200, ""),
        key.sign(root, role=USER): (403, "domain_forbidden"),
        key.sign(user, verified=False): NOT_VERIFIED,
        key.sign(user, exp=now - 1): UNAUTHENTICATED,
        key.sign(user, iss="somebody"): UNAUTHENTICATED,
        key.sign(user, role=7): UNAUTHENTICATED,
        key.sign(""): UNAUTHENTICATED,
        Key(key.kid).sign(user): UNAUTHENTICATED,
        Key().sign(user): UNAUTHENTICATED,
        verifying.world.token(user): UNAUTHENTICATED,
        **{key.sign(user, type=kind): UNAUTHENTICATED for kind in (*OTHERS.values(), PAT)},
    }
    assert {token: answer(verifying.caller(token)) for token in expected} == expected
    assert verifying.cloud.asked("Authenticate") == []
    pat = verifying.world.pat(user, Scope(verifying.domain, "list_clients"))
    assert answer(verifying.caller(pat)) == (200, "")
    assert [request.token for request in verifying.cloud.asked("Authenticate")] == [pat]


def test_a_new_key_is_found(verifying: Plant, keys: KeyServer) -> None:
    """After the seconds that lie between two fetches at most."""
    new = Key()
    keys.keys.append(new)
    caller = verifying.caller(new.sign(verifying.world.member(verifying.domain)))

    def let_in() -> bool:
        told = answer(caller)
        assert told in {(200, ""), UNAUTHENTICATED}
        return told == (200, "")

    wait_until(let_in, "the new key to be known")


def test_keys_that_cannot_be_had(tmp_path: Path) -> None:
    with KeyServer(Key()) as server:
        server.status = 500
        with planted(tmp_path / "data", env={"MG_AUTH_JWKS_URL": server.url}) as plant:
            response = plant.caller(server.keys[0].sign(str(uuid.uuid4()))).request("GET", "/clients")
            assert error_of(response) == (503, "unavailable")
            assert int(response.headers["retry-after"]) >= 1
