"""A bundle as `packaging/build` makes it: `edgeclients-VERSION-linux-ARCHITECTURE.tar.xz`."""

import lzma
import posixpath
import re
import shutil
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from builder import elf
from builder.architecture import ARCHITECTURES
from builder.problem import Problem

PROGRAM = "edgeclients"
_SUFFIX = ".tar.xz"
_NAME = re.compile(r"edgeclients-(?P<version>\d[\w.+]*)-linux-(?P<architecture>[a-z0-9]+)")


@dataclass(frozen=True)
class Bundle:
    """A bundle in a folder.

    Attributes:
        folder: where it was unpacked.
        version: the program's version.
        architecture: Debian's name of its architecture.
        newest: when its newest file was written, in seconds since 1970.
    """

    folder: Path
    version: str
    architecture: str
    newest: int

    @property
    def program(self) -> Path:
        """The file to run."""
        return self.folder / PROGRAM


def identify(archive: Path) -> tuple[str, str]:
    """Version and architecture of a bundle, as the name of its archive has them.

    Raises:
        Problem: there is no such file, or it has another name.
    """
    found = _NAME.fullmatch(archive.name.removesuffix(_SUFFIX))
    if found is None or archive.suffixes[-2:] != [".tar", ".xz"]:
        raise Problem(f"{archive} is no bundle: name a file such as edgeclients-1.0.0-linux-amd64{_SUFFIX}")
    if not archive.is_file():
        raise Problem(f"there is no file {archive}: make it with packaging/build")
    return found["version"], found["architecture"]


def debian_version(version: str) -> str:
    """Python's `version` as Debian writes it: `1.0rc1` and `1.0.dev1` come before `1.0`."""
    public, plus, local = version.partition("+")
    public = re.sub(r"(a|b|rc)(\d+)", r"~\1\2", public)
    return re.sub(r"\.?dev(\d+)", r"~~dev\1", public) + plus + local


def unpack(archive: Path, folder: Path) -> Bundle:
    """The bundle in `archive`, unpacked as `folder`.

    Raises:
        Problem: there is no such file, or it is not a bundle.
        OSError: `folder` cannot be written.
    """
    if not archive.is_file():
        raise Problem(f"{archive}: there is no such bundle: make it with packaging/build")
    try:
        with tarfile.open(archive, "r:xz") as opened:
            top, newest = _unpack(opened, folder)
    except (tarfile.TarError, lzma.LZMAError, EOFError, _NotABundleError) as error:
        raise Problem(f"{archive} is not a bundle of packaging/build: {str(error) or 'it is cut short'}") from None
    found = _NAME.fullmatch(top)
    if not found or found["architecture"] not in ARCHITECTURES:
        raise Problem(f"{archive} is not a bundle of packaging/build: its folder is {top!r}")
    bundle = Bundle(folder, found["version"], found["architecture"], newest)
    program = elf.read(bundle.program) if bundle.program.is_file() else None
    if program is None:
        raise Problem(f"{archive} is not a bundle of packaging/build: it has no program {PROGRAM}")
    if program.machine != ARCHITECTURES[bundle.architecture].elf:
        raise Problem(f"{archive} holds a program for another architecture than {bundle.architecture}: build it again")
    return bundle


class _NotABundleError(Exception):
    """What is wrong with the archive."""


def _unpack(archive: tarfile.TarFile, folder: Path) -> tuple[str, int]:
    """The name of the archive's one folder, which becomes `folder`, and the time of its newest file."""
    tops: set[str] = set()
    newest = 0
    folder.mkdir()
    for member, path in _members(archive):
        tops.add(path.parts[0])
        newest = max(newest, int(member.mtime))
        if len(tops) > 1:
            raise _NotABundleError("it has more than one folder")
        place = folder.joinpath(*path.parts[1:])
        if place != folder and not place.parent.resolve().is_relative_to(folder.resolve()):  # through several links
            raise _NotABundleError(f"{member.name} leads out of it")
        try:
            _write(archive, member, place)
        except FileExistsError:
            raise _NotABundleError(f"{member.name} stands twice") from None
    if not tops:
        raise _NotABundleError("it is empty")
    return tops.pop(), newest


def _members(archive: tarfile.TarFile) -> Iterator[tuple[tarfile.TarInfo, PurePosixPath]]:
    for member in archive:
        path = PurePosixPath(posixpath.normpath(member.name))
        target = posixpath.normpath(path.parent / member.linkname) if member.issym() else str(path)
        if {path.parts[0], target.split("/")[0]} & {"/", "", "..", "."}:
            raise _NotABundleError(f"{member.name} leads out of it")
        yield member, path


def _write(archive: tarfile.TarFile, member: tarfile.TarInfo, place: Path) -> None:
    if member.isdir():
        place.mkdir(parents=True, exist_ok=True)
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    if member.issym():
        place.symlink_to(member.linkname)
    elif content := archive.extractfile(member):
        with place.open("xb") as file:
            shutil.copyfileobj(content, file)
        # Libraries are loaded, not run.
        place.chmod(0o755 if member.mode & 0o100 and ".so" not in place.suffixes else 0o644)
    else:
        raise _NotABundleError(f"{member.name} is no file")
