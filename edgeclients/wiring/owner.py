"""Going on as somebody who may not be able to read this program."""

import contextlib
import importlib
import os
from pathlib import Path

from edgeclients.files import schema_path
from edgeclients.store import datadir
from edgeclients.store.migrate import keep

_LATER = (
    "argon2.low_level",
    "ast",  # tracebacks
    "concurrent.futures.thread",
    "encodings.ascii",
    "encodings.idna",  # names of hosts
    "encodings.latin_1",
    "msgspec._utils",
    "unicodedata",
)
"""What others import only when they need it."""


def become_owner(path: Path) -> None:
    """As `datadir.become_owner`, with all that is needed afterwards in memory: Python may lie where only root can read.

    Raises:
        StartError: that cannot be done.
    """
    if os.geteuid() == 0:
        for name in _LATER:
            with contextlib.suppress(ImportError):  # what is not in a bundle is not asked for there
                importlib.import_module(name)
        for engine in ("sqlite", "postgres"):
            keep(schema_path(engine))
    datadir.become_owner(path)
