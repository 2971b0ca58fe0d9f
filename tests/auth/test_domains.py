"""The state of a domain decides who may be in it at all (schema/README.md#domain-states)."""

import pytest

from tests.support.api import Api, error_of
from tests.support.cloud.plant import Plant
from tests.support.cloud.world import DELETED, DISABLED, DOMAIN_ACTIONS, ENABLED, FROZEN
from tests.support.operations import ELSEWHERE

READS = ["client_read"]


def answer(caller: Api) -> tuple[int, str]:
    response = caller.request("GET", "/clients")
    return (response.status_code, "") if response.is_success else error_of(response)


@pytest.mark.parametrize(
    ("status", "member", "admin", "super_admin"),
    [
        (ENABLED, (200, ""), (200, ""), (200, "")),
        (DISABLED, ELSEWHERE, (200, ""), (200, "")),
        (FROZEN, ELSEWHERE, ELSEWHERE, (200, "")),
        (DELETED, *[(400, "invalid_status")] * 3),
        (99, *[(400, "invalid_status")] * 3),
    ],
)
def test_who_may_be_in_a_domain(
    whole: Plant, status: int, member: tuple[int, str], admin: tuple[int, str], super_admin: tuple[int, str]
) -> None:
    root = whole.elsewhere()
    whole.world.domains[root.domain].status = status
    assert answer(whole.member(READS, root.domain)) == member
    assert answer(whole.member([*DOMAIN_ACTIONS, *READS], root.domain)) == admin
    assert answer(root) == super_admin
    assert answer(whole.stranger().within(root.domain)) == ((400, "invalid_status") if status > FROZEN else ELSEWHERE)


@pytest.mark.parametrize("missing", sorted(DOMAIN_ACTIONS))
def test_almost_an_admin_is_none_of_a_disabled_domain(whole: Plant, missing: str) -> None:
    root = whole.elsewhere()
    whole.world.domains[root.domain].status = DISABLED
    assert answer(whole.member([*(DOMAIN_ACTIONS - {missing}), *READS], root.domain)) == ELSEWHERE


def test_a_domain_that_is_none(whole: Plant) -> None:
    assert answer(whole.root.within("nowhere")) == (404, "not_found")
    assert answer(whole.member().within("nowhere")) == (404, "not_found")


def test_without_a_domains_service_every_domain_is_enabled(plant: Plant) -> None:
    root = plant.elsewhere()
    plant.world.domains[root.domain].status = FROZEN
    assert answer(plant.member(domain=root.domain)) == (200, "")
    assert answer(plant.root.within("nowhere")) == ELSEWHERE
    assert plant.cloud.asked("RetrieveStatus") == []
