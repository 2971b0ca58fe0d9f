"""A Debian system in a folder: for another architecture, for a known C library, or to try a package in."""

import contextlib
import hashlib
import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from builder.architecture import ARCHITECTURES, Architecture, native
from builder.cache import cache
from builder.commands import need_program, run
from builder.emulation import emulating
from builder.output import need_space
from builder.problem import Problem

SUITE = "bookworm"
_MEGABYTES = 1500
_INSIDE = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "DEBIAN_FRONTEND": "noninteractive",
}
# A mount namespace takes all mounts along when its last process ends, however it ends.
_NAMESPACE = ("--mount", "--propagation", "private", "--pid", "--fork", "--kill-child")
_MOUNTS = """
set -e
mount -t proc proc "$ROOT/proc"
mount --rbind /dev "$ROOT/dev"
mount --rbind /sys "$ROOT/sys"
"""


class Root:
    """A Debian system in the folder `path`."""

    def __init__(self, path: Path, architecture: Architecture) -> None:
        self.path = path
        self.architecture = architecture

    def run(
        self,
        command: Sequence[str | Path],
        *,
        env: Mapping[str, str] | None = None,
        binds: Mapping[Path, str] | None = None,
        user: str = "root",
        check: bool = True,
    ) -> "subprocess.CompletedProcess[str]":
        """Run `command` inside, with this machine's network.

        Args:
            command: program and arguments, as seen inside.
            env: further variables; nothing else of the caller's environment is seen inside.
            binds: folders of this machine, each with the path where it is seen inside.
            user: who runs it.
            check: whether another exit code than 0 is an error.

        Raises:
            Problem: it failed, and `check` is set.
        """
        done = subprocess.run(
            self.command(command, env=env, binds=binds, user=user), capture_output=True, text=True, check=False
        )
        if check and done.returncode:
            said = (done.stdout + done.stderr).strip()
            raise Problem(f"{command[0]} failed in the {self.architecture.name} system:\n{said[-4000:]}")
        return done

    def command(
        self,
        command: Sequence[str | Path],
        *,
        env: Mapping[str, str] | None = None,
        binds: Mapping[Path, str] | None = None,
        user: str = "root",
    ) -> list[str]:
        """The command of this machine that runs `command` inside: for `subprocess.Popen`."""
        mounts = _MOUNTS
        for outside, inside in (binds or {}).items():
            target = self.path / inside.lstrip("/")
            target.mkdir(parents=True, exist_ok=True)
            mounts += f"mount --bind {shlex.quote(str(outside))} {shlex.quote(str(target))}\n"
        enter = ["chroot", f"--userspec={user}", str(self.path)] if user != "root" else ["chroot", str(self.path)]
        variables = [f"{name}={value}" for name, value in {**_INSIDE, **(env or {})}.items()]
        inside_command = shlex.join([*enter, "env", "-i", *variables, *map(str, command)])
        script = f"ROOT={shlex.quote(str(self.path))}\n{mounts}exec {inside_command}"
        return ["unshare", *_NAMESPACE, "--", "sh", "-c", script]


@contextlib.contextmanager
def debian_root(arch: str = "", include: Sequence[str] = ()) -> Iterator[Root]:
    """A fresh Debian system with the packages `include`, deleted at the end.

    The first one of a kind is kept as an archive in the user's cache, as debootstrap takes minutes.

    Args:
        arch: Debian's name of an architecture; this machine's if empty. Another one runs in qemu.
        include: names of packages beside the minimal system.

    Raises:
        Problem: it cannot be made here.
    """
    architecture = ARCHITECTURES[arch] if arch else native()
    if os.geteuid() != 0:
        raise Problem("a Debian system in a folder needs root: run this as root")
    need_space(Path(tempfile.gettempdir()), _MEGABYTES)
    with contextlib.ExitStack() as stack:
        if architecture != native():
            stack.enter_context(emulating(architecture))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="edgeclients-root-")))
        path = folder / "root"
        path.mkdir()
        run(["tar", "--extract", "--xattrs", "--file", _kept(architecture, include), "--directory", path], "tar")
        for name in ("hosts", "resolv.conf"):
            shutil.copy(f"/etc/{name}", path / "etc" / name)
        _trust_what_we_trust(path)
        yield Root(path, architecture)


def mirror() -> str:
    """The address where this machine's apt gets Debian from.

    Raises:
        Problem: apt does not say.
    """
    debian = ("Origin: Debian", "Label: Debian")  # neither other sources nor Debian's security updates
    targets = run(["apt-get", "indextargets", "--format", "$(SITE)", *debian], "apt-get").split()
    if not targets:
        raise Problem("apt has no package lists: run `apt-get update`")
    return targets[0]


def _kept(architecture: Architecture, include: Sequence[str]) -> Path:
    """The archive of such a system, made if it is not there yet."""
    packages = ",".join(sorted(include))
    digest = hashlib.sha256(packages.encode()).hexdigest()[:12]
    archive = cache("roots") / f"{SUITE}-{architecture.name}-{digest}.tar"
    if archive.exists():
        return archive
    program = need_program("debootstrap", "debootstrap")
    with tempfile.TemporaryDirectory(prefix="edgeclients-root-") as folder:
        path = Path(folder) / "root"
        _bootstrap(program, architecture, packages, path)
        half_made = archive.with_suffix(f".{os.getpid()}")
        try:
            what = ("--create", "--xattrs", "--one-file-system", "--sort=name")
            run(["tar", *what, "--file", half_made, "--directory", path, "."], "tar")
            half_made.replace(archive)
        finally:
            half_made.unlink(missing_ok=True)
    return archive


def _bootstrap(program: str, architecture: Architecture, packages: str, path: Path) -> None:
    options = ["--variant=minbase", f"--arch={architecture.name}", *([f"--include={packages}"] if packages else [])]
    foreign = architecture != native()
    inside = ["unshare", *_NAMESPACE, "--mount-proc", "--"]
    what = f"debootstrap of {SUITE} for {architecture.name}"
    run([*inside, program, *options, *(["--foreign"] if foreign else []), SUITE, path, mirror()], what)
    if foreign:
        run([*inside, "chroot", path, "/debootstrap/debootstrap", "--second-stage"], what, env=_INSIDE)
    shutil.rmtree(path / "var" / "cache" / "apt" / "archives", ignore_errors=True)
    (path / "var" / "cache" / "apt" / "archives" / "partial").mkdir(parents=True)


def _trust_what_we_trust(path: Path) -> None:
    """Programs inside reach what this machine reaches, also behind a proxy with a certificate of its own."""
    bundle = Path("/etc/ssl/certs/ca-certificates.crt")
    if bundle.exists():
        inside = path / "etc" / "ssl" / "certs"
        inside.mkdir(parents=True, exist_ok=True)
        shutil.copy(bundle, inside / bundle.name)
