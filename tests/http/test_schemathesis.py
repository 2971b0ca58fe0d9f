"""What the description allows is accepted, what it does not is refused; every answer is described, and never a 500."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import Case, CheckContext, Response
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import AcceptedNegativeData
from schemathesis.core.parameters import ParameterLocation
from schemathesis.openapi.checks import RejectedPositiveData
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    positive_data_acceptance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from edgeclients.files import schema_path
from tests.conftest import serving
from tests.support.api import Api
from tests.support.description import may_refuse, may_take
from tests.support.service import Service

LONG = re.compile(
    rb'"maxItems": 10000,?'
)  # lists that long take a minute to make; that they may be no longer is tested elsewhere

schema = schemathesis.openapi.from_dict(json.loads(LONG.sub(b"", schema_path("openapi.json").read_bytes())))
# Whom a request names is there, so there is no reason for anything else; what is there already is a conflict, and some
# conflicts are rationed.
schema.config.checks.positive_data_acceptance.expected_statuses = ["2xx", "409", "429"]
schema.config.checks.negative_data_rejection.expected_statuses = ["400", "401", "404", "405", "413", "415"]


def accepted(context: CheckContext, response: Response, case: Case[Any]) -> None:
    """The check that what the description allows is accepted, but for rules that JSON Schema has no words for."""
    try:
        positive_data_acceptance(context, response, case)
    except RejectedPositiveData:
        if not may_refuse(case, response.json()["error"]):
            raise


def refused(context: CheckContext, response: Response, case: Case[Any]) -> None:
    """The check that what the description does not allow is refused, but for what is ignored."""
    try:
        negative_data_rejection(context, response, case)
    except AcceptedNegativeData:
        if not may_take(case):
            raise


CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    accepted,
    refused,
]


@pytest.fixture(scope="session")
def service(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One of its own: what these requests use up of what is rationed would be missing elsewhere."""
    with serving(request, tmp_path_factory) as running:
        yield running


@pytest.fixture(scope="module")
def session() -> Iterator[requests.Session]:
    """Connections that are used again and again."""
    with requests.Session() as made:
        yield made


# What a file may hold is nothing that JSON Schema has words for: test_import.py.
@schema.exclude(operation_id="importClients").parametrize()
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_operation_answers_as_described(case: Case[Any], service: Service, api: Api, session: requests.Session) -> None:
    assert case.meta
    if case.meta.generation.mode.is_positive:
        bring_about(case, api)
    headers = {} if case.meta.is_negative_at(ParameterLocation.HEADER) else service.headers
    case.call_and_validate(base_url=service.http, session=session, headers=headers, checks=CHECKS)


def bring_about(case: Case[Any], api: Api) -> None:
    """Make what a request names."""
    path = case.path_parameters
    if "domain_id" in path:
        path["domain_id"] = api.domain
    if "client_id" in path:
        path["client_id"] = api.create()["id"]
    if "role_id" in path:
        path["role_id"] = api.give_role(path["client_id"], "technician")["id"]
    if case.query and case.query.get("client"):
        case.query["client"] = api.create()["id"]
    if isinstance(case.body, dict) and "client_ids" in case.body:
        case.body["client_ids"] = [api.create()["id"]]
