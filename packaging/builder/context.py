"""The file system of an image: the bundle, and what it needs of a system."""

import re
import shutil
import tarfile
from pathlib import Path
from typing import Any, NamedTuple

from builder.dpkg import owners
from builder.libraries import libraries
from builder.problem import Problem

USER = 65532  # far from the users of a host
PLACE = "usr/lib/edgeclients"

_NAME = re.compile(r"(edgeclients-(?P<version>[^/]+)-linux-(?P<arch>[a-z0-9]+))\.tar\.xz")
_SAFELY: Any = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}  # the first releases of 3.11 lack it
_AUTHORITIES = Path("/usr/share/ca-certificates/mozilla")
_EMPTY = {"dev": 0o755, "proc": 0o755, "run": 0o755, "sys": 0o755, "tmp": 0o1777}
_TEXTS = {
    "etc/passwd": f"root:x:0:0:root:/:/sbin/nologin\nedgeclients:x:{USER}:{USER}:edgeclients:/data:/sbin/nologin\n",
    "etc/group": f"root:x:0:\nedgeclients:x:{USER}:\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
}


class Bundle(NamedTuple):
    """A one-directory bundle as an archive."""

    path: Path
    name: str
    version: str
    arch: str

    @classmethod
    def named(cls, path: Path) -> "Bundle":
        """The bundle in a file, whose name says which one it is.

        Raises:
            Problem: there is no such file, or it has another name.
        """
        found = _NAME.fullmatch(path.name)
        if found is None:
            raise Problem(f"{path} is no bundle: name a file such as edgeclients-1.0.0-linux-amd64.tar.xz")
        if not path.is_file():
            raise Problem(f"there is no file {path}: make it with packaging/build")
        return cls(path, found[1], found["version"], found["arch"])

    def unpack(self, place: Path) -> int:
        """Lay its content at `place`; returns when its newest file was written.

        Raises:
            Problem: the archive is damaged, or another one.
        """
        beside = place.with_name(f".{place.name}")
        beside.mkdir(parents=True)
        try:
            with tarfile.open(self.path, "r:xz") as archive:
                archive.extractall(beside, **_SAFELY)  # noqa: S202 - it is ours
                newest = max((member.mtime for member in archive.getmembers()), default=0)
        except (tarfile.TarError, EOFError, ValueError) as error:
            raise Problem(f"{self.path} cannot be unpacked ({error}): copy or build it again") from error
        if [one.name for one in beside.iterdir()] != [self.name] or not (beside / self.name / "edgeclients").is_file():
            raise Problem(f"{self.path} does not hold {self.name}/edgeclients: name a bundle of packaging/build")
        (beside / self.name).rename(place)
        beside.rmdir()
        return int(newest)


def lay_out(bundle: Bundle, context: Path) -> int:
    """Begin the context of Containerfile with the bundle; returns when its newest file was written.

    Args:
        bundle: what the image runs.
        context: an empty folder.

    Raises:
        Problem: the bundle is damaged, or another one.
    """
    files = context / "files"
    (context / "data").mkdir(mode=0o700)
    newest = bundle.unpack(files / PLACE)
    (files / "usr/bin").mkdir()
    (files / "usr/bin/edgeclients").symlink_to("../lib/edgeclients/edgeclients")
    return newest


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
