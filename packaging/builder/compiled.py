"""Wheels of distributions that publish none for an architecture: compiled once, from the locked sources, and kept."""

import hashlib
import platform
import shutil
import tempfile
from collections.abc import Iterator, Set
from pathlib import Path

from builder import pip
from builder.cache import cache

HOUSE = "wheels"
"""The cache's folder for them."""


def split(locks: tuple[Path, ...], names: set[str], absent: Set[str] = frozenset()) -> tuple[list[str], list[str]]:
    """The entries of lock files, each with its hashes: those of `names`, and the others that are not `absent`."""
    entries = [entry for lock in locks for entry in _entries(lock) if _name(entry) not in absent]
    return [one for one in entries if _name(one) in names], [one for one in entries if _name(one) not in names]


def wheels(python: Path, entries: list[str]) -> list[Path]:
    """The wheel of each entry. What it is compiled from has one of the locked hashes; that is the name it is kept under.

    Raises:
        Problem: one cannot be compiled.
    """
    return [_wheel(python, entry) for entry in entries]


def _wheel(python: Path, entry: str) -> Path:
    key = hashlib.sha256(f"{platform.python_version()} {entry}".encode()).hexdigest()[:16]
    kept = cache(HOUSE) / f"{_name(entry)}-{key}"
    if not kept.exists():
        with tempfile.TemporaryDirectory(dir=kept.parent, prefix=".compiling-") as scratch:
            lock, made = Path(scratch) / "lock", Path(scratch) / "made"
            lock.write_text(entry)
            pip.compile_locked(python, _name(entry), lock, made)
            shutil.move(made, kept)
    (wheel,) = kept.glob("*.whl")
    return wheel


def _entries(lock: Path) -> Iterator[str]:
    """Each requirement with the lines that continue it."""
    entry = ""
    for line in lock.read_text().splitlines(keepends=True):
        if line.strip() and not line.startswith("#"):
            entry += line
            if not line.rstrip().endswith("\\"):
                yield entry
                entry = ""


def _name(entry: str) -> str:
    return entry.partition("==")[0].strip()
