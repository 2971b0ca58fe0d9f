"""`packaging/image`: the image of a bundle, as an archive that podman and Docker load."""

import argparse
import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from builder.architecture import native
from builder.commands import need_program
from builder.containers import podman
from builder.context import Bundle, add_system, lay_out
from builder.freeze import PACKAGING
from builder.oci import write_archive
from builder.output import all_or_nothing, need_space
from builder.problem import Problem
from builder.root import debian_root

_PLATFORMS = {"amd64": "linux/amd64", "arm64": "linux/arm64"}
_WORK, _RESULT = 600, 100  # megabytes


def main() -> None:
    """Make the image of the bundle that the command line names."""
    arguments = _parsed()
    bundle = Bundle.named(arguments.bundle)
    if bundle.arch not in _PLATFORMS:
        raise Problem(f"images are made for {' and '.join(_PLATFORMS)}, not for {bundle.arch}: name another bundle")
    need_program("podman", "podman")
    need_space(Path(tempfile.gettempdir()), _WORK)
    need_space(arguments.output, _RESULT)
    with all_or_nothing(arguments.output) as results:
        result = results / f"edgeclients-{bundle.version}-{bundle.arch}.oci.tar"
        _make(bundle, result)
    print(arguments.output / result.name)


def _parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="image", description=__doc__)
    parser.add_argument("--bundle", type=Path, required=True, metavar="TAR.XZ", help="what packaging/build made")
    parser.add_argument("--output", type=Path, default=Path("dist"), metavar="DIR", help="where to write; unset: dist")
    return parser.parse_args()


def _make(bundle: Bundle, result: Path) -> None:
    """Write the image of `bundle` to the file `result`."""
    with tempfile.TemporaryDirectory(prefix="edgeclients-image-") as folder, podman() as builder:
        context = Path(folder)
        newest = lay_out(bundle, context)
        with _system(bundle.arch) as root:
            add_system(context, root, bundle.arch)
        image = builder.build(PACKAGING / "Containerfile", context, _PLATFORMS[bundle.arch], bundle.version, newest)
        write_archive(image, f"localhost/edgeclients:{bundle.version}", result)


@contextlib.contextmanager
def _system(arch: str) -> Iterator[Path]:
    """The root of a system of this architecture: this machine's, or a Debian system in a folder."""
    if arch == native().name:
        yield Path("/")
        return
    with debian_root(arch) as root:
        yield root.path
