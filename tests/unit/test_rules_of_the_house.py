"""What the project promises of itself: who imports whom, what a start imports, what is generated, what is documented."""

import subprocess
import sys
from pathlib import Path

import pytest

from edgeclients import settings
from edgeclients.errors import TABLE, DomainError, Unavailable, reason_of, row_of

ROOT = Path(__file__).resolve().parents[2]


def _run(*command: str) -> None:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_who_imports_whom() -> None:
    _run(str(Path(sys.executable).parent / "lint-imports"), "--no-cache")


def test_generated_code_agrees_with_the_protos() -> None:
    _run(sys.executable, ".ci/generate_protos.py", "--check")


def test_the_description_agrees_with_the_routes() -> None:
    _run(sys.executable, "-m", "edgeclients.http.openapi", "--check")


def test_pages_agree_with_settings_and_commands() -> None:
    _run(sys.executable, ".ci/generate_pages.py", "--check")


def test_a_gateway_imports_nothing_it_does_not_need(tmp_path: Path) -> None:
    """After a start, a create and an Authenticate with a generated secret."""
    program = f"""
import asyncio, sys
from edgeclients import settings
from edgeclients.wiring import service
async def main():
    loaded = settings.load({{"MG_CLIENTS_DATA_DIR": {str(tmp_path / "data")!r}, "MG_CLIENTS_HTTP_PORT": "0",
                             "MG_CLIENTS_GRPC_PORT": "0"}})
    async with service.build(loaded):
        pass
    late = {{"http.server", "httpx", "jwt", "cryptography", "edgeclients.auth.remote"}}
    late |= {{"argon2", "prometheus_client", "asyncpg", "redis", "opentelemetry", "polyfactory", "faker", "rich", "pyrage"}}
    late |= {{"edgeclients.ops.backup", "edgeclients.wiring.backup", "edgeclients.wiring.doctor", "tarfile"}}
    late |= {{"fontTools", "fpdf", "segno"}}
    print(sorted(late & set(sys.modules)))
asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_error_has_one_row() -> None:
    classes = {cls for cls in DomainError.__subclasses__() if cls.__module__ == "edgeclients.errors"}
    assert {row.error for row in TABLE} == classes
    assert len({row.code for row in TABLE}) == len(TABLE)
    assert all(row_of(row.error()) is row for row in TABLE)


def test_an_error_of_somebody_else_is_internal() -> None:
    class ForeignError(DomainError): ...

    assert row_of(ForeignError()).code == "internal"


@pytest.mark.parametrize("field", list(settings.fields()), ids=lambda field: field.variable.name)
def test_every_setting_is_in_the_readme_with_its_default(field: settings.Field) -> None:
    readme = (ROOT / "README.md").read_text()
    default = settings.shown(field, field.default)
    help_text = field.variable.help.replace("|", "\\|")
    assert f"| `{field.variable.name}` | {f'`{default}`' if default else ''} | {help_text} |" in readme


def test_a_reason_is_one_line() -> None:
    """Further lines of PostgreSQL's hold values of the row."""
    assert reason_of(Unavailable("XX001 invalid page\nDETAIL:  Failing row contains (secret).")) == "XX001 invalid page"
    assert reason_of(OSError(5, "Input/output error")) == "[Errno 5] Input/output error"
    assert reason_of(TimeoutError()) == "TimeoutError"
