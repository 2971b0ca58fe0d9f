"""Parts of `packaging/package`: what a bundle needs, read off its files, and the changelog in Debian's form."""

import platform
import struct
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "packaging"))

from builder import elf
from builder.changelog import debian_changelog
from builder.unpack import debian_version

MACHINES = {"x86_64": 62, "aarch64": 183, "armv7l": 40}
ARM = 40
ADDRESS = 0x1000

CHANGELOG = """\
# Changelog

## [Unreleased]

### Added

* A thing that
  needs two lines, and words enough to be broken once more, as a line of a changelog is short.

## [0.2.0] - 2026-03-01

### Fixed

#### Storage

- One fault.
- Another.

## 0.1.0 - 2026-01-31

* The first version.

[Unreleased]: https://example.org
"""
MAINTAINER = "Somebody <somebody@example.org>"


def library(*needed: str) -> bytes:
    """A library of 32 bits for ARM that has nothing but a list of other libraries."""
    strings = b"\0" + b"".join(name.encode() + b"\0" for name in needed)
    places = [strings.index(name.encode()) for name in needed]
    start = 52 + 2 * 32
    dynamic = b"".join(struct.pack("<II", 1, place) for place in places) + struct.pack("<IIII", 5, ADDRESS + start, 0, 0)
    size = start + len(strings) + len(dynamic)
    header = b"\x7fELF\x01\x01\x01".ljust(16, b"\0") + struct.pack("<HHIIIIIHHHHHH", 3, ARM, 1, 0, 52, 0, 0, 52, 32, 2, 0, 0, 0)
    load = struct.pack("<IIIIIIII", 1, 0, ADDRESS, ADDRESS, size, size, 5, 4096)
    at = start + len(strings)
    segment = struct.pack("<IIIIIIII", 2, at, ADDRESS + at, ADDRESS + at, len(dynamic), len(dynamic), 6, 4)
    return header + load + segment + strings + dynamic


def test_what_a_program_needs() -> None:
    found = elf.read(Path("/bin/sh"))
    assert found
    assert found.machine == MACHINES[platform.machine()]
    assert "libc.so.6" in found.needed
    assert Path(found.loader).exists()


def test_what_a_library_of_32_bits_needs(tmp_path: Path) -> None:
    path = tmp_path / "library.so"
    path.write_bytes(library("libc.so.6", "libz.so.1"))
    assert elf.read(path) == elf.Elf(ARM, ("libc.so.6", "libz.so.1"), "")


@pytest.mark.parametrize("size", range(0, 200, 7))
def test_a_library_that_is_cut_short_is_none(size: int, tmp_path: Path) -> None:
    whole = library("libc.so.6")
    assert size < len(whole) or size > 100
    path = tmp_path / "library.so"
    path.write_bytes(whole[:size] if size < len(whole) else b"\x7fELF\x01\x02" + whole[6:])
    assert elf.read(path) is None


def test_a_release_has_its_changes_and_those_before() -> None:
    text = debian_changelog(CHANGELOG, "0.2.0", 0, MAINTAINER)
    assert (
        text
        == """\
edgeclients (0.2.0) unstable; urgency=medium

  [ Fixed: Storage ]
  * One fault.
  * Another.

 -- Somebody <somebody@example.org>  Sun, 01 Mar 2026 00:00:00 +0000

edgeclients (0.1.0) unstable; urgency=medium

  * The first version.

 -- Somebody <somebody@example.org>  Sat, 31 Jan 2026 00:00:00 +0000
"""
    )


def test_a_version_that_is_not_listed_has_what_is_not_released() -> None:
    text = debian_changelog(CHANGELOG, "0.3.0.dev1", 1_750_000_000, MAINTAINER)
    assert text.startswith("""\
edgeclients (0.3.0~~dev1) unstable; urgency=medium

  [ Added ]
  * A thing that needs two lines, and words enough to be broken once more, as a
    line of a changelog is short.

 -- Somebody <somebody@example.org>  Sun, 15 Jun 2025 15:06:40 +0000

edgeclients (0.2.0)""")
    assert "(0.1.0)" in text


def test_a_version_without_changes_says_so() -> None:
    assert "  * This version is between two releases.\n" in debian_changelog("# Changelog\n", "1.0", 0, MAINTAINER)


def test_versions_before_a_release_are_older_for_debian() -> None:
    """A tilde sorts before the end of a version."""
    versions = {"1.0.dev1": "1.0~~dev1", "1.0a1": "1.0~a1", "1.0rc2": "1.0~rc2", "1.0": "1.0", "1.0+dev1": "1.0+dev1"}
    assert {version: debian_version(version) for version in versions} == versions
