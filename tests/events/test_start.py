"""What a start with a stream takes, and what one without does not."""

import sys
from pathlib import Path

import pytest

from tests.support.service import Service, started

_WITHOUT = "import sys; sys.modules['redis'] = None; from edgeclients.cli.main import main; sys.exit(main(['serve']))"


def ended(data: Path, env: dict[str, str], command: tuple[str, ...] = ()) -> str:
    """The one line of a start that failed."""
    service = Service.launch(data, env, command)
    assert service.end() not in {0, None}
    (line,) = service.lines
    return str(line["msg"])


def test_a_broker_of_another_kind_is_refused(tmp_path: Path) -> None:
    line = ended(tmp_path / "data", {"MG_ES_URL": "amqp://guest:geheim@localhost:5682/"})
    assert line.startswith("edgeclients: MG_ES_URL: ")
    assert "AMQP" in line
    assert "geheim" not in line


@pytest.mark.source_only("a package is hidden from the program")
def test_what_is_missing_is_named(tmp_path: Path) -> None:
    line = ended(tmp_path / "data", {"MG_CLIENTS_ES_URL": "localhost:6379"}, (sys.executable, "-c", _WITHOUT))
    assert "edgeclients[cloud]" in line


@pytest.mark.source_only("a package is hidden from the program")
def test_without_a_stream_nothing_is_missing(tmp_path: Path) -> None:
    with started(tmp_path / "data", command=(sys.executable, "-c", _WITHOUT)):
        pass
