"""Backups in a folder: their names, which have the time in them, and the rule that says which of them stay."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple

_NAME = re.compile(r"edgeclients-(\d{8}T\d{6}Z)(?:-(\d{1,3}))?\.tar\.gz(?:\.age)?")
_TIME: Final = "%Y%m%dT%H%M%SZ"
_MOST_A_SECOND = 999
_PART = re.compile(r"([1-9]\d{0,3})([dwmy])")

_PERIODS: Final[dict[str, Callable[[datetime], object]]] = {
    "d": lambda at: at.date(),
    "w": lambda at: at.isocalendar()[:2],
    "m": lambda at: (at.year, at.month),
    "y": lambda at: at.year,
}


class Kept(NamedTuple):
    """A part of a rule: the newest backup of each of the last `number` days, weeks, months or years that have one."""

    number: int
    unit: str


def rule(text: str) -> tuple[Kept, ...]:
    """The rule that `text` stands for, such as `7d,4w`.

    Raises:
        ValueError: "`text` is not …".
    """
    parts = [_PART.fullmatch(part.strip()) for part in text.split(",")]
    if not all(parts):
        raise ValueError("a rule such as 7d,4w: numbers of days (d), weeks (w), months (m) or years (y)")
    return tuple(Kept(int(part[1]), part[2]) for part in parts if part)


def names_of(at: int, *, encrypted: bool) -> Iterator[str]:
    """Possible names of a backup that was made at a time, in microseconds since 1970; the first that is free is to be used."""
    moment = datetime.fromtimestamp(at // 1_000_000, UTC)
    for number in range(1, _MOST_A_SECOND + 1):
        yield f"edgeclients-{moment:{_TIME}}{f'-{number}' if number > 1 else ''}.tar.gz{'.age' if encrypted else ''}"


def outdated(names: Iterable[str], wanted: Sequence[Kept]) -> list[str]:
    """Those of `names` that are backups and that the rule does not keep, oldest first; never the newest."""
    found = sorted((made for name in names if (made := _made(name)) is not None), reverse=True)
    kept = set(found[:1])
    for number, unit in wanted:
        newest: dict[object, _Made] = {}
        for made in found:
            newest.setdefault(_PERIODS[unit](made.at), made)
        kept |= set(list(newest.values())[:number])
    return [made.name for made in reversed(found) if made not in kept]


class _Made(NamedTuple):
    """A backup: its time, its number within that second, its name."""

    at: datetime
    number: int
    name: str


def _made(name: str) -> _Made | None:
    """The backup with this name; None for any other file."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    try:
        return _Made(datetime.strptime(match[1], _TIME).replace(tzinfo=UTC), int(match[2] or 1), name)
    except ValueError:
        return None
