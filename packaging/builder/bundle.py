"""`packaging/build`: the executables for one architecture, with their licences, bill of materials and sums."""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from builder import compiled, sources
from builder.architecture import ARCHITECTURES, Architecture, native
from builder.archive import pack, sums
from builder.cache import cache
from builder.commands import reason
from builder.freeze import PACKAGING
from builder.glibc import needed
from builder.output import all_or_nothing, need_space
from builder.problem import Problem
from builder.root import SUITE, debian_root
from builder.tools import environment

_MEGABYTES = 1500  # for the environment, PyInstaller's work and the results
_DEBIAN = ("binutils", "ca-certificates", "libpython3.11", "python3", "python3-pip", "python3-venv", "zlib1g")
_INSIDE = Path("/build")


def main() -> None:
    """Build what the command line asks for."""
    given = _arguments()
    output: Path = given.output.absolute()
    for folder in (output, Path(tempfile.gettempdir())):
        need_space(folder, _MEGABYTES)
    architecture = ARCHITECTURES[given.arch] if given.arch else native()
    name = f"edgeclients-{sources.version()}-linux-{architecture.name}"
    with all_or_nothing(output) as results, tempfile.TemporaryDirectory(prefix="edgeclients-build-") as scratch:
        frozen = Path(scratch) / "frozen"
        wheel = sources.wheel(environment(Path(scratch) / "tools"), Path(scratch) / "wheel")
        if given.arch:
            _freeze_in_debian(architecture, wheel, frozen)
        else:
            _freeze_here(architecture, wheel, frozen)
        bundle = Path(scratch) / name
        _assemble(frozen, bundle, results)
        _say(bundle, results)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="build", description=__doc__)
    parser.add_argument(
        "--arch",
        choices=ARCHITECTURES,
        help=f"build in a Debian system ({SUITE}) for this architecture; without it, with this machine's Python",
    )
    parser.add_argument("--output", type=Path, default=Path("dist"), help="the folder for the results (%(default)s)")
    return parser.parse_args()


def _freeze_here(architecture: Architecture, wheel: Path, frozen: Path) -> None:
    env = {**os.environ, "PYTHONPATH": str(PACKAGING)}
    command = [sys.executable, *_freeze(architecture, wheel, frozen)]
    _pass_on(subprocess.run(command, env=env, capture_output=True, text=True, check=False))


def _freeze_in_debian(architecture: Architecture, wheel: Path, frozen: Path) -> None:
    frozen.mkdir()
    binds = {
        PACKAGING: f"{_INSIDE}/packaging",
        wheel.parent: f"{_INSIDE}/wheel",
        frozen: f"{_INSIDE}/frozen",
        cache(f"pip-{architecture.name}"): "/root/.cache/pip",
        cache(f"{compiled.HOUSE}-{architecture.name}"): f"/root/.cache/edgeclients/{compiled.HOUSE}",
    }
    with debian_root(architecture.name, include=[*_DEBIAN, *architecture.tools]) as root:
        command = _freeze(architecture, _INSIDE / "wheel" / wheel.name, _INSIDE / "frozen")
        env = {"PYTHONPATH": f"{_INSIDE}/packaging"}
        _pass_on(root.run(["python3", *command], env=env, binds=binds, check=False))


def _pass_on(done: "subprocess.CompletedProcess[str]") -> None:
    """Print what the other program printed, or fail as it did."""
    if done.returncode:
        raise Problem(done.stderr.strip().removeprefix("build: ") or reason(done.stdout))
    print(done.stdout, end="")


def _freeze(architecture: Architecture, wheel: Path, frozen: Path) -> list[str]:
    names = [f"--compile={name}" for name in sorted(architecture.compiled)]
    names += [f"--without={name}" for name in sorted(architecture.absent)]
    wanted = [f"--arch={architecture.name}", f"--moment={sources.moment()}", f"--commit={sources.commit()}", *names]
    return ["-B", "-m", "builder.freeze", str(wheel), str(frozen), *wanted]


def _assemble(frozen: Path, bundle: Path, results: Path) -> None:
    shutil.move(frozen / "one-dir", bundle)
    shutil.move(frozen / "LICENSES", bundle / "LICENSES")
    pack(bundle, results / f"{bundle.name}.tar.xz", sources.moment())
    shutil.move(frozen / "one-file", results / bundle.name)
    shutil.move(frozen / "sbom.json", results / f"{bundle.name}.cdx.json")
    (results / f"{bundle.name}.sha256").write_text(sums(results.iterdir()))


def _say(bundle: Path, results: Path) -> None:
    """Print the sizes, in 10^6 bytes, and the C library that is needed."""
    files = [path for path in bundle.rglob("*") if path.is_file() and not path.is_symlink()]
    sizes = [("directory", files), ("tar.xz", [results / f"{bundle.name}.tar.xz"]), ("one file", [results / bundle.name])]
    for what, parts in sizes:
        print(f"{bundle.name}: {what} {sum(part.stat().st_size for part in parts) / 1e6:.1f} MB")
    print("{}: needs glibc {}.{}".format(bundle.name, *needed(files)))
