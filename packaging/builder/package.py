"""`packaging/package`: the Debian package of a bundle, `edgeclients_VERSION_ARCHITECTURE.deb`."""

import argparse
import os
import shutil
from pathlib import Path

from builder.debian import make_package
from builder.output import all_or_nothing
from builder.problem import Problem
from builder.unpack import unpack

_MAINTAINER = "edgeclients maintainers <edgeclients@example.org>"
_EPILOG = """\
The same bundle makes the same bytes. SOURCE_DATE_EPOCH is the time of all files; unset: that of the bundle's newest file."""


def main() -> None:
    """Make the package that the command line asks for."""
    given = _arguments()
    output: Path = given.output.absolute()
    moment = _moment()
    with all_or_nothing(output) as results:
        work = results / "work"
        work.mkdir()
        bundle = unpack(given.bundle, work / "bundle")
        package = make_package(bundle, work, bundle.newest if moment is None else moment, given.maintainer)
        package.rename(results / package.name)
        shutil.rmtree(work)
    print(output / package.name)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="package", description=__doc__, epilog=_EPILOG)
    parser.add_argument("--bundle", type=Path, required=True, metavar="FILE", help="the .tar.xz file of packaging/build")
    parser.add_argument("--output", type=Path, default=Path("dist"), help="the folder for the package (%(default)s)")
    parser.add_argument("--maintainer", default=_MAINTAINER, help="whom the package names (%(default)s)")
    return parser.parse_args()


def _moment() -> int | None:
    text = os.environ.get("SOURCE_DATE_EPOCH", "")
    if text and not text.isdecimal():
        raise Problem(f"SOURCE_DATE_EPOCH is {text!r}: set it to whole seconds since 1970")
    return int(text) if text else None
