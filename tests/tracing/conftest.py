"""A service that is traced, and whom it asks and tells."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from edgeclients.operations import CALLOUTS
from tests.support.api import Api
from tests.support.callee import Callee, asked_by_http
from tests.support.callers import calling
from tests.support.collector import Collector, collecting
from tests.support.service import Service, started
from tests.support.waiting import wait_until


class Traced(NamedTuple):
    """All that take part."""

    service: Service
    collector: Collector
    callee: Callee

    def line_of(self, trace: str) -> dict[str, Any]:
        """The one log line of a trace."""
        wait_until(lambda: any(line.get("trace_id") == trace for line in self.service.lines), "a log line")
        (line,) = [line for line in self.service.lines if line.get("trace_id") == trace]
        return line


@pytest.fixture(scope="module")
def module_traced(grpc_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Traced]:
    """Everything that begins here is recorded, and callouts are asked about all of it."""
    with collecting() as collector, asked_by_http() as callee:
        env = {
            "MG_JAEGER_URL": collector.url,
            "MG_CLIENTS_LOG_LEVEL": "debug",
            "MG_CLIENTS_INSTANCE_ID": "gateway-7",
            "MG_CLIENTS_CALLOUT_URLS": callee.url,
            "MG_CLIENTS_CALLOUT_OPERATIONS": ",".join(sorted(CALLOUTS)),
        }
        with started(tmp_path_factory.mktemp("traced") / "data", env) as service:
            yield Traced(service, collector, callee)


@pytest.fixture
def traced(module_traced: Traced) -> Iterator[Traced]:
    """The same; the callee says yes again at the end, however a test ends."""
    yield module_traced
    module_traced.callee.forget()


@pytest.fixture
def caller(traced: Traced) -> Iterator[Api]:
    """The operator in a domain of their own."""
    with calling(traced.service) as (api, _):
        yield api
