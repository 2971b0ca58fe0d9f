"""Which C library a bundle needs, read off its files."""

import re
from collections.abc import Iterable
from pathlib import Path

_ELF = b"\x7fELF"
_WANTED = re.compile(rb"\0GLIBC_(\d+)\.(\d+)(?:\.\d+)?(?=\0)")


def needed(files: Iterable[Path]) -> tuple[int, int]:
    """The newest version of the C library that a symbol in `files` asks for; (0, 0) if none does.

    The names of versions stand in each ELF file as text, whatever its architecture.
    """
    wanted = [(0, 0)]
    for path in files:
        if path.is_file() and not path.is_symlink():
            content = path.read_bytes()
            if content.startswith(_ELF):
                wanted += [(int(major), int(minor)) for major, minor in _WANTED.findall(content)]
    return max(wanted)
