"""The record of a boot: one line of JSON per step, with the facts that it saw, or why it saw none."""

import json
import os
import traceback
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from tests.support.booted.machine import Plan

Facts: TypeAlias = Mapping[str, Any]
Step: TypeAlias = Callable[[Plan], Facts]

RECORD = "record.jsonl"
_CLIENT = "client.json"


def take(steps: Iterable[Step], plan: Plan) -> None:
    """Take the steps in their order; one that fails does not keep the next from being taken."""
    with (plan.folder / RECORD).open("a") as record:
        for step in steps:
            record.write(json.dumps({"step": step.__name__, **_taken(step, plan)}) + "\n")
            record.flush()
            os.fsync(record.fileno())


def keep_client(plan: Plan, client: Mapping[str, str]) -> None:
    """Keep a client's id and secret for later steps and boots."""
    (plan.folder / _CLIENT).write_text(json.dumps(client))


def kept_client(plan: Plan) -> dict[str, str]:
    """What was kept last."""
    found: dict[str, str] = json.loads((plan.folder / _CLIENT).read_text())
    return found


def read(path: Path) -> dict[str, dict[str, Any]]:
    """What was recorded, by step."""
    lines = path.read_text().splitlines() if path.exists() else []
    return {entry["step"]: entry for entry in map(json.loads, lines)}


def _taken(step: Step, plan: Plan) -> dict[str, Any]:
    try:
        return {"facts": step(plan)}
    except Exception:  # noqa: BLE001 - it is recorded
        return {"error": traceback.format_exc()}
