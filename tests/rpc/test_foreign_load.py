"""Callers of other ecosystems, thousands of calls each, and h2spec: what they see on the wire is what they must see.

`python -m tests.elsewhere` runs each of them by hand.
"""

from collections import Counter
from collections.abc import Iterator

import psutil
import pytest

from tests.support import asking
from tests.support.foreign import CALLERS, Missing, program
from tests.support.mixed_calls import AUTHENTICATE, call, expected, h2spec, port_of, serving
from tests.support.service import Service
from tests.support.waiting import wait_until

CALLS, FEW = 10_000, 100

SPEC_TESTS = 145
SPEC_SECONDS = {"grpcio": 1}  # its failures are not judged
PATIENT_SPEC_SECONDS = 5
NOT_ANSWERED = {  # they wait for the content of an answer; gRPC has none for a request without a message
    "generic/2: Sends a PRIORITY frame on half-closed (remote) stream",
    "generic/2: Sends a WINDOW_UPDATE frame on half-closed (remote) stream",
    "http2/6.5.3: Sends multiple values of SETTINGS_INITIAL_WINDOW_SIZE",
    "http2/6.9.1: Sends SETTINGS frame to set the initial window size to 1 and sends HEADERS frame",
    "http2/6.9.2: Changes SETTINGS_INITIAL_WINDOW_SIZE after sending HEADERS frame",
    "http2/6.9.2: Sends a SETTINGS frame for window size to be negative",
    # It waits for a refusal; here each call is answered before the next is read.
    "http2/5.1.2: Sends HEADERS frames that causes their advertised concurrent stream limit to be exceeded",
}


@pytest.fixture(scope="module")
def serves(grpc_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with serving(tmp_path_factory.mktemp("serves"), grpc_server) as service:
        yield service


def build(name: str) -> None:
    """Skip the test where that is impossible."""
    try:
        program(name)
    except Missing as missing:
        pytest.skip(f"{name}: {missing}")


def assert_unharmed(service: Service) -> None:
    """No call and no connection is left, and the log has no error."""

    def left() -> list[object]:
        port = int(service.grpc.rpartition(":")[2])
        found = psutil.Process(service.process.pid).net_connections("tcp")
        return [one for one in found if one.laddr.port == port and one.status == psutil.CONN_ESTABLISHED]

    wait_until(lambda: not left(), "the connections to end")
    wait_until(lambda: "\nclients_grpc_requests_active 0.0\n" in asking.get(f"{service.http}/metrics").text, "the calls to end")
    assert [line for line in service.lines if line.get("level") == "ERROR"] == []


@pytest.mark.parametrize("name", CALLERS)
def test_every_answer_is_right(serves: Service, name: str) -> None:
    build(name)
    assert call(name, serves, CALLS) == expected(CALLS)
    assert_unharmed(serves)


@pytest.mark.parametrize("name", CALLERS)
def test_a_caller_tells_which_answers_are_wrong(serves: Service, name: str) -> None:
    build(name)
    told = call(name, serves, FEW, {"Denied": "Open sesame", "Services": [], "Domain": "another"})
    wrong = Counter(example.partition(":")[0] for example in told.examples)
    assert told.counts == expected(FEW).counts
    assert set(wrong) == {"domain", "wrong", "entity", "reflection"}
    assert told.wrong == sum(told.counts[kind] for kind in wrong)


def test_frames_of_any_kind_and_order(serves: Service) -> None:
    build("h2spec")
    server = serves.env["MG_CLIENTS_GRPC_SERVER"]
    spec = h2spec(port_of(serves), AUTHENTICATE, SPEC_SECONDS.get(server, PATIENT_SPEC_SECONDS))
    assert spec.tests == SPEC_TESTS
    if server not in SPEC_SECONDS:
        assert spec.failed <= NOT_ANSWERED
    assert_unharmed(serves)
