"""The lock files of packaging/: what goes into the executables agrees with what the project asks for."""

import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import Distribution, distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "packaging"))

from builder.architecture import ARCHITECTURES

ROOT = Path(__file__).resolve().parents[2]
PACKAGING = ROOT / "packaging"
LOCKS = ("requirements.lock", "tools.lock")


def locked(name: str) -> dict[str, Version]:
    """The version of each distribution that a lock file names."""
    entries = re.findall(r"^([a-z0-9-]+)==([^ ;\\]+)", (PACKAGING / name).read_text(), re.MULTILINE)
    return {distribution: Version(version) for distribution, version in entries}


def wanted() -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    return [Requirement(line) for line in (*project["dependencies"], *extras["cloud"], *extras["labels"])]


def left_out() -> dict[str, frozenset[str]]:
    """What the executables of some architectures do not have."""
    return {name: one.absent for name, one in ARCHITECTURES.items() if one.absent}


def tools() -> list[Requirement]:
    lines = (PACKAGING / "tools.in").read_text().splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


@pytest.mark.parametrize(
    ("lock", "requirement"),
    [
        *(pytest.param("requirements.lock", one, id=one.name) for one in wanted()),
        *(pytest.param("tools.lock", one, id=one.name) for one in tools()),
    ],
)
def test_a_version_is_locked_that_the_project_allows(lock: str, requirement: Requirement) -> None:
    version = locked(lock)[canonicalize_name(requirement.name)]
    assert requirement.specifier.contains(version)


@pytest.mark.parametrize(("architecture", "names"), left_out().items(), ids=left_out())
def test_what_is_left_out_is_missed_by_nothing_else(architecture: str, names: frozenset[str]) -> None:
    assert names <= locked("requirements.lock").keys()
    installed: dict[str, Distribution] = {canonicalize_name(one.name): one for one in distributions()}
    others = [installed[name] for name in locked("requirements.lock").keys() - names if name in installed]
    missed = {(one.name, name) for one in others for name in needed(one) if name in names}
    assert missed == {("fpdf2", "pillow")}, "it draws no pictures without"


def needed(distribution: Distribution) -> Iterator[str]:
    """What a distribution requires without any extra."""
    for requirement in map(Requirement, distribution.requires or ()):
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            yield canonicalize_name(requirement.name)


@pytest.mark.parametrize("lock", LOCKS)
def test_each_distribution_has_sums_and_no_address(lock: str) -> None:
    text = (PACKAGING / lock).read_text()
    entries = re.split(r"\n(?=\S)", text.strip())
    assert len(entries) == len(locked(lock))
    assert [entry for entry in entries if not re.search(r"--hash=sha256:[0-9a-f]{64}", entry)] == []
    assert "://" not in text


def test_what_both_lock_is_the_same() -> None:
    """They are installed into one environment."""
    first, second = (locked(name) for name in LOCKS)
    assert {name: first[name] for name in first.keys() & second.keys()} == {
        name: second[name] for name in first.keys() & second.keys()
    }
