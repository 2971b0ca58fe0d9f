"""The file system of an image: the bundle, and what it needs of a system."""

import shutil
from pathlib import Path

from builder.dpkg import owners
from builder.libraries import libraries
from builder.problem import Problem
from builder.unpack import Bundle, identify, unpack

USER = 65532  # far from the users of a host
PLACE = "usr/lib/edgeclients"

_AUTHORITIES = Path("/usr/share/ca-certificates/mozilla")
_EMPTY = {"dev": 0o755, "proc": 0o755, "run": 0o755, "sys": 0o755, "tmp": 0o1777}
_TEXTS = {
    "etc/passwd": f"root:x:0:0:root:/:/sbin/nologin\nedgeclients:x:{USER}:{USER}:edgeclients:/data:/sbin/nologin\n",
    "etc/group": f"root:x:0:\nedgeclients:x:{USER}:\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
}


def lay_out(archive: Path, context: Path) -> Bundle:
    """Begin the context of Containerfile with the bundle in `archive`.

    Args:
        archive: what packaging/build made.
        context: an empty folder.

    Raises:
        Problem: the bundle is damaged, or another one than its name says.
    """
    place = context / "files" / PLACE
    place.parent.mkdir(parents=True)
    (context / "data").mkdir(mode=0o700)
    bundle = unpack(archive, place)
    if (bundle.version, bundle.architecture) != identify(archive):
        found = f"edgeclients {bundle.version} for {bundle.architecture}"
        raise Problem(f"{archive} does not hold what its name says, but {found}: name a bundle of packaging/build")
    (context / "files/usr/bin").mkdir()
    (context / "files/usr/bin/edgeclients").symlink_to("../lib/edgeclients/edgeclients")
    return bundle


def add_system(context: Path, system: Path, arch: str) -> None:
    """Add what the bundle needs of the system of its architecture whose root is `system`.

    Raises:
        Problem: something is missing there.
    """
    files = context / "files"
    for name, text in _TEXTS.items():
        _write(files / name, text)
    _copy_system(files, system, arch)
    _trust(files)
    for path in files.rglob("*"):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
    for name, mode in _EMPTY.items():
        (files / name).mkdir()
        (files / name).chmod(mode)


def _copy_system(files: Path, system: Path, arch: str) -> None:
    """The C library, and what Debian says of its packages."""
    wanted = libraries(files / PLACE, files / PLACE / "edgeclients", system, arch)
    for path, source in wanted.items():
        target = files / path.relative_to("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        target.chmod(0o755)
    for package in owners(wanted.values(), system):
        _write(files / "var/lib/dpkg/status.d" / package.name, package.record)
        if package.copyright.is_file():
            _write(files / "usr/share/doc" / package.name / "copyright", package.copyright.read_text())
    if (release := system / "etc/os-release").is_file():
        _write(files / "etc/os-release", release.read_text())


def _trust(files: Path) -> None:
    """The public certificate authorities, without those that this machine adds for itself."""
    authorities = sorted(_AUTHORITIES.glob("*.crt"))
    if not authorities:
        raise Problem(f"there are no certificate authorities in {_AUTHORITIES}: install Debian's package ca-certificates")
    _write(files / "etc/ssl/certs/ca-certificates.crt", "".join(path.read_text().rstrip("\n") + "\n" for path in authorities))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
