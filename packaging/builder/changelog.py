"""packaging/CHANGELOG.md in the form of Debian's changelogs."""

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime

from builder.unpack import debian_version

_RELEASE = re.compile(r"\[?(?P<version>\d[^\] ]*)\]?( - (?P<date>\d{4}-\d\d-\d\d))?( .*)?")
_HEADING = re.compile(r"^(#{3,4}) +(.+)$", re.MULTILINE)
_ITEM = re.compile(r"^[*-] +(.+(?:\n +\S.*)*)", re.MULTILINE)
_NO_ITEMS = ["  * This version is between two releases."]
_WIDTH = 80


@dataclass
class _Release:
    version: str  # empty: not released
    date: str
    lines: list[str]


def debian_changelog(markdown: str, version: str, moment: int, maintainer: str) -> str:
    """The changelog of the package of `version`: this version and the ones before it.

    Args:
        markdown: the text of CHANGELOG.md, newest release first.
        version: the program's version. If it is not in the text, it has the changes that are not released.
        moment: when a release without a date was made, in seconds since 1970.
        maintainer: who releases, such as `Name <address>`.
    """
    releases = list(_releases(markdown))
    place = next((place for place, release in enumerate(releases) if release.version == version), None)
    if place is None:
        unreleased = next((release.lines for release in releases if not release.version), [])
        listed = [_Release(version, "", unreleased or _NO_ITEMS), *(release for release in releases if release.version)]
    else:
        listed = releases[place:]
    return "\n".join(_entry(release, moment, maintainer) for release in listed)


def _releases(markdown: str) -> Iterator[_Release]:
    for section in re.split(r"^## +", markdown, flags=re.MULTILINE)[1:]:
        head, _, body = section.partition("\n")
        found = _RELEASE.fullmatch(head)
        yield _Release(found["version"] if found else "", (found and found["date"]) or "", list(_lines(body)))


def _lines(body: str) -> Iterator[str]:
    """The items of a release, each group below its heading."""
    kind = ""
    parts = ["", "", *_HEADING.split(body)]
    for depth, heading, text in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
        if depth == "###":
            kind = heading
        items = _ITEM.findall(text)
        if items and heading:
            yield from ("", f"  [ {heading if depth == '###' else f'{kind}: {heading}'} ]")
        for item in items:
            yield from textwrap.wrap(
                " ".join(item.split()),
                _WIDTH,
                initial_indent="  * ",
                subsequent_indent="    ",
                break_long_words=False,
                break_on_hyphens=False,
            )


def _entry(release: _Release, moment: int, maintainer: str) -> str:
    at = datetime.fromisoformat(release.date).replace(tzinfo=UTC) if release.date else datetime.fromtimestamp(moment, UTC)
    head = f"edgeclients ({debian_version(release.version)}) unstable; urgency=medium"
    lines = "\n".join(release.lines or _NO_ITEMS).strip("\n")
    return f"{head}\n\n{lines}\n\n -- {maintainer}  {format_datetime(at)}\n"
