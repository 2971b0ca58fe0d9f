"""Files that settings name: an endless one is an error like a missing one, and takes no memory."""

from pathlib import Path

import pytest

from edgeclients import files, pem, settings
from edgeclients.errors import StartError
from edgeclients.settings import read_token

ENDLESS = Path("/dev/zero")


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(b"x" * (1024 * 1024 + 1))
    (tmp_path / "full").write_bytes(b"x" * 1024 * 1024)
    assert len(files.read_small(tmp_path / "full")) == 1024 * 1024
    with pytest.raises(OSError, match="File too large"):
        files.read_small(tmp_path / "large")


def test_an_endless_token_is_an_error() -> None:
    with pytest.raises(OSError, match="File too large"):
        read_token(ENDLESS)


def test_an_endless_certificate_is_an_error() -> None:
    with pytest.raises(StartError, match=r"MG_X cannot be read \(File too large\)"):
        pem.read(str(ENDLESS), "MG_X")


def test_an_endless_password_is_an_error() -> None:
    with pytest.raises(settings.Faults) as faults:
        settings.load({"MG_CLIENTS_DB_PASS_FILE": str(ENDLESS)})
    assert [line for line in faults.value.lines if "File too large" in line]
