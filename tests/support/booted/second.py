"""The second boot of the same machine."""

from tests.support.booted import calls
from tests.support.booted.machine import STATE, UNIT, Plan, is_active, require, state
from tests.support.booted.recording import Facts, Step, kept_client
from tests.support.waiting import wait_until


def kept(plan: Plan) -> Facts:
    """The service starts by itself, with the state that it had."""
    wait_until(is_active, "the service")
    client = kept_client(plan)
    return {"client": client, "authenticated": calls.authenticated(client), **state()}


def judged(plan: Plan) -> Facts:
    """What systemd says of the sandbox."""
    return {"shown": plan.block("Sandbox")}


def pepper_made(plan: Plan) -> Facts:
    """A new pepper for the next boot, which has no state yet."""
    require("systemctl", "stop", UNIT)
    ended = plan.block("Credentials")
    return {**ended._asdict(), "in the data directory": (STATE / "pepper").exists()}


STEPS: tuple[Step, ...] = (kept, judged, pepper_made)
