"""Certificates and keys, read anew while the service runs; where one cannot be used, those that were in use stay."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

from edgeclients import pem
from edgeclients.errors import StartError

T = TypeVar("T")

_log = logging.getLogger(__name__)


class _Part(NamedTuple):
    files: Mapping[str, str]  # path by the setting that names it
    make: Callable[[], Any]
    use: Callable[[Any], None]


class Reloading:
    """All that is made of certificates and keys."""

    def __init__(self) -> None:
        self._parts: list[_Part] = []

    def keep(self, named: Mapping[str, str], make: Callable[[], T]) -> Callable[[], T]:
        """What `make` gives, now and whenever it could be made anew: the newest is told by what is returned.

        Args:
            named: what settings say by their names: paths, PEM, or nothing.
            make: reads the files; called off the event loop later.

        Raises:
            StartError: by `make`.
        """
        newest = [make()]

        def use(made: T) -> None:
            newest[0] = made

        self.add(named, make, use)
        return lambda: newest[0]

    def add(self, named: Mapping[str, str], make: Callable[[], T], use: Callable[[T], None]) -> None:
        """Have `use` called with what `make` gives at each reload.

        Args:
            named: as for `keep`.
            make: likewise.
            use: called in the event loop.
        """
        files = {setting: text for setting, text in named.items() if text and not pem.is_pem(text)}
        self._parts.append(_Part(files, make, use))

    async def reload(self) -> None:
        """Read everything anew. What cannot be used is told in the log, a line for each file."""
        done: list[str] = []
        for part in self._parts:
            try:
                made, faults = await asyncio.to_thread(_made, part)
                if not faults:
                    part.use(made)
                    done += part.files
            except Exception:  # noqa: BLE001 - the service goes on, and the log has it all
                _log.exception("certificates or keys were not read anew, those in use stay", extra={"files": part.files})
                continue
            for fault, files in faults:
                _log.error("certificates or keys were not read anew, those in use stay", extra={"error": fault, "files": files})
        if done or not any(part.files for part in self._parts):
            _log.info("certificates and keys were read anew", extra={"settings": done})


def _made(part: _Part) -> tuple[Any, list[tuple[str, list[str]]]]:
    """What is made of the files, or what is wrong, each with the files it is about."""
    faults = []
    for setting, path in part.files.items():
        try:
            pem.read(path, setting)
        except StartError as error:
            faults.append((str(error), [path]))
    if faults:
        return None, faults
    try:
        return part.make(), []
    except StartError as error:
        return None, [(str(error), list(part.files.values()))]
