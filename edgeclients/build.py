"""Which build of the program this is."""

import functools
import json
from pathlib import Path
from typing import NamedTuple

_FILE = Path(__file__).with_name("build.json")  # the executables have it; what pip builds from the sources does not


class Build(NamedTuple):
    """A build.

    Attributes:
        commit: the first eight digits of the commit's hash.
        time: when the commit was made, UTC.
    """

    commit: str = "ffffffff"
    time: str = "1970-01-01_00:00:00"


@functools.cache
def this_build() -> Build:
    """This build; the defaults of `Build` if it does not know (schema/README.md#health)."""
    return Build(**json.loads(_FILE.read_text())) if _FILE.exists() else Build()
