"""Imports by command, and the files of secrets that they make."""

import csv
import stat
from pathlib import Path
from typing import Final

from tests.support.commands import Ended, run
from tests.support.database import rows

D: Final = ("--domain", "plant")
"""The arguments that name the domain."""


def imported(file: Path, *arguments: str, data: Path) -> Ended:
    """`edgeclients import` of a file into the domain."""
    return run("import", str(file), *D, *arguments, data=data)


def written(path: Path, text: str) -> Path:
    """A file with this text."""
    path.write_text(text, newline="")
    return path


def secrets_in(path: Path) -> list[dict[str, str]]:
    """The rows of a file of secrets, which is private."""
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def ids_in(path: Path) -> set[str]:
    """The ids in a file of secrets."""
    return {one["id"] for one in secrets_in(path)}


def clients_of(data: Path) -> set[str]:
    """The ids of all clients in a data directory."""
    return {client_id for (client_id,) in rows(data, "SELECT id FROM clients")}
