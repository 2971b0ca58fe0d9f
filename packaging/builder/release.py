"""`packaging/release`: everything that is published, in one folder, with sums."""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from builder import sources
from builder.architecture import ARCHITECTURES
from builder.archive import sums
from builder.commands import run
from builder.freeze import PACKAGING
from builder.output import all_or_nothing, need_space
from builder.tools import environment

_MEGABYTES = 2000
_IMAGES = ("amd64", "arm64")
_FILES = ("CHANGELOG.md", "compose.yaml", "haproxy.cfg", "kubernetes.yaml", "grafana.json", "alerts.yaml", "requirements.lock")


def main() -> None:
    """Make everything for the architectures that the command line names."""
    given = _arguments()
    output: Path = given.output.absolute()
    need_space(output, _MEGABYTES)
    with all_or_nothing(output) as results, tempfile.TemporaryDirectory(prefix="edgeclients-release-") as scratch:
        _distributions(Path(scratch), results)
        for arch in given.arch or ARCHITECTURES:
            _architecture(arch, results)
        for name in _FILES:
            shutil.copyfile(PACKAGING / name, results / name)
        (results / "SHA256SUMS").write_text(sums(results.iterdir()))
    print(f"edgeclients {sources.version()} is in {output}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="release", description=__doc__)
    parser.add_argument("--arch", action="append", choices=ARCHITECTURES, help="may be repeated; all of them without it")
    parser.add_argument("--output", type=Path, default=Path("dist"), help="the folder for the results (%(default)s)")
    return parser.parse_args()


def _distributions(scratch: Path, results: Path) -> None:
    python = environment(scratch / "tools")
    shutil.move(sources.wheel(python, scratch / "wheel"), results)
    shutil.move(sources.sdist(python, scratch / "sdist"), results)


def _architecture(arch: str, results: Path) -> None:
    bundle = results / f"edgeclients-{sources.version()}-linux-{arch}.tar.xz"
    _script("build", ["--arch", arch], results)
    _script("package", ["--bundle", str(bundle)], results)
    if arch in _IMAGES:
        _script("image", ["--bundle", str(bundle)], results)


def _script(name: str, arguments: Sequence[str], results: Path) -> None:
    command: list[str | Path] = [sys.executable, PACKAGING / name, *arguments, "--output", results]
    print(run(command, name), end="", flush=True)
