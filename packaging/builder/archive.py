"""Archives that are the same bytes for the same content."""

import hashlib
import tarfile
from collections.abc import Iterable
from pathlib import Path

_EXECUTABLE, _PLAIN, _FOLDER = 0o755, 0o644, 0o755


def pack(folder: Path, archive: Path, moment: int) -> None:
    """Write `folder` with its name to an archive compressed by xz. Owners are root, and all times are `moment`."""
    with tarfile.open(archive, "w:xz", format=tarfile.PAX_FORMAT, preset=9) as packed:
        for path in (folder, *sorted(folder.rglob("*"))):
            entry = packed.gettarinfo(path, arcname=str(path.relative_to(folder.parent)))
            entry.uid = entry.gid = 0
            entry.uname = entry.gname = "root"
            entry.mtime = moment
            entry.mode = _FOLDER if entry.isdir() else _EXECUTABLE if entry.mode & 0o100 else _PLAIN
            if entry.isreg():
                with path.open("rb") as content:
                    packed.addfile(entry, content)
            else:
                packed.addfile(entry)


def sums(files: Iterable[Path]) -> str:
    """A line for each file, as `sha256sum` writes and checks it."""
    return "".join(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in sorted(files))
