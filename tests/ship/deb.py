"""The Debian package in a Debian system: installed, upgraded, removed, purged, and judged by lintian."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from edgeclients import __version__
from edgeclients._pb.clients.v1 import clients_pb2, clients_pb2_grpc
from tests.ship.conftest import ROOT
from tests.support import asking
from tests.support.api import Api, basic
from tests.support.service import Service
from tests.support.waiting import PATIENCE

sys.path.insert(0, str(ROOT / "packaging"))

from builder.architecture import native
from builder.root import Root, debian_root

OLDER = "0.0.1"
SETTINGS = "etc/default/edgeclients"
DATA = "var/lib/edgeclients"
BACKUPS = "var/backups/edgeclients"
NEEDED = ("systemd", "zlib1g", "zsh", "fish")
PORTS = {"MG_CLIENTS_HTTP_PORT": "0", "MG_CLIENTS_GRPC_PORT": "0"}
AS_THE_UNIT = {"STATE_DIRECTORY": f"/{DATA}", **PORTS}
STOPPED = "stop edgeclients-backup.timer edgeclients-backup.service edgeclients.service"
OF_OTHERS = ("var/lib/dpkg/", "var/log/", "var/cache/", "tmp/", "var/lib/apt/")
"""Where Debian's own programs keep what they did."""


@pytest.fixture(scope="module")
def bundle(artefacts: Path) -> Path:
    """The bundle for this machine's architecture."""
    return artefacts / f"edgeclients-{__version__}-linux-{native().name}.tar.xz"


@pytest.fixture(scope="module")
def package(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package of this version."""
    return made(bundle, tmp_path_factory.mktemp("package"))


@pytest.fixture(scope="module")
def older(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package of the same bundle with an older version, and with other text in its settings."""
    folder = tmp_path_factory.mktemp("older")
    name = f"edgeclients-{OLDER}-linux-{native().name}"
    with tarfile.open(bundle) as source, tarfile.open(folder / f"{name}.tar.xz", "w:xz", preset=0) as target:
        for member in source:
            member.pax_headers = {}  # a long name in them would win
            member.name = f"{name}/{member.name.partition('/')[2]}".rstrip("/")
            target.addfile(member, source.extractfile(member) if member.isreg() else None)
    first = made(folder / f"{name}.tar.xz", folder)
    subprocess.run(["dpkg-deb", "--raw-extract", first, folder / "tree"], check=True)
    with (folder / "tree" / SETTINGS).open("a") as settings:
        settings.write("# A comment of the older version.\n")
    rebuild: list[str | Path] = ["dpkg-deb", "--build", "--root-owner-group", "-Znone", folder / "tree", first]
    subprocess.run(rebuild, check=True, capture_output=True)
    return first


@pytest.fixture
def system() -> Iterator[Root]:
    """A fresh Debian system in a folder, in which no systemd runs."""
    with debian_root(include=NEEDED) as root:
        yield root


def made(bundle: Path, output: Path, **env: str) -> Path:
    """The package that `packaging/package` makes."""
    command: list[str | Path] = [sys.executable, ROOT / "packaging" / "package", "--bundle", bundle, "--output", output]
    done = subprocess.run(command, env={**os.environ, **env}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.rstrip("\n"))


def install(system: Root, package: Path) -> str:
    """What is printed by an installation or upgrade with apt, which keeps settings that were edited."""
    shutil.copy(package, system.path / "tmp")
    unattended = ["--yes", "--no-install-recommends", "--option", "Dpkg::Options::=--force-confold"]
    done = system.run(["apt-get", "install", *unattended, f"/tmp/{package.name}"])
    return done.stdout + done.stderr


@contextlib.contextmanager
def serving(system: Root) -> Iterator[Service]:
    """The service, as the unit runs it: as its user and with its data directory."""
    command = system.command(["edgeclients", "serve"], env=AS_THE_UNIT, user="edgeclients")
    service = Service.launch(system.path / DATA, command=command)
    try:
        yield service.wait_ready()
        # `unshare` waits for its child and heeds no signal.
        (child,) = Path(f"/proc/{service.process.pid}/task/{service.process.pid}/children").read_text().split()
        os.kill(int(child), signal.SIGTERM)
        assert service.end() == 0
    finally:
        if service.process.poll() is None:
            service.kill()


def authenticates(service: Service, client: dict[str, str], secret: str) -> bool:
    with grpc.insecure_channel(service.grpc) as channel:
        request = clients_pb2.AuthnReq(token=basic(client["id"], secret))
        stub = clients_pb2_grpc.ClientsServiceStub(channel)  # type: ignore[no-untyped-call]
        answer = stub.Authenticate(request, timeout=PATIENCE)
        return bool(answer.authenticated and answer.id == client["id"])


def owner_and_mode(system: Root, *paths: str) -> list[str]:
    return system.run(["stat", "--format", "%U:%G %a", *(f"/{path}" for path in paths)]).stdout.splitlines()


def files(system: Root) -> set[str]:
    """Every path, but for what Debian's programs note."""
    found = {str(path.relative_to(system.path)) for path in system.path.rglob("*")}
    return {path for path in found if not f"{path}/".startswith(OF_OTHERS)}


def version_of(system: Root) -> str:
    return system.run(["dpkg-query", "--show", "--showformat", "${Version} ${db:Status-Abbrev}", "edgeclients"]).stdout.strip()


def test_an_installed_service_answers(system: Root, package: Path) -> None:
    printed = install(system, package)
    assert "rror" not in printed, printed
    assert version_of(system) == f"{__version__} ii"
    assert system.run(["edgeclients", "version"]).stdout == f"{__version__}\n"
    ours = "edgeclients:edgeclients 700"
    assert owner_and_mode(system, SETTINGS, DATA, BACKUPS) == ["root:edgeclients 640", ours, ours]
    timers = system.path / "etc/systemd/system/timers.target.wants"
    assert not (timers / "edgeclients-backup.timer").is_symlink(), "it is the administrator's to enable"
    enabled = system.path / "etc/systemd/system/multi-user.target.wants/edgeclients.service"
    assert str(enabled.readlink()).endswith("/lib/systemd/system/edgeclients.service")
    with serving(system) as service, Api(service) as api:
        client = api.create(name="boiler")
        assert authenticates(service, client, client["credentials"]["secret"])
        assert asking.get(f"{service.http}/health").json()["status"] == "pass"
        # As edgeclients.service(8) says.
        system.run(["edgeclients", "operators", "add", "alice"], env={"STATE_DIRECTORY": f"/{DATA}"})
        user = ("edgeclients", "backup", f"/{BACKUPS}", "--keep", "7d,4w")
        system.run(user, env=AS_THE_UNIT, user="edgeclients")
        assert len(list((system.path / BACKUPS).glob("edgeclients-*.tar.gz"))) == 1
        command = f"(set -a; . /{SETTINGS}; STATE_DIRECTORY=/{DATA} edgeclients operators list)"
        assert "alice" in system.run(["sh", "-c", command]).stdout
    assert owner_and_mode(system, f"{DATA}/clients.db", f"{DATA}/pepper") == ["edgeclients:edgeclients 600"] * 2


def test_an_upgrade_keeps_data_settings_and_modes(system: Root, older: Path, package: Path) -> None:
    install(system, older)
    assert version_of(system) == f"{OLDER} ii"
    with serving(system) as service, Api(service, domain="plant-7") as api:
        client = api.create(name="boiler", credentials={"secret": "chosen by a person"})
    settings = system.path / SETTINGS
    settings.write_text(edited := settings.read_text() + "MG_CLIENTS_LOG_LEVEL=debug\n")
    system.run(["chown", "root:root", f"/{SETTINGS}"])
    system.run(["chmod", "0600", f"/{SETTINGS}"])
    system.run(["chmod", "0750", f"/{DATA}"])
    before = files(system)
    printed = install(system, package)
    assert version_of(system) == f"{__version__} ii"
    assert settings.read_text() == edited, printed
    assert owner_and_mode(system, SETTINGS, DATA) == ["root:root 600", "edgeclients:edgeclients 750"]
    assert files(system) - before == {f"{SETTINGS}.dpkg-dist"}
    with serving(system) as service, Api(service, domain="plant-7") as api:
        assert api.listed() == [client["id"]]
        assert authenticates(service, client, "chosen by a person")


def test_an_upgrade_replaces_settings_that_nobody_edited(system: Root, older: Path, package: Path) -> None:
    install(system, older)
    install(system, package)
    assert (system.path / SETTINGS).read_text() == (ROOT / "packaging" / "debian" / "edgeclients.default").read_text()
    assert owner_and_mode(system, SETTINGS) == ["root:edgeclients 640"]


def test_a_removed_package_keeps_data_and_settings(system: Root, package: Path) -> None:
    before = files(system)
    install(system, package)
    with serving(system) as service, Api(service, domain="plant-7") as api:
        client = api.create(name="boiler")
    system.run(["apt-get", "remove", "--yes", "edgeclients"])
    left = files(system) - before
    assert {SETTINGS, f"{DATA}/clients.db", f"{DATA}/pepper"} <= left
    assert [path for path in left if path.startswith("usr/")] == []
    install(system, package)
    with serving(system) as service, Api(service, domain="plant-7") as api:
        assert api.listed() == [client["id"]]


def test_a_purge_leaves_nothing(system: Root, package: Path) -> None:
    before = files(system)
    install(system, package)
    with serving(system) as service, Api(service) as api:
        api.create(name="boiler")
    (system.path / SETTINGS).write_text("MG_CLIENTS_LOG_LEVEL=debug\n")
    system.run(["apt-get", "purge", "--yes", "edgeclients"])
    assert files(system) == before
    status = system.run(["dpkg-query", "--show", "edgeclients"], check=False)
    assert "no packages found" in status.stderr


@pytest.mark.parametrize("mounted", [False, True], ids=["behind a link", "on a disk"])
def test_a_purge_removes_data_that_are_elsewhere(system: Root, package: Path, mounted: bool) -> None:
    elsewhere = system.path / "srv/edgeclients"
    elsewhere.mkdir()
    install(system, package)
    system.run(["chown", "edgeclients:", "/srv/edgeclients"])
    if not mounted:
        (system.path / DATA).rmdir()
        (system.path / DATA).symlink_to("/srv/edgeclients")
    (elsewhere / "clients.db").touch()
    system.run(["apt-get", "purge", "--yes", "edgeclients"], binds={elsewhere: DATA} if mounted else {})
    assert list(elsewhere.iterdir()) == []
    assert (system.path / DATA).is_dir() == mounted
    assert not (system.path / DATA).is_symlink()


def test_a_running_systemd_is_told(system: Root, older: Path, package: Path) -> None:
    """The service does not run while its files change. A program in systemctl's place notes what is wanted."""
    calls = system.path / "run/calls"
    (system.path / "run/systemd/system").mkdir(parents=True)
    systemctl = system.path / "usr/bin/systemctl"
    systemctl.write_text('#!/bin/sh\necho "$*" >>/run/calls\ncase "$*" in *is-enabled*) echo enabled ;; esac\n')
    systemctl.chmod(0o755)

    def told() -> list[str]:
        found = re.findall(
            r"^(?:--quiet |--system )*((?:start|stop|restart|daemon-reload).*)$", calls.read_text(), re.MULTILINE
        )
        calls.unlink()
        return found

    install(system, older)
    started = ["start edgeclients.service", "start edgeclients-backup.timer"]
    assert told() == ["daemon-reload", *started]
    install(system, package)
    assert told() == [STOPPED, "daemon-reload", "daemon-reload", *started]
    system.run(["apt-get", "remove", "--yes", "edgeclients"])
    assert told() == [STOPPED, "daemon-reload"]
    system.run(["apt-get", "purge", "--yes", "edgeclients"])
    assert told() == ["daemon-reload"]


def test_zsh_and_fish_complete(system: Root, package: Path) -> None:
    install(system, package)
    commands = {"add", "change", "list", "remove", "token"}
    assert by_fish(system, "edgeclients operators ") == commands
    assert by_fish(system, "edgeclients operators list --output ") == {"text", "json"}
    assert "--without" in by_fish(system, "edgeclients operators change --")
    script = "/usr/share/zsh/vendor-completions/_edgeclients"
    zsh = f"_describe() {{ print -l -- $found }}; words=(edgeclients operators ''); CURRENT=3; source {script}"
    offered = {line.partition(":")[0] for line in system.run(["zsh", "-f", "-c", zsh]).stdout.splitlines()}
    assert offered == commands | {"-h", "--help"}


def by_fish(system: Root, typed: str) -> set[str]:
    printed = system.run(["fish", "--command", f"complete --do-complete '{typed}'"]).stdout
    return {line.partition("\t")[0] for line in printed.splitlines()}


def test_lintian_has_nothing_to_say(package: Path) -> None:
    """What stays has its reason in packaging/debian/lintian-overrides."""
    done = subprocess.run(
        ["lintian", "--allow-root", "--tag-display-limit", "0", package], capture_output=True, text=True, check=False
    )
    # A bundle that this machine's Python made names that Python's folder. A release is made in a Debian system.
    here = f"RUNPATH {sysconfig.get_config_var('LIBDIR')} "
    said = [line for line in done.stdout.splitlines() if line.startswith(("E:", "W:")) and here not in line]
    assert [line for line in said if "mismatched-override custom-library-search-path" not in line] == []


def test_the_same_bundle_makes_the_same_package(bundle: Path, package: Path, tmp_path: Path) -> None:
    again = made(bundle, tmp_path, TZ="Asia/Tokyo", LC_ALL="C")
    assert again.name == package.name == f"edgeclients_{__version__}_{native().name}.deb"
    assert again.read_bytes() == package.read_bytes()


def test_the_package_says_what_it_needs(package: Path) -> None:
    shown = subprocess.run(["dpkg-deb", "--field", package], capture_output=True, text=True, check=True).stdout
    fields = dict(re.findall(r"^([A-Z][\w-]+): (.+)$", shown, re.MULTILINE))
    assert (fields["Version"], fields["Architecture"]) == (__version__, native().name)
    assert re.fullmatch(
        r"libc6 \(>= 2\.\d+\), zlib1g, systemd \| systemd-standalone-sysusers \| systemd-sysusers", fields["Depends"]
    )
