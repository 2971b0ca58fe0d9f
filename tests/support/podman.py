"""Containers, run by podman as on a machine without systemd, without a bridge: with a storage of their own, and on the host's
network."""

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from tests.support.service import Service
from tests.support.waiting import PATIENCE

_CONFIGURATION = """
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
lock_type = "file"
"""
_SHIM = """#!/usr/bin/env python3
import os, sys
words = sys.argv[1:]
while "--publish" in words:
    at = words.index("--publish")
    del words[at : at + 2]
if words[0] == "run":
    words[1:1] = [*{options}]
os.environ.update({env})
os.execvp({podman}[0], [*{podman}, *words])
"""
# A container must not ask for more than this process may have.
_LIMITS = ("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=4096:4096")
LITTLE = ("--read-only", "--tmpfs", "/tmp", "--cap-drop", "all", "--security-opt", "no-new-privileges")


class Podman:
    """podman, whose images and containers are gone at the end."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="edgeclients-podman-"))
        configuration = self.folder / "containers.conf"
        configuration.write_text(_CONFIGURATION)
        self._env = {**os.environ, "CONTAINERS_CONF": str(configuration), "TMPDIR": str(self.folder)}
        places = ("--root", "storage", "--runroot", "run", "--tmpdir", "state")
        paths = [str(self.folder / one) if not one.startswith("-") else one for one in places]
        self._podman = [shutil.which("podman") or "podman", *paths, "--storage-driver", "vfs"]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self("rm", "--all", "--force", check=False)
        self("volume", "rm", "--all", "--force", check=False)
        self("rmi", "--all", "--force", check=False)
        shutil.rmtree(self.folder)

    def __call__(self, *arguments: str | Path, check: bool = True) -> "subprocess.CompletedProcess[str]":
        """Run one of its commands."""
        command = [*self._podman, *map(str, arguments)]
        done = subprocess.run(command, env=self._env, capture_output=True, text=True, timeout=10 * PATIENCE, check=False)
        assert not check or done.returncode == 0, f"{arguments}: {done.stderr}"
        return done

    def shim(self, folder: Path, env: Mapping[str, str]) -> None:
        """Write a program `podman` into a folder: this one, for the commands of a page.

        Args:
            folder: the folder.
            env: further variables of containers, in place of the ports that are published.
        """
        known = {name: self._env[name] for name in ("CONTAINERS_CONF", "TMPDIR")}
        options = ["--network", "host", *_LIMITS, *_variables(env)]
        program = folder / "podman"
        program.write_text(_SHIM.format(podman=self._podman, env=known, options=options))
        program.chmod(0o755)

    def load(self, archive: Path) -> str:
        """The name of the image in an archive."""
        return self("load", "--quiet", "--input", archive).stdout.strip().removeprefix("Loaded image: ")

    def inspect(self, name: str) -> dict[str, Any]:
        """All that is known of an image or a container."""
        (known,) = json.loads(self("inspect", name).stdout)
        return dict(known)

    def run(self, image: str, *command: str, options: Sequence[str] = ()) -> "subprocess.CompletedProcess[str]":
        """Run a command of the image to its end."""
        return self("run", "--rm", *_LIMITS, "--network", "host", *LITTLE, *options, image, *command, check=False)

    @contextlib.contextmanager
    def serving(
        self, name: str, image: str, env: Mapping[str, str], data: Path = Path("none"), options: Sequence[str] = ()
    ) -> Iterator[Service]:
        """A container that serves, with the little that it may do; stopped and removed at the end."""
        given = ("--name", name, *_LIMITS, "--network", "host", *LITTLE, *_variables(env), *options)
        process = subprocess.Popen(
            [*self._podman, "run", *given, image], env=self._env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        service = Service(process, data, env)
        try:
            yield service.wait_ready()
        finally:
            self("rm", "--force", "--time", "20", name, check=False)
            service.end()

    def health(self, name: str) -> tuple[int, str]:
        """Check a container's health now: the exit code, and the state that follows."""
        code = self("healthcheck", "run", name, check=False).returncode
        return code, str(self.inspect(name)["State"]["Health"]["Status"])


def _variables(env: Mapping[str, str]) -> list[str]:
    return [part for one in env.items() for part in ("--env", "=".join(one))]
