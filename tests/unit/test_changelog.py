"""packaging/CHANGELOG.md keeps the form of "Keep a Changelog" 1.1.0, and knows the version of the program."""

import datetime as dt
import re
from pathlib import Path

from packaging.version import Version

from edgeclients import __version__

TEXT = (Path(__file__).resolve().parents[2] / "packaging" / "CHANGELOG.md").read_text()
KINDS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
RELEASES = re.findall(r"^## (.+)$", TEXT, re.MULTILINE)
RELEASE = re.compile(r"\[(\d+\.\d+\.\d+)\] - (\d{4}-\d\d-\d\d)( \[YANKED\])?")


def test_it_begins_with_what_is_not_released() -> None:
    assert TEXT.startswith("# Changelog\n")
    assert RELEASES[0] == "[Unreleased]"


def test_releases_have_a_version_and_a_date_newest_first() -> None:
    found = [RELEASE.fullmatch(release) for release in RELEASES[1:]]
    assert all(found), RELEASES
    released = [(Version(one[1]), dt.date.fromisoformat(one[2])) for one in found if one]
    assert released == sorted(released, reverse=True)
    assert all(version <= Version(__version__) for version, _ in released)


def test_every_change_is_of_a_kind() -> None:
    for section in re.split(r"^## ", TEXT, flags=re.MULTILINE)[1:]:
        kinds = re.findall(r"^### (.+)$", section, re.MULTILINE)
        assert set(kinds) <= KINDS
        assert len(kinds) == len(set(kinds))
