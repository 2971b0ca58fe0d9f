"""The service in machines that boot: Debian 12 with systemd, the bundle installed as systemd/README.md says, or the package.

Each machine boots three times. What happens inside is in `tests/support/booted`; here it is judged.
"""

import io
import json
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyrage
import pytest

from edgeclients import __version__
from tests.ship.pages import each_root_block
from tests.support import nspawn, pages
from tests.support.certificates import Authority
from tests.support.nspawn import ROOT, Boot, Machine

sys.path.insert(0, str(ROOT / "packaging"))

from builder.architecture import native
from builder.root import debian_root

PAGE = "systemd/README.md"
BLOCKS = [block for block in pages.commands(PAGE) if block.needs_root]
INSTALL = BLOCKS[0]
BACKUPS = "Daily backups"
DROP_INS = [block.text for block in pages.blocks(PAGE) if block.language == "ini" and block.heading != BACKUPS]
WAYS = ("bundle", "package")
STATE = "/var/lib/edgeclients"
PLUGIN = {
    "METADATA": "Metadata-Version: 2.1\nName: blocking\nVersion: 1\n",
    "entry_points.txt": "[edgeclients.auth]\nblocking = blocking:create\n",
}
ALL_IDS = 4  # real, effective, saved, of the file system

pytestmark = pytest.mark.timeout(3600)  # a machine that hangs is ended before


class Boots(NamedTuple):
    """What was seen in the boots of one machine."""

    way: str
    first: Boot
    second: Boot
    third: Boot
    ran: Sequence[str]  # the page's blocks
    backup: bytes  # encrypted
    identity: "pyrage.x25519.Identity"


@pytest.fixture(scope="module", params=WAYS)
def booted(request: pytest.FixtureRequest, artefacts: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Boots]:
    """A machine that was booted three times: fresh, again, and with a read-only root and no state."""
    shared = tmp_path_factory.mktemp("shared")
    install = _share(shared, artefacts, request.param)
    program = nspawn.program(tmp_path_factory.mktemp("nspawn"))
    with debian_root(include=nspawn.INCLUDE) as root:
        machine = Machine(program, root.path, shared)
        identity = pyrage.x25519.Identity.generate()
        first = machine.boot({**_plan("first", install), "backup_drop_in": _backup_drop_in(str(identity.to_public()))})
        second = machine.boot(_plan("second", install))
        third = machine.boot(_plan("third", install), "--read-only", f"--tmpfs={STATE}:mode=0755")
        backup = (shared / "backup.age").read_bytes()
        yield Boots(request.param, first, second, third, machine.ran(), backup, identity)


@pytest.fixture
def first(booted: Boots) -> Boot:
    return _shown(booted.first)


@pytest.fixture
def second(booted: Boots) -> Boot:
    return _shown(booted.second)


@pytest.fixture
def third(booted: Boots) -> Boot:
    return _shown(booted.third)


class TestFirstBoot:
    def test_the_installation_ends_when_it_is_ready(self, first: Boot) -> None:
        found = first["installed"]
        assert found["code"] == 0, found["output"]
        assert found["ready"] == [200, "ready"]
        assert (found["Type"], found["ActiveState"], found["UnitFileState"]) == ("notify", "active", "enabled")
        assert found["StatusText"] == "serving HTTP on http://localhost:9006 and gRPC on localhost:7000"

    def test_the_times_are_those_that_are_shipped(self, first: Boot) -> None:
        assert (first["installed"]["WatchdogUSec"], first["installed"]["RestartUSec"]) == ("2min", "5s")

    def test_an_operator_creates_and_a_broker_authenticates(self, first: Boot) -> None:
        found = first["served"]
        assert found["authenticated"] == found["client"]["id"]
        assert found["denied"] == "status 7"  # PERMISSION_DENIED

    def test_the_process_has_a_user_of_its_own_and_no_privileges(self, first: Boot) -> None:
        found = first["confined"]
        user, group = map(str, found["user"])
        assert (found["Uid"], found["Gid"]) == ([user] * ALL_IDS, [group] * ALL_IDS)
        assert {found[name][0].strip("0") for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {""}
        assert (found["NoNewPrivs"], found["Seccomp"]) == (["1"], ["2"])
        assert found["directory"] == [*found["user"], "0o700"]

    def test_status_and_log_say_how_it_is(self, first: Boot) -> None:
        code, output = first["described"]["shown"]
        assert code == 0, output
        assert 'Status: "serving HTTP on' in output
        logged = [json.loads(line)["msg"] for line in output.splitlines() if line.startswith("{")]
        assert "ready" in logged

    def test_it_is_restarted_when_it_was_killed(self, first: Boot) -> None:
        found = first["killed"]
        _assert_restarted(found, "9/KILL")
        assert int(found["after"]["NRestarts"]) == int(found["before"]["NRestarts"]) + 1

    def test_a_sound_service_is_left_alone(self, first: Boot) -> None:
        assert first["pinged"]["after"] == first["pinged"]["before"]

    @pytest.mark.parametrize("step", ["stopped_by_a_signal", "blocked"])
    def test_the_watchdog_ends_what_does_not_ping(self, first: Boot, step: str) -> None:
        _assert_restarted(first[step], "6/ABRT")
        assert "Watchdog timeout" in first[step]["log"]

    def test_a_loop_was_blocked_in_a_process_that_ran(self, first: Boot) -> None:
        assert "State:\tT" not in first["blocked"]["process"]

    def test_a_reload_exchanges_the_certificates(self, first: Boot) -> None:
        found = first["reloaded"]
        assert found["before"] == ["before"] * 2  # of both servers; then the new ones were waited for
        assert found["same process"]
        assert found["ActiveState"] == "active"
        assert "certificates and keys reloaded" in found["log"]

    def test_systemd_hears_of_a_reload(self, first: Boot) -> None:
        told = [line.partition(" (")[2].split("=")[0] for line in first["reloaded"]["notified"]]
        assert [name for name in told if name in ("RELOADING", "READY")] == ["RELOADING", "READY"]

    def test_a_wrong_setting_ends_it_for_good(self, first: Boot) -> None:
        found = first["misconfigured"]
        code, _ = found["restart"]
        assert code != 0
        state = found["state"]
        assert (state["ActiveState"], state["SubState"], state["ExecMainStatus"]) == ("failed", "failed", "78")
        assert "MG_CLIENTS_HTTP_PORT" in found["shown"][1]
        assert found["repaired"]["ActiveState"] == "active"

    def test_each_drop_in_of_the_page_works(self, first: Boot) -> None:
        found = first["dropped_in"]
        assert list(found["seen"]) == DROP_INS
        for drop_in, facts in found["seen"].items():
            assert (facts["ActiveState"], facts["health"]) == ("active", 200), drop_in
            assert facts["authenticated"] == found["client"]["id"], drop_in

    def test_a_stop_is_clean_and_keeps_the_state(self, first: Boot) -> None:
        found = first["stopped"]
        assert found["stop"][0] == 0, found["stop"]
        assert (found["ActiveState"], found["Result"]) == ("inactive", "success")
        assert (found["ExecMainCode"], found["ExecMainStatus"]) == ("1", "0")  # it exited, with 0
        assert '"msg":"stopped"' in found["log"].replace(": ", ":")
        assert found["authenticated"] == found["client"]["id"]

    def test_the_pepper_can_become_a_credential(self, first: Boot) -> None:
        found = first["pepper_moved"]
        assert found["code"] == 0, found["output"]
        assert not found["in the data directory"]
        assert found["authenticated"] == found["client"]["id"]

    def test_the_token_can_become_a_credential(self, first: Boot) -> None:
        found = first["token_given"]
        assert found["code"] == 0, found["output"]
        assert (found["old"], found["new"]) == (401, 200)
        assert "MG_CLIENTS_STANDALONE_ID=" in found["settings"]

    def test_commands_find_the_credentials(self, first: Boot) -> None:
        found = first["administered"]
        assert found["code"] == 0, found["output"]
        assert found["status"] == 200

    def test_backups_are_made_now_and_each_night(self, first: Boot) -> None:
        found = first["backed_up"]
        assert found["code"] == 0, found["output"]
        assert (found["timer"]["ActiveState"], found["timer"]["UnitFileState"]) == ("active", "enabled")
        assert found["timer"]["NextElapseUSecRealtime"]
        assert found["unit"] == {"ActiveState": "inactive", "Result": "success", "ExecMainStatus": "0"}
        name, *owner = found["made"]
        assert name.endswith(".tar.gz")
        assert owner == ["edgeclients", "0o600"]
        assert found["left"] == [name]

    def test_a_drop_in_adds_the_pepper(self, booted: Boots) -> None:
        found = booted.first["sealed"]
        assert (found["code"], found["Result"]) == (0, "success"), found["journal"]
        with tarfile.open(fileobj=io.BytesIO(pyrage.decrypt(booted.backup, [booted.identity]))) as archive:
            pepper = archive.extractfile("pepper.1")
            assert pepper
            assert pepper.read().hex() == found["pepper"]
            assert "clients.db" in archive.getnames()


class TestSecondBoot:
    def test_it_starts_by_itself_and_has_its_state(self, second: Boot) -> None:
        found = second["kept"]
        assert (found["ActiveState"], found["NRestarts"]) == ("active", "0")
        assert found["authenticated"] == found["client"]["id"]

    def test_the_sandbox_is_as_tight_as_the_page_says(self, second: Boot) -> None:
        code, output = second["judged"]["shown"]
        assert code == 0, output
        exposure = output.split("exposure level for ")[1].split(": ")[1].split(" ")[0]
        assert f"its result is {exposure} " in (ROOT / PAGE).read_text()

    def test_a_pepper_is_made_for_a_new_gateway(self, second: Boot) -> None:
        assert second["pepper_made"]["code"] == 0, second["pepper_made"]["output"]


class TestReadOnlyRoot:
    def test_nothing_but_the_state_can_be_written(self, third: Boot) -> None:
        assert third["served"]["refused"] == dict.fromkeys(["/usr", "/etc", "/var", "/var/lib"], "EROFS")

    def test_it_serves_with_credentials_alone(self, third: Boot) -> None:
        found = third["served"]
        assert found["ActiveState"] == "active"
        assert found["authenticated"] == found["client"]["id"]
        assert not {"pepper", "operator.token", "operator.id"} & set(found["files"])

    def test_a_restart_keeps_the_state(self, third: Boot) -> None:
        assert third["restarted"]["authenticated"] == third["restarted"]["client"]["id"]


def test_every_command_of_the_page_that_needs_root_was_run(booted: Boots) -> None:
    wanted = {_name(block) for block in each_root_block("systemd/README.md") if booted.way == "bundle" or block != INSTALL}
    assert set(booted.ran) == wanted


def _plan(phase: str, install: str) -> dict[str, Any]:
    blocks: dict[str, list[str]] = {}
    for block in BLOCKS:
        blocks.setdefault(block.heading, []).append(block.text)
    return {"phase": phase, "install": install, "blocks": blocks, "drop_ins": DROP_INS}


def _backup_drop_in(recipient: str) -> str:
    """That of the page, with a recipient who exists."""
    (text,) = pages.in_language(PAGE, "ini", BACKUPS)
    assert "age1…" in text
    return text.replace("age1…", recipient)


def _name(block: pages.Block) -> str:
    """How the machine calls it."""
    below = [one for one in BLOCKS if one.heading == block.heading]
    return f"{block.heading} {below.index(block)}"


def _share(shared: Path, artefacts: Path, way: str) -> str:
    """Put what the machine needs into the shared folder; returns the script that installs, empty for the page's."""
    sources = shared / "sources"
    shutil.copytree(ROOT / "systemd", sources / "systemd")
    for name in ("before", "after"):
        authority = Authority(name)
        pair = authority.sign("localhost")
        (shared / f"{name}.certificate").write_text(pair.certificate)
        (shared / f"{name}.key").write_text(pair.key)
        with (shared / "authorities").open("a") as authorities:
            authorities.write(authority.certificate)
    plugin = shared / "plugin"
    (plugin / "blocking-1.dist-info").mkdir(parents=True)
    shutil.copy(ROOT / "tests" / "support" / "booted" / "blocking.py", plugin)
    for name, content in PLUGIN.items():
        (plugin / "blocking-1.dist-info" / name).write_text(content)
    bundle = artefacts / f"edgeclients-{__version__}-linux-{native().name}.tar.xz"
    if way == "bundle":
        shutil.copy(bundle, sources)
        return ""
    shutil.copy(_package(artefacts, bundle, shared), sources)
    return "dpkg --install edgeclients_*.deb"


def _package(artefacts: Path, bundle: Path, shared: Path) -> Path:
    """The package that is there, or one that is made of the bundle."""
    name = f"edgeclients_{__version__}_{native().name}.deb"
    if (artefacts / name).exists():
        return artefacts / name
    subprocess.run([ROOT / "packaging" / "package", "--bundle", bundle, "--output", shared], check=True)
    return shared / name


def _shown(boot: Boot) -> Boot:
    """The boot; its journal is in the report of a test that fails."""
    print(boot.journal or boot.console)
    return boot


def _assert_restarted(found: dict[str, Any], signal: str) -> None:
    """It ended by this signal, and serves again, with its state."""
    assert found["after"]["ActiveState"] == "active"
    assert found["after"]["MainPID"] != found["before"]["MainPID"]
    assert f"code=killed, status={signal}" in found["log"]
    assert found["authenticated"] == found["client"]["id"]
