"""The first boot: the service is installed, started, reloaded and stopped, and everything goes wrong that can."""

import contextlib
import grp
import os
import pwd
import shutil
import signal
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.support.booted import calls
from tests.support.booted.machine import (
    BACKUP_TIMER,
    BACKUP_UNIT,
    BACKUPS,
    SETTINGS,
    STATE,
    UNIT,
    Log,
    Plan,
    drop_in,
    pid,
    require,
    run,
    settings,
    state,
    talkative,
    wait_for_restart,
)
from tests.support.booted.recording import Facts, Step, keep_client, kept_client
from tests.support.waiting import wait_until

_IN_STATUS = ("Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp")
_WATCHDOG = 20  # seconds; a sound service pings twice as often
_LOW_PORT = 443
_CERTIFICATES = Path("/etc/edgeclients-certificates")


def installed(plan: Plan) -> Facts:
    """Install and start it; the calls follow at once, so READY must have come when they can be answered."""
    ended = plan.script(plan.install) if plan.install else plan.block("Install")
    status, document = calls.asked("/ready")
    names = ("Type", "WatchdogUSec", "RestartUSec", "UnitFileState", "FragmentPath")
    return {**ended._asdict(), "ready": [status, document["status"]], **state(), **state(*names)}


def served(plan: Plan) -> Facts:
    """An operator creates a client, and a broker authenticates it."""
    shown = plan.block("Install", 1)
    client = calls.created(shown.output.strip())
    keep_client(plan, client)
    denied = calls.authenticated({**client, "secret": "wrong"})
    return {"token": shown, "client": client, "authenticated": calls.authenticated(client), "denied": denied}


def confined(_: Plan) -> Facts:
    """Who the process is, and what it may."""
    lines = Path(f"/proc/{pid()}/status").read_text().splitlines()
    status = dict(line.split(":", 1) for line in lines)
    found = STATE.stat()
    return {
        **{name: status[name].split() for name in _IN_STATUS},
        "user": [pwd.getpwnam("edgeclients").pw_uid, grp.getgrnam("edgeclients").gr_gid],
        "directory": [found.st_uid, found.st_gid, oct(found.st_mode & 0o7777)],
    }


def described(plan: Plan) -> Facts:
    """What an administrator sees."""
    return {"shown": plan.block("State and log")}


def backed_up(plan: Plan) -> Facts:
    """A backup is made now, and will be each night."""
    ended = plan.block("Daily backups")
    (made,) = BACKUPS.iterdir()
    found = made.stat()
    return {
        **ended._asdict(),
        "timer": state("ActiveState", "UnitFileState", "NextElapseUSecRealtime", unit=BACKUP_TIMER),
        "unit": state("ActiveState", "Result", "ExecMainStatus", unit=BACKUP_UNIT),
        "made": [made.name, pwd.getpwuid(found.st_uid).pw_name, oct(found.st_mode & 0o7777)],
        "left": [path.name for path in BACKUPS.iterdir()],
    }


def killed(plan: Plan) -> Facts:
    """The process ends without a word."""
    before, log = state(), Log()
    os.kill(int(before["MainPID"]), signal.SIGKILL)
    wait_for_restart(before)
    return _restarted(plan, before, log)


def pinged(plan: Plan) -> Facts:
    """A sound service feeds the watchdog."""
    with _watched(plan):
        before, seen = state(), {_last_ping()}

        def often() -> bool:
            seen.add(_last_ping())
            return len(seen) > 3

        wait_until(often, "pings")
        return {"before": before, "after": state()}


def stopped_by_a_signal(plan: Plan) -> Facts:
    """The process does not run, so it does not ping."""
    with _watched(plan):
        before, log = state(), Log()
        os.kill(int(before["MainPID"]), signal.SIGSTOP)
        wait_for_restart(before)
        return _restarted(plan, before, log)


def blocked(plan: Plan) -> Facts:
    """The event loop does not turn, though the process runs."""
    with _watched(plan):
        before, log = state(), Log()
        with socket.create_connection(("localhost", calls.HTTP_PORT)) as caller:
            request = f"GET /{calls.DOMAIN}/clients HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer block\r\n\r\n"
            caller.sendall(request.encode())
            wait_until((STATE / "blocked").exists, "a loop that is blocked")
            status = Path(f"/proc/{before['MainPID']}/status").read_text()
            wait_for_restart(before)
        return {**_restarted(plan, before, log), "process": status}


def reloaded(plan: Plan) -> Facts:
    """Certificates are exchanged while it serves."""
    _exchange(plan, "before")
    files = {
        f"MG_CLIENTS_{server}_SERVER_{part}": str(_CERTIFICATES / name)
        for server in ("HTTP", "GRPC")
        for part, name in (("CERT", "certificate"), ("KEY", "key"))
    }
    with settings(files):
        require("systemctl", "restart", UNIT)
        process, shown = pid(), _issuers(plan)
        _exchange(plan, "after")
        with talkative():
            log = Log()
            ended = plan.block("Settings")
            assert ended.code == 0, ended.output
            wait_until(lambda: set(_issuers(plan)) == {"after"}, "the new certificates")
            text = log.wait_for("Changed reload -> running")
        notified = [line for line in text.splitlines() if "Got notification message" in line]
        facts = {"before": shown, "same process": process == pid(), "notified": notified, "log": text, **state()}
    require("systemctl", "restart", UNIT)
    return facts


def misconfigured(_: Plan) -> Facts:
    """A wrong setting stays wrong, so systemd does not try again."""
    with settings({"MG_CLIENTS_HTTP_PORT": "many"}):
        ended, found = run("systemctl", "restart", UNIT), state()
        shown = run("systemctl", "status", UNIT)
    require("systemctl", "restart", UNIT)
    return {"restart": ended, "shown": shown, "state": found, "repaired": state()}


def dropped_in(plan: Plan) -> Facts:
    """The drop-ins of the page, one after the other."""
    return {"client": kept_client(plan), "seen": {text: _with_drop_in(plan, text) for text in plan.drop_ins}}


def stopped(plan: Plan) -> Facts:
    """A clean end, and a start with the same state."""
    log = Log()
    ended, found = run("systemctl", "stop", UNIT), state()
    text = log.wait_for("Deactivated successfully")
    require("systemctl", "start", UNIT)
    client = kept_client(plan)
    return {"stop": ended, **found, "log": text, "client": client, "authenticated": calls.authenticated(client)}


def pepper_moved(plan: Plan) -> Facts:
    """The pepper that hashes were made with becomes a credential."""
    ended = plan.block("Credentials", 1)
    return {
        **ended._asdict(),
        "in the data directory": (STATE / "pepper").exists(),
        "client": kept_client(plan),
        "authenticated": calls.authenticated(kept_client(plan)),
        **state(),
    }


def token_given(plan: Plan) -> Facts:
    """The operator's token becomes a credential, too."""
    old = calls.token()
    ended = plan.block("Credentials", 2)
    new = Path("/etc/credstore/edgeclients.token").read_text().strip()
    path = f"/{calls.DOMAIN}/clients"
    return {
        **ended._asdict(),
        "old": calls.asked(path, bearer=old)[0],
        "new": calls.asked(path, bearer=new)[0],
        "settings": SETTINGS.read_text(),
    }


def administered(plan: Plan) -> Facts:
    """A command outside of the unit finds the credentials: the token that it makes works."""
    ended = plan.block("Credentials", 3)
    made = ended.output.split()[-1:]
    return {**ended._asdict(), "status": calls.asked(f"/{calls.DOMAIN}/clients", bearer="".join(made))[0]}


def sealed(plan: Plan) -> Facts:
    """A backup with the pepper, which is a credential by now, to somebody outside of the machine."""
    folder = Path(f"/etc/systemd/system/{BACKUP_UNIT}.d")
    folder.mkdir()
    (folder / "override.conf").write_text(plan.backup_drop_in)
    require("systemctl", "daemon-reload")
    ended, found = run("systemctl", "start", BACKUP_UNIT), state("ActiveState", "Result", unit=BACKUP_UNIT)
    for path in BACKUPS.glob("*.age"):
        shutil.copy(path, plan.folder / "backup.age")
    shown = require("journalctl", "--quiet", f"--unit={BACKUP_UNIT}", "--output=cat")
    return {
        **ended._asdict(),
        **found,
        "journal": shown,
        "pepper": Path("/etc/credstore/edgeclients.pepper").read_bytes().hex(),
    }


STEPS: tuple[Step, ...] = (
    installed,
    served,
    confined,
    described,
    backed_up,
    killed,
    pinged,
    stopped_by_a_signal,
    blocked,
    reloaded,
    misconfigured,
    dropped_in,
    stopped,
    pepper_moved,
    token_given,
    administered,
    sealed,
)


def _restarted(plan: Plan, before: Mapping[str, str], log: Log) -> dict[str, Any]:
    client = kept_client(plan)
    answered = calls.authenticated(client)
    return {"before": before, "after": state(), "client": client, "authenticated": answered, "log": log.text()}


def _last_ping() -> str:
    return state("WatchdogTimestampMonotonic")["WatchdogTimestampMonotonic"]


@contextlib.contextmanager
def _watched(plan: Plan) -> Iterator[None]:
    """A service with an impatient watchdog, and an authenticator that can block the loop."""
    bundle = Path("/usr/bin/edgeclients").resolve().parent / "_internal"
    shutil.copytree(plan.folder / "plugin", bundle, dirs_exist_ok=True)
    with drop_in(f"[Service]\nWatchdogSec={_WATCHDOG}\nEnvironment=MG_CLIENTS_AUTH_PLUGIN=blocking\n"):
        yield


def _exchange(plan: Plan, name: str) -> None:
    """Put a certificate and its key where the settings find them."""
    _CERTIFICATES.mkdir(exist_ok=True)
    for part in ("certificate", "key"):
        path = _CERTIFICATES / part
        shutil.copy(plan.folder / f"{name}.{part}", path)
        path.chmod(0o600)
        shutil.chown(path, "edgeclients", "edgeclients")


def _issuers(plan: Plan) -> list[str]:
    return [calls.issuer(port, plan.folder / "authorities") for port in (calls.HTTP_PORT, calls.GRPC_PORT)]


def _with_drop_in(plan: Plan, text: str) -> dict[str, Any]:
    port = _LOW_PORT if "CAP_NET_BIND_SERVICE" in text else calls.HTTP_PORT
    with drop_in(f"{text}\n[Service]\nEnvironment=MG_CLIENTS_HTTP_PORT={port}\n"):
        answered = calls.authenticated(kept_client(plan))
        return {"health": calls.asked("/health", port=port)[0], "authenticated": answered, **state()}
