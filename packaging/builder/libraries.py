"""The files of a system's C library that a bundle runs on."""

from pathlib import Path

from builder import elf
from builder.problem import Problem

_TRIPLETS = {"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}
# The C library loads them when it looks up names, and nothing names them before.
_LOADED_LATER = frozenset({"libnss_dns.so.2", "libnss_files.so.2", "libresolv.so.2"})


def libraries(bundle: Path, program: Path, system: Path, arch: str) -> dict[Path, Path]:
    """What `program` and the rest of `bundle` want of the system below `system`: paths in the image, and the files.

    Raises:
        Problem: the system lacks one of them.
    """
    first = elf.read(program)
    if first is None or not first.loader:
        raise Problem(f"{program.name} in the bundle is no program for a 64-bit system: name another bundle")
    loader = Path(first.loader)
    wanted = {*first.needed, *_wanted_by_the_rest(bundle), *_LOADED_LATER} - {loader.name}
    found = {loader: _file(loader.name, system, arch)}
    names = {loader.name}
    while wanted:
        name = wanted.pop()
        names.add(name)
        file = _file(name, system, arch)
        found[Path("/lib", _TRIPLETS[arch], name)] = file
        further = elf.read(file)
        wanted |= {*(further.needed if further else ())} - names
    return found


def _wanted_by_the_rest(bundle: Path) -> set[str]:
    """The names that the bundle does not have itself; its program starts before the bundle's libraries are searched."""
    own = {path.name for path in bundle.rglob("*")}
    files = [path for path in bundle.rglob("*") if path.is_file() and not path.is_symlink()]
    return {name for one in map(elf.read, files) if one for name in one.needed} - own


def _file(name: str, system: Path, arch: str) -> Path:
    triplet = _TRIPLETS[arch]
    for folder in (f"lib/{triplet}", f"usr/lib/{triplet}", "lib64", "usr/lib64"):
        if (path := system / folder / name).is_file():
            return path.resolve()
    raise Problem(f"the bundle needs {name}, which is not below {system}: install it there")
