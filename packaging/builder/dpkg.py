"""What a Debian system says of its packages, for the licence texts and for programs that look for weaknesses."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple


class Package(NamedTuple):
    """A package: its name, its record in dpkg's list, and its copyright file."""

    name: str
    record: str
    copyright: Path

    @property
    def version(self) -> str:
        """Its version."""
        return next(line.removeprefix("Version: ") for line in self.record.splitlines() if line.startswith("Version: "))


def owners(files: Iterable[Path], system: Path) -> list[Package]:
    """The packages that `files` of `system` belong to; none if it is not Debian."""
    lists = system / "var/lib/dpkg/info"
    wanted = {name for file in files for name in _names(Path("/", file.relative_to(system.resolve())))}
    names = {path.stem.partition(":")[0] for path in sorted(lists.glob("*.list")) if wanted & {*path.read_text().splitlines()}}
    records = dict(_records(system))
    documents = system / "usr/share/doc"
    return [Package(name, records[name], documents / name / "copyright") for name in sorted(names & records.keys())]


def _names(path: Path) -> tuple[str, str]:
    """The names under which a package's list may have it: /lib may be a link to /usr/lib."""
    text = str(path)
    return text, text.removeprefix("/usr")


def _records(system: Path) -> Iterator[tuple[str, str]]:
    status = system / "var/lib/dpkg/status"
    for record in status.read_text().split("\n\n") if status.is_file() else ():
        name = record.partition("\n")[0].removeprefix("Package: ")
        if "\nStatus: install ok installed\n" in record:
            yield name, record.strip() + "\n"
