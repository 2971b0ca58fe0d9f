"""The third boot: the root is read-only, and the state directory is empty and in memory."""

import errno
from pathlib import Path

from tests.support.booted import calls
from tests.support.booted.machine import STATE, UNIT, Plan, is_active, require, state
from tests.support.booted.recording import Facts, Step, keep_client, kept_client
from tests.support.waiting import wait_until


def served(plan: Plan) -> Facts:
    """The first start, with both credentials."""
    wait_until(is_active, "the service")
    client = calls.created(Path("/etc/credstore/edgeclients.token").read_text().strip())
    keep_client(plan, client)
    return {
        "refused": {path: errno.errorcode.get(_refused(Path(path)), "") for path in ("/usr", "/etc", "/var", "/var/lib")},
        "files": sorted(path.name for path in STATE.iterdir()),
        "client": client,
        "authenticated": calls.authenticated(client),
        **state(),
    }


def restarted(plan: Plan) -> Facts:
    """The state outlives a restart."""
    require("systemctl", "restart", UNIT)
    client = kept_client(plan)
    return {"client": client, "authenticated": calls.authenticated(client), **state()}


STEPS: tuple[Step, ...] = (served, restarted)


def _refused(folder: Path) -> int:
    """Why no file can be made there; 0 if one can."""
    try:
        (folder / "check").touch()
    except OSError as error:
        return error.errno or 0
    return 0
