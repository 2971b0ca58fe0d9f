"""The Debian packages whose libraries a bundle uses and does not bring along."""

from pathlib import Path

from builder import elf
from builder.glibc import needed
from builder.problem import Problem

_C_LIBRARY = "libc6"
_PACKAGES = {
    "libc.so.6": _C_LIBRARY,
    "libm.so.6": _C_LIBRARY,
    "libdl.so.2": _C_LIBRARY,
    "libpthread.so.0": _C_LIBRARY,
    "libresolv.so.2": _C_LIBRARY,
    "librt.so.1": _C_LIBRARY,
    "libutil.so.1": _C_LIBRARY,
    "ld-linux-x86-64.so.2": _C_LIBRARY,
    "ld-linux-aarch64.so.1": _C_LIBRARY,
    "ld-linux-armhf.so.3": _C_LIBRARY,
    "libatomic.so.1": "libatomic1",
    "libgcc_s.so.1": "libgcc-s1",
    "libstdc++.so.6": "libstdc++6",
    "libz.so.1": "zlib1g",
}


def depends(program: Path) -> list[str]:
    """What the bundle with this `program` depends on, as in a control file, such as `libc6 (>= 2.36)`.

    The program is loaded before its own libraries are found, so that it uses the system's. All other files find those of the
    bundle.

    Raises:
        Problem: a library is neither in the bundle nor in a package that is known here.
    """
    folder = program.parent
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    bundled = {path.name for path in folder.rglob("*.so*")}
    packages = {_C_LIBRARY}
    for path in paths:
        if found := elf.read(path):
            outside = [name for name in found.needed if path == program or name not in bundled]
            packages.update(_package(name, path.relative_to(folder)) for name in outside)
    versioned = "{} (>= {}.{})".format(_C_LIBRARY, *needed(paths))
    return sorted(versioned if package == _C_LIBRARY else package for package in packages)


def _package(library: str, path: Path) -> str:
    try:
        return _PACKAGES[library]
    except KeyError:
        raise Problem(f"{path} needs {library}, which is not in the bundle: add its package to builder/depends.py") from None
