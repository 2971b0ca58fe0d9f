"""`packaging/image`: the image of a bundle, as an archive that podman and Docker load."""

import argparse
import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from builder.architecture import native
from builder.commands import need_program
from builder.containers import podman
from builder.context import add_system, lay_out
from builder.freeze import PACKAGING
from builder.oci import write_archive
from builder.output import all_or_nothing, need_space
from builder.problem import Problem
from builder.root import debian_root
from builder.unpack import identify

_PLATFORMS = {"amd64": "linux/amd64", "arm64": "linux/arm64"}
_WORK, _RESULT = 600, 100  # megabytes


def main() -> None:
    """Make the image of the bundle that the command line names."""
    arguments = _parsed()
    version, arch = identify(arguments.bundle)
    if arch not in _PLATFORMS:
        raise Problem(f"images are made for {' and '.join(_PLATFORMS)}, not for {arch}: name another bundle")
    need_program("podman", "podman")
    need_space(Path(tempfile.gettempdir()), _WORK)
    need_space(arguments.output, _RESULT)
    name = f"edgeclients-{version}-{arch}.oci.tar"
    with all_or_nothing(arguments.output) as results:
        _make(arguments.bundle, results / name)
    print(arguments.output / name)


def _parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="image", description=__doc__)
    parser.add_argument("--bundle", type=Path, required=True, metavar="TAR.XZ", help="what packaging/build made")
    parser.add_argument("--output", type=Path, default=Path("dist"), metavar="DIR", help="where to write; unset: dist")
    return parser.parse_args()


def _make(archive: Path, result: Path) -> None:
    """Write the image of the bundle in `archive` to the file `result`."""
    with tempfile.TemporaryDirectory(prefix="edgeclients-image-") as folder, podman() as builder:
        context = Path(folder)
        bundle = lay_out(archive, context)
        with _system(bundle.architecture) as root:
            add_system(context, root, bundle.architecture)
        platform = _PLATFORMS[bundle.architecture]
        image = builder.build(PACKAGING / "Containerfile", context, platform, bundle.version, bundle.newest)
        write_archive(image, f"localhost/edgeclients:{bundle.version}", result)


@contextlib.contextmanager
def _system(arch: str) -> Iterator[Path]:
    """The root of a system of this architecture: this machine's, or a Debian system in a folder."""
    if arch == native().name:
        yield Path("/")
        return
    with debian_root(arch) as root:
        yield root.path
