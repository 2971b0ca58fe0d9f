"""Which backups of a folder stay."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeclients.ops.backup.retention import Kept, names_of, outdated, rule

LAST = datetime(2026, 11, 26, 3, 30, tzinfo=UTC)  # a Thursday


def named(at: datetime, *, encrypted: bool = False) -> str:
    return next(names_of(int(at.timestamp()) * 1_000_000, encrypted=encrypted))


def kept(names: list[str], text: str) -> list[str]:
    gone = outdated(names, rule(text))
    return [name for name in names if name not in gone]


def test_a_name_has_the_time_in_it() -> None:
    assert named(LAST) == "edgeclients-20261126T033000Z.tar.gz"
    assert named(LAST, encrypted=True) == "edgeclients-20261126T033000Z.tar.gz.age"


def test_several_of_one_second_have_numbers() -> None:
    names = list(names_of(int(LAST.timestamp()) * 1_000_000, encrypted=False))
    assert (names[1], len(set(names))) == ("edgeclients-20261126T033000Z-2.tar.gz", 999)
    assert kept(names[:12], "5d") == ["edgeclients-20261126T033000Z-12.tar.gz"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("7d,4w", (Kept(7, "d"), Kept(4, "w"))),
        ("1y", (Kept(1, "y"),)),
        ("30d, 12m", (Kept(30, "d"), Kept(12, "m"))),
    ],
)
def test_a_rule(text: str, expected: tuple[Kept, ...]) -> None:
    assert rule(text) == expected


@pytest.mark.parametrize("text", ["", "7", "d", "0d", "07d", "-1d", "7d,", "7h", "7d4w", "7d;4w", "7 d", "99999d", "7D"])
def test_what_is_no_rule(text: str) -> None:
    with pytest.raises(ValueError, match="a rule such as 7d,4w"):
        rule(text)


def test_the_newest_of_each_day_and_week() -> None:
    daily = [LAST - timedelta(days=days) for days in range(60)]
    names = [named(at) for at in daily] + [named(at - timedelta(hours=2)) for at in daily]
    days = [named(at) for at in daily[:7]]
    # Sundays, the last days of the weeks before; this week's newest is today's.
    weeks = [named(datetime(2026, 11, day, 3, 30, tzinfo=UTC)) for day in (22, 15, 8)]
    assert kept(names, "7d") == days
    assert kept(names, "7d,4w") == sorted({*days, *weeks}, reverse=True)
    assert kept(names, "1d,2m") == [named(LAST), named(datetime(2026, 10, 31, 3, 30, tzinfo=UTC))]


def test_days_without_a_backup_do_not_count() -> None:
    """A gateway that was off for a year keeps as many."""
    names = [
        named(LAST),
        named(LAST - timedelta(days=365)),
        named(LAST - timedelta(days=366)),
        named(LAST - timedelta(days=400)),
    ]
    assert kept(names, "3d") == names[:3]


def test_other_files_are_not_looked_at() -> None:
    others = [
        "notes.txt",
        "edgeclients-2026.tar.gz",
        "edgeclients-20261301T000000Z.tar.gz",
        f"{named(LAST)}.part",
        f"x{named(LAST)}",
    ]
    assert outdated([*others, named(LAST), named(LAST - timedelta(days=1))], rule("1d")) == [named(LAST - timedelta(days=1))]


def test_encrypted_and_clear_ones_are_one_series() -> None:
    names = [named(LAST, encrypted=True), named(LAST - timedelta(hours=1))]
    assert kept(names, "2d") == names[:1]


@given(
    hours=st.sets(st.integers(0, 20_000), max_size=60),
    parts=st.lists(st.tuples(st.integers(1, 20), st.sampled_from("dwmy")), min_size=1, max_size=4),
)
def test_the_newest_stays_and_a_second_time_removes_nothing(hours: set[int], parts: list[tuple[int, str]]) -> None:
    names = [named(LAST - timedelta(hours=hour)) for hour in hours]
    text = ",".join(f"{number}{unit}" for number, unit in parts)
    left = kept(names, text)
    assert max(names, default="") in [*left, ""]
    assert outdated(left, rule(text)) == []
    assert len(left) <= sum(number for number, _ in parts)
