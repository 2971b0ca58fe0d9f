"""What tracing takes, and that nothing of it is there without."""

import sys
from pathlib import Path

import pytest

from tests.support.api import Api
from tests.support.service import Service, started

_WITHOUT = "import sys; sys.modules[{missing!r}] = None; from edgeclients.cli.main import main; sys.exit(main(['serve']))"


@pytest.mark.source_only("a package is hidden from the program")
@pytest.mark.parametrize("missing", ["opentelemetry", "requests", "opentelemetry.exporter"])
def test_what_is_missing_is_named(tmp_path: Path, missing: str) -> None:
    command = (sys.executable, "-c", _WITHOUT.format(missing=missing))
    service = Service.launch(tmp_path / "data", {"MG_JAEGER_URL": "http://:geheim@localhost:4318/v1/traces"}, command)
    assert service.end() not in {0, None}
    (line,) = service.lines
    assert line["msg"].startswith("edgeclients: MG_JAEGER_URL: ")
    assert "edgeclients[cloud]" in line["msg"]
    assert "geheim" not in line["msg"]


@pytest.mark.source_only("a package is hidden from the program")
def test_without_a_collector_nothing_is_missing(tmp_path: Path) -> None:
    """A caller's trace is nobody's business then."""
    command = (sys.executable, "-c", _WITHOUT.format(missing="opentelemetry"))
    with started(tmp_path / "data", {"MG_CLIENTS_LOG_LEVEL": "debug"}, command) as service, Api(service) as api:
        headers = {"traceparent": f"00-{'ab' * 16}-{'5' * 16}-01"}
        assert api.request("GET", "/clients", headers=headers).status_code == 200
        metrics = api.session.get("/metrics").text
    assert "trace_id" not in str(service.lines)
    assert "clients_spans" not in metrics
