"""The measurements run; what they measure is not judged here."""

import subprocess
import sys

from tests.perf.__main__ import MEASUREMENTS


def test_every_budget_has_a_row() -> None:
    """A short run ends well and prints them all."""
    done = subprocess.run([sys.executable, "-m", "tests.perf", "--quick"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    printed = {line.split(" ")[0] for line in done.stdout.splitlines()}
    assert {*MEASUREMENTS, "memory"} <= printed
