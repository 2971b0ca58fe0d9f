"""Take the steps of this boot: `python3 -m tests.support.booted FOLDER`, with the plan in FOLDER."""

import json
import sys
from pathlib import Path

from tests.support.booted import first, operated, second, third
from tests.support.booted.machine import Plan, run
from tests.support.booted.recording import take

PHASES = {"first": first.STEPS, "second": second.STEPS, "third": third.STEPS, "operated": operated.STEPS}


def main() -> None:
    """Take them, and keep the journal."""
    folder = Path(sys.argv[1])
    plan = Plan(folder, json.loads((folder / "plan.json").read_text()))
    try:
        take(PHASES[plan.phase], plan)
    finally:
        (folder / "journal").write_text(run("journalctl", "--boot", "--no-pager", "--output=short-monotonic").output)


main()
