"""Reloads certificates and keys while the service runs; a faulty one leaves the current one in use."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

from edgeclients import pem
from edgeclients.errors import StartError

T = TypeVar("T")

_log = logging.getLogger(__name__)

_FAILED = "certificates or keys cannot be reloaded; the current ones stay in use"


class _Part(NamedTuple):
    files: Mapping[str, str]  # path by the setting that names it
    make: Callable[[], Any]
    use: Callable[[Any], None]


class Reloading:
    """Every object built from certificates and keys."""

    def __init__(self) -> None:
        self._parts: list[_Part] = []

    def keep(self, named: Mapping[str, str], make: Callable[[], T]) -> Callable[[], T]:
        """A function that returns the newest result of `make`, which is called now and at each reload.

        Args:
            named: setting values by name: paths, PEM, or nothing.
            make: reads the files; a reload calls it in a thread.

        Raises:
            StartError: raised by `make`.
        """
        newest = [make()]

        def use(made: T) -> None:
            newest[0] = made

        self.add(named, make, use)
        return lambda: newest[0]

    def add(self, named: Mapping[str, str], make: Callable[[], T], use: Callable[[T], None]) -> None:
        """Call `use` with the result of `make` at each reload.

        Args:
            named: as for `keep`.
            make: as for `keep`.
            use: called in the event loop.
        """
        files = {setting: text for setting, text in named.items() if text and not pem.is_pem(text)}
        self._parts.append(_Part(files, make, use))

    async def reload(self) -> None:
        """Reload everything. The log reports faults, one line per file."""
        done: list[str] = []
        for part in self._parts:
            try:
                made, faults = await asyncio.to_thread(_made, part)
                if not faults:
                    part.use(made)
                    done += part.files
            except Exception:  # noqa: BLE001 - logged; the service continues
                _log.exception(_FAILED, extra={"files": part.files})
                continue
            for fault, files in faults:
                _log.error(_FAILED, extra={"error": fault, "files": files})
        if done or not any(part.files for part in self._parts):
            _log.info("certificates and keys reloaded", extra={"settings": done})


def _made(part: _Part) -> tuple[Any, list[tuple[str, list[str]]]]:
    """The result of `part.make`, or the faults, each with the files it concerns."""
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
