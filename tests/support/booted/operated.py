"""One boot in which an administrator types the commands of the pages on operations."""

from pathlib import Path

from tests.support.booted import calls
from tests.support.booted.machine import STATE, Plan, state
from tests.support.booted.recording import Facts, Step, keep_client, kept_client


def quick_start(plan: Plan) -> Facts:
    """The package is installed, and the first steps are taken. One more client stays."""
    ended = plan.block("quick start")
    keep_client(plan, calls.created(calls.token()))
    return {**ended._asdict(), **state()}


def restored(plan: Plan) -> Facts:
    """A backup is made and put in place of everything that was there."""
    return _typed(plan, "backup")


def space_freed(plan: Plan) -> Facts:
    """What can be removed is."""
    return _typed(plan, "disk full")


def pepper_rotated(plan: Plan) -> Facts:
    """A second pepper comes first."""
    return _typed(plan, "rotate")


def pepper_gone(plan: Plan) -> Facts:
    """Every secret has been used since then, so the old one can go."""
    return _typed(plan, "finish")


def package_upgraded(plan: Plan) -> Facts:
    """The package is installed again."""
    return _typed(plan, "upgrade package")


def bundle_upgraded(plan: Plan) -> Facts:
    """A bundle takes the place of the program."""
    return {**_typed(plan, "upgrade bundle"), "program": str(Path("/usr/bin/edgeclients").resolve())}


def certified(plan: Plan) -> Facts:
    """Both ports get certificates, and new ones later."""
    return {**plan.block("certificates")._asdict(), **state()}


def removed(plan: Plan) -> Facts:
    """The package is removed."""
    return {**plan.block("remove")._asdict(), "database": (STATE / "clients.db").exists()}


def purged(plan: Plan) -> Facts:
    """It is purged."""
    return {**plan.block("purge")._asdict(), "state": STATE.exists()}


STEPS: tuple[Step, ...] = (
    quick_start,
    restored,
    space_freed,
    pepper_rotated,
    pepper_gone,
    package_upgraded,
    bundle_upgraded,
    certified,
    removed,
    purged,
)


def _typed(plan: Plan, block: str) -> Facts:
    """How the commands ended, and whether the client that stays authenticates afterwards."""
    ended, client = plan.block(block), kept_client(plan)
    return {**ended._asdict(), "incomplete": "incomplete" in str(calls.asked("/ready")), "known": _knows(client), **state()}


def _knows(client: dict[str, str]) -> bool:
    return calls.authenticated(client) == client["id"]
