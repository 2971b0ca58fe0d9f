"""Switches to the owner of the data directory, who may not be able to read the program's files."""

import contextlib
import importlib
import os
from collections.abc import Iterator
from pathlib import Path

from edgeclients.files import schema_path
from edgeclients.store import datadir
from edgeclients.store.migrate import keep

_LATER = (
    "argon2.low_level",
    "ast",  # tracebacks
    "concurrent.futures.thread",
    "encodings.ascii",
    "encodings.idna",  # host names
    "encodings.latin_1",
    "msgspec._utils",
    "unicodedata",
)
"""Modules that libraries import lazily."""


def become_owner(path: Path) -> None:
    """Load all code needed later, then call `datadir.become_owner`: only root may be able to read Python's files.

    Raises:
        StartError: the process cannot switch to the owner.
    """
    _load_all()
    datadir.become_owner(path)


@contextlib.contextmanager
def acting_as_owner(path: Path) -> Iterator[None]:
    """The same with `datadir.acting_as_owner`."""
    _load_all()
    with datadir.acting_as_owner(path):
        yield


def _load_all() -> None:
    if os.geteuid() != 0:
        return
    for name in _LATER:
        with contextlib.suppress(ImportError):  # a bundle omits modules that it does not need
            importlib.import_module(name)
    for engine in ("sqlite", "postgres"):
        keep(schema_path(engine))
