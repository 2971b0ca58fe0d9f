"""Secrets of the settings that are in files."""

from pathlib import Path

import pytest

from edgeclients import settings
from edgeclients.settings.secret_files import FROM_FILES

PASSWORD, URL = "MG_CLIENTS_DB_PASS", "MG_CLIENTS_CACHE_URL"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "secret"


def _faults(environment: dict[str, str]) -> list[str]:
    with pytest.raises(settings.Faults) as faults:
        settings.load(environment)
    return faults.value.lines


@pytest.mark.parametrize("text", ["geheim", "geheim\n", "geheim\r\n"])
def test_a_password_is_read_without_the_line_end_after_it(text: str, file: Path) -> None:
    file.write_bytes(text.encode())
    assert settings.load({f"{PASSWORD}_FILE": str(file)}).db_pass == "geheim"


def test_blanks_belong_to_a_password(file: Path) -> None:
    file.write_text(" 'geheim' ")
    assert settings.load({f"{PASSWORD}_FILE": str(file)}).db_pass == " 'geheim' "


def test_urls_are_read(file: Path) -> None:
    file.write_text("redis://user:geheim@redis:6379/0\n")
    loaded = settings.load({f"{URL}_FILE": str(file), "MG_CLIENTS_ES_URL_FILE": str(file)})
    assert loaded.cache_address == loaded.event_stream == "redis://user:geheim@redis:6379/0"


def test_every_one_is_a_setting_and_a_secret() -> None:
    variables = {field.variable.name: field.variable for field in settings.fields()}
    assert all(variables[name].secret and not variables[f"{name}_FILE"].secret for name in FROM_FILES)


def test_a_value_and_a_file_exclude_each_other(file: Path) -> None:
    file.write_text("geheim")
    (line,) = _faults({PASSWORD: "other", f"{PASSWORD}_FILE": str(file)})
    assert line.startswith(f"{PASSWORD} and {PASSWORD}_FILE exclude each other")


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (None, "cannot be read (No such file or directory)"),
        (b"x" * (1024 * 1024 + 1), "cannot be read (File too large)"),
        (b"", "it is empty"),
        (b"\n", "it is empty"),
        (b"\xff", "it is not UTF-8"),
        ("\ufeffgeheim".encode(), "begins with a byte order mark"),
    ],
)
def test_a_file_without_a_value_is_named(content: bytes | None, fault: str, file: Path) -> None:
    if content is not None:
        file.write_bytes(content)
    (line,) = _faults({f"{PASSWORD}_FILE": str(file)})
    assert line.startswith(f"{PASSWORD}_FILE: ")
    assert str(file) in line
    assert fault in line


def test_a_value_in_a_file_is_checked_like_any_other_and_not_shown(file: Path) -> None:
    file.write_text("amqp://guest:geheim@stream")
    (line,) = _faults({f"{URL}_FILE": str(file)})
    assert line.startswith(f"{URL}: its value is not ")
    assert "geheim" not in line


def test_quotes_around_a_path_are_the_only_fault(file: Path) -> None:
    file.write_text("geheim")
    (line,) = _faults({f"{PASSWORD}_FILE": f'"{file}"'})
    assert "is in quotes" in line
