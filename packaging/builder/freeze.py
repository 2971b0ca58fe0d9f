"""Makes the executables out of a wheel: `python -m builder.freeze`, with the Python that goes into them."""

import argparse
import os
import shutil
import sys
import tempfile
import time
import venv
from pathlib import Path

from builder import compiled, pip
from builder.commands import need_program, run
from builder.problem import end_with

PACKAGING = Path(__file__).resolve().parents[1]
TOOLS = PACKAGING / "tools.lock"
LOCKS = (PACKAGING / "requirements.lock", TOOLS)


def main() -> None:
    """Write `one-dir/`, `one-file`, `LICENSES/` and `sbom.json` to the output folder."""
    parser = argparse.ArgumentParser()
    parser.add_argument("wheel", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--arch", required=True)
    parser.add_argument("--moment", type=int, required=True)
    parser.add_argument("--commit", required=True)
    parser.add_argument("--compile", action="append", default=[], help="a distribution to compile, as it has no wheel")
    parser.add_argument("--without", action="append", default=[], help="a distribution to leave out")
    given = parser.parse_args()
    for name in ("objdump", "strip"):  # PyInstaller tells binaries by one, and takes their symbols away with the other
        need_program(name, "binutils")
    with tempfile.TemporaryDirectory(prefix="edgeclients-freeze-") as scratch:
        python = _environment(Path(scratch), given.wheel, set(given.compile), set(given.without))
        _freeze(python, Path(scratch), given)


def _environment(scratch: Path, wheel: Path, names: set[str], absent: set[str]) -> Path:
    """The Python of an environment with what the lock files name, but for `absent`, and the wheel; `names` are compiled."""
    folder, lock = scratch / "venv", scratch / "lock"
    venv.create(folder, with_pip=True, symlinks=True)
    python = folder / "bin" / "python"
    to_compile, published = compiled.split(LOCKS, names, absent)
    lock.write_text("".join(published))
    pip.install(python, ["--no-deps", "--require-hashes", "--only-binary=:all:", "--requirement", lock])
    pip.install(python, ["--no-deps", "--no-index", *compiled.wheels(python, to_compile), wheel])
    return python


def _freeze(python: Path, scratch: Path, given: argparse.Namespace) -> None:
    fixed = {
        "PATH": os.environ["PATH"],
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(PACKAGING),
        "PYTHONHASHSEED": "1",  # the order of names in compiled files
        "SOURCE_DATE_EPOCH": str(given.moment),
        "EDGECLIENTS_COMMIT": given.commit,
        "EDGECLIENTS_TIME": time.strftime("%Y-%m-%d_%H:%M:%S", time.gmtime(given.moment)),
        "PYI_LOG_LEVEL": "WARN",
        "PYINSTALLER_CONFIG_DIR": str(scratch / "cache"),  # the user's remembers binaries of earlier builds
    }
    work, made = scratch / "work", scratch / "made"
    places = (f"--workpath={work}", f"--distpath={made}")
    spec = PACKAGING / "edgeclients.spec"
    print(run([python, "-m", "PyInstaller", "--noconfirm", *places, spec], "PyInstaller failed", fixed, scratch), end="")
    given.output.mkdir(parents=True, exist_ok=True)
    bundled = work / "edgeclients" / "bundled.json"
    describe: list[str | Path] = [python, "-m", "builder.describe", bundled, given.output]
    describe += [f"--arch={given.arch}", f"--moment={given.moment}"]
    run(describe, "the bundle cannot be described", fixed, scratch)
    shutil.move(made / "edgeclients", given.output / "one-dir")
    shutil.move(made / "edgeclients-one-file", given.output / "one-file")


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    end_with("build", main)
