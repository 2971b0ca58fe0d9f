"""`edgeclients doctor`: examines the installation and says what to do."""

import argparse
import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from edgeclients.cli.administration import as_json, do

if TYPE_CHECKING:
    from edgeclients.settings import Settings
    from edgeclients.wiring.doctor import Check


def add_command(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command `doctor`."""
    parser = commands.add_parser(
        "doctor",
        help="examine the installation and say what to do",
        description="Examines settings, data directory, database, pepper, clock, certificates, ports and outbox, and changes "
        "nothing. The service may run or not. The exit code is 0 if all is well, 1 if there is something to see to, and 2 if "
        "something is broken.",
    )
    parser.add_argument("--json", action="store_true", help="print the checks as JSON")
    parser.set_defaults(run=_run)


def _run(parsed: argparse.Namespace) -> int:
    worst = 0

    def work(loaded: "Settings") -> str:
        from edgeclients.wiring.doctor import examine

        nonlocal worst
        checks = examine(loaded, os.environ)
        worst = max(check.status.severity for check in checks)
        return as_json({"checks": [check._asdict() for check in checks]}) if parsed.json else "\n".join(_lines(checks))

    return do(work) or worst


def _lines(checks: "Sequence[Check]") -> Iterator[str]:
    for check in checks:
        yield f"{check.status:8} {check.name:15} {check.message}"
        if check.advice:
            yield f"{'':25}-> {check.advice}"
