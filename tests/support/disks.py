"""A disk that is too small, for a service of its own."""

import contextlib
import resource
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests.support.program import PROGRAM
from tests.support.service import Service

_MOUNT_ONLY = 'mount -t tmpfs -o size="$1" tmpfs "$2"'
_MOUNT = f'{_MOUNT_ONLY} && shift 2 && exec "$@"'
_ROOT = ["unshare", "--mount"]
_USER = ["unshare", "--user", "--map-root-user", "--mount"]


def _way() -> list[str] | None:
    """The command that lets one mount something for oneself; None where the machine allows no such thing."""
    for way in (_ROOT, _USER):
        probe = [*way, "mount", "-t", "tmpfs", "tmpfs", "/tmp"]
        if shutil.which("unshare") and subprocess.run(probe, capture_output=True, check=False).returncode == 0:
            return way
    return None


WAY = _way()


def run_on_small_disk(mount: Path, size: str, data: Path, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run a command with a copy of a directory on a disk of this size as its last argument; what it leaves is put back."""
    assert WAY is not None
    mount.mkdir()
    script = f'{_MOUNT_ONLY} && shift 2 && data="$1" && shift && cp -a "$data" "$1" && there="$1/data" && shift || exit 99\n'
    script += '"$@" "$there"\ncode=$?\nrm -r "$data" && cp -a "$there" "$data" || exit 99\nexit $code'
    arguments = ["sh", size, str(mount), str(data), str(mount), *command]
    assert data.name == "data"
    return subprocess.run([*WAY, "sh", "-c", script, *arguments], capture_output=True, text=True, check=False)


def run_on_disk(mount: Path, options: str, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run a command that sees an empty disk with these mount options. The exit code is the command's, or 98 for files left."""
    assert WAY is not None
    mount.mkdir(exist_ok=True)
    script = 'mount -t tmpfs -o "$1" tmpfs "$2" || exit 99\nmount="$2"; shift 2\n"$@"\ncode=$?\n'
    script += '[ -z "$(ls -A "$mount")" ] || exit 98\nexit $code'
    return subprocess.run(
        [*WAY, "sh", "-c", script, "sh", options, str(mount), *command], capture_output=True, text=True, check=False
    )


@contextlib.contextmanager
def service_on_small_disk(mount: Path, size: str, env: Mapping[str, str] = {}) -> Iterator[Service]:
    """A service whose data directory is a disk of this size, seen by nobody else."""
    assert WAY is not None
    mount.mkdir()
    service = Service.launch(mount / "data", env, [*WAY, "sh", "-c", _MOUNT, "sh", size, str(mount), *PROGRAM, "serve"])
    try:
        service.wait_ready()
        # Its files as it sees them.
        service.data = Path(f"/proc/{service.process.pid}/root") / str(mount / "data").lstrip("/")
        yield service
    finally:
        if service.process.poll() is None:
            service.stop()


def copied(service: Service, to: Path) -> Path:
    """A copy of a data directory that nobody changes just now: SQLite does not open files behind /proc."""
    shutil.copytree(service.data, to, ignore=shutil.ignore_patterns("*.sock"))
    return to


def let_files_grow_to(service: Service, size: int) -> int:
    """From here on; returns what held before."""
    old, most = resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE, (size, most))
    return old


@contextlib.contextmanager
def no_file_grows(service: Service) -> Iterator[None]:
    """Writes of the process behind the first bytes of a file fail, as on a disk that is broken or over quota."""
    old = let_files_grow_to(service, 1)
    try:
        yield
    finally:
        let_files_grow_to(service, old)
