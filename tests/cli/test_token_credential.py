"""The operator's token as a credential of systemd."""

from pathlib import Path

import httpx
import pytest

from tests.support.api import Api
from tests.support.commands import run
from tests.support.service import started

TOKEN, OTHER = "a-token-from-systemd", "a-token-of-the-settings"
NAMED = {"MG_CLIENTS_STANDALONE_ID": "op"}


@pytest.fixture
def credentials(tmp_path: Path) -> dict[str, str]:
    """What systemd tells a unit whose credentials hold the token."""
    (tmp_path / "edgeclients.token").write_text(f"{TOKEN}\n")
    return {"CREDENTIALS_DIRECTORY": str(tmp_path)}


def test_the_operator_has_the_token_of_the_credential(credentials: dict[str, str], tmp_path: Path) -> None:
    with started(tmp_path / "data", {**credentials, **NAMED}) as service, Api(service, token=TOKEN) as api:
        api.create()
    assert not (tmp_path / "data" / "operator.token").exists()


def test_a_token_of_the_settings_goes_first(credentials: dict[str, str], tmp_path: Path) -> None:
    env = {**credentials, **NAMED, "MG_CLIENTS_STANDALONE_TOKEN": OTHER}
    with started(tmp_path / "data", env) as service:
        for token, status in ((OTHER, httpx.codes.OK), (TOKEN, httpx.codes.UNAUTHORIZED)):
            with Api(service, token=token) as api:
                assert api.request("GET", "/clients").status_code == status


def test_a_token_needs_an_id(credentials: dict[str, str], tmp_path: Path) -> None:
    ended = run("config", "check", data=tmp_path / "data", env=credentials)
    assert ended.code == 78
    assert "MG_CLIENTS_STANDALONE_ID is missing" in ended.line


def test_without_a_credential_nothing_changes(tmp_path: Path) -> None:
    with started(tmp_path / "data", {"CREDENTIALS_DIRECTORY": str(tmp_path)}) as service, Api(service) as api:
        api.create()
    assert (tmp_path / "data" / "operator.token").exists()


def test_a_credential_that_is_no_token_is_refused(credentials: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "edgeclients.token").write_text("short")
    ended = run("serve", data=tmp_path / "data", env={**credentials, **NAMED})
    assert ended.code != 0
    assert "edgeclients.token cannot be used" in ended.line
