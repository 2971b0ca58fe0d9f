"""The tasks of `.justfile`: one list, which people, CI and pre-commit use."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def tasks() -> dict[str, dict[str, Any]]:
    """Every task that people can call, by name."""
    just = shutil.which("just", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    assert just
    dump = [just, "--justfile", str(ROOT / ".justfile"), "--dump", "--dump-format", "json"]
    dumped = json.loads(subprocess.run(dump, capture_output=True, text=True, check=True).stdout)
    return {name: task for name, task in dumped["recipes"].items() if not task["private"]}


@pytest.fixture(scope="module")
def checks(tasks: dict[str, dict[str, Any]]) -> set[str]:
    """The tasks that must hold before a change lands."""
    return {dependency["recipe"] for dependency in tasks["check"]["dependencies"]}


def test_every_task_says_what_it_does(tasks: dict[str, dict[str, Any]]) -> None:
    assert [name for name, task in tasks.items() if not task["doc"]] == []


def test_contributing_explains_every_task(tasks: dict[str, dict[str, Any]]) -> None:
    rows = re.findall(r"^\| `just (\w+)` \|", (ROOT / ".github" / "CONTRIBUTING.md").read_text(), re.MULTILINE)
    assert sorted(rows) == sorted(tasks)


def test_ci_runs_every_check(checks: set[str]) -> None:
    called = re.findall(r"^\.venv/bin/just ([\w ]+?) (?=>|\|\|)", (ROOT / ".ci" / "run").read_text(), re.MULTILINE)
    names = [name for call in called for name in call.split()]
    assert sorted(names) == sorted(checks)


def test_pre_commit_runs_every_check_without_the_network(checks: set[str]) -> None:
    hooks = (ROOT / ".pre-commit-config.yaml").read_text()
    entries = re.findall(r"^ +entry: (.+)$", hooks, re.MULTILINE)
    assert sorted(entries) == sorted(f".venv/bin/just {name}" for name in checks)
    assert re.findall(r"^ +language: (.+)$", hooks, re.MULTILINE) == ["system"] * len(entries)
    assert re.findall(r"^ +- repo: (.+)$", hooks, re.MULTILINE) == ["local"]
    assert "://" not in hooks
