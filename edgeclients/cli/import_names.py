"""The files that an import reads and writes: none of them may be two at once."""

from itertools import product
from pathlib import Path

from edgeclients.cli.import_report import part_of
from edgeclients.cli.import_source import STANDARD_INPUT
from edgeclients.cli.secrets_file import names_on_the_way
from edgeclients.errors import StartError


def check_names(file: Path, report: Path | None, secrets: Path | None) -> None:
    """Return if the files are different ones, those that are written on the way included.

    Raises:
        StartError: they are not.
    """
    read = [Path("/dev/stdin") if file == STANDARD_INPUT else file]
    reported = [] if report is None else [report, part_of(report.resolve())]
    made = [] if secrets is None else [secrets, *names_on_the_way(secrets)]
    for some, others, option in ((read, reported, "--report"), (read, made, "--secrets-out"), (made, reported, "--report")):
        for one, other in product(some, others):
            if _is_same(one, other):
                raise StartError(f"{one} and {other} are the same file, or become it: choose another {option}")


def _is_same(one: Path, other: Path) -> bool:
    try:
        if one.resolve() == other.resolve():
            return True
        return one.samefile(other)
    except OSError:  # one of them does not exist
        return False
