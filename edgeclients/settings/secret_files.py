"""Secrets that the environment does not hold: it names files that do."""

from collections.abc import Mapping
from pathlib import Path

from edgeclients.files import read_small
from edgeclients.settings.slips import meant
from edgeclients.text import decoded

FROM_FILES = ("MG_CLIENTS_DB_PASS", "MG_CLIENTS_CACHE_URL", "MG_CLIENTS_ES_URL")
"""The variables whose value can be in a file, named by the variable with `_FILE` at its end."""


def read_secrets(environment: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """The values that `environment` keeps in files, by variable; and the faults of these files, one line each."""
    values: dict[str, str] = {}
    faults: list[str] = []
    for name in FROM_FILES:
        path = environment.get(f"{name}_FILE", "")
        if path != meant(path):
            continue  # a fault of the variable, which is told with those of others
        if path and environment.get(name):
            faults.append(f"{name} and {name}_FILE exclude each other: unset one of them")
        elif path:
            try:
                values[name] = _read(Path(path))
            except OSError as error:
                faults.append(f"{name}_FILE: {path} cannot be read ({error.strerror}): name a file that the service can read")
            except ValueError as error:
                faults.append(f"{name}_FILE: the text in {path} cannot be used because {error}")
    return values, faults


def _read(path: Path) -> str:
    """The text in a file, without the line end after it.

    Raises:
        OSError: the file cannot be read.
        ValueError: "it …": the file holds no such text.
    """
    text = decoded(read_small(path)).rstrip("\r\n")
    if not text:
        raise ValueError("it is empty: write the value into it")
    return text
