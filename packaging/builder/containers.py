"""Builds images with podman, in a storage of its own that leaves nothing behind."""

import contextlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from builder.commands import need_program, run
from builder.problem import Problem


class Podman:
    """podman, whose images are below `folder`, and its state below `short`."""

    def __init__(self, program: str, folder: Path, short: Path) -> None:
        self._folder = folder
        places = ("--root", folder / "storage", "--runroot", short / "run", "--tmpdir", short / "state")
        self._command = (program, *places, "--storage-driver", "vfs")
        self._env = {**os.environ, "TMPDIR": str(folder)}

    def build(self, containerfile: Path, context: Path, platform: str, version: str, timestamp: int) -> "Image":
        """The image of a context: one layer, whose bytes depend on nothing else.

        Raises:
            Problem: podman cannot build it.
        """
        what = "podman cannot build the image"
        names = self._folder / "image"
        given = ("--platform", platform, "--build-arg", f"VERSION={version}", "--timestamp", str(timestamp))
        # The format of OCI has no HEALTHCHECK.
        options = ("--format", "docker", "--layers=false", "--identity-label=false", "--quiet", "--iidfile", names)
        self._run("build", *options, *given, "--file", containerfile, context, what=what)
        pushed = self._folder / "pushed"
        self._run("push", "--quiet", "--format", "v2s2", "--compress", names.read_text().strip(), f"dir:{pushed}", what=what)
        return Image(pushed)

    def remove_all(self) -> None:
        """Remove every image, as the user to whom podman gave their files."""
        with contextlib.suppress(Problem):  # there may be none
            self._run("rmi", "--all", "--force", what="podman")

    def _run(self, *arguments: str | Path, what: str) -> None:
        run([*self._command, *arguments], what, env=self._env)


class Image:
    """An image as podman writes it into a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        manifest = json.loads((folder / "manifest.json").read_text())
        self.layers = [self._blob(layer) for layer in manifest["layers"]]
        self.config: dict[str, Any] = json.loads(self._blob(manifest["config"]).read_text())

    def _blob(self, descriptor: dict[str, Any]) -> Path:
        return self._folder / str(descriptor["digest"]).partition(":")[2]


@contextlib.contextmanager
def podman() -> Iterator[Podman]:
    """A podman with an empty storage, removed at the end.

    Raises:
        Problem: podman is not there.
    """
    program = need_program("podman", "podman")
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="edgeclients-image-")))
        # Its state must be at a path of fewer than 50 characters, wherever TMPDIR is.
        short = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="edgeclients-", dir="/tmp")))
        made = Podman(program, folder, short)
        stack.callback(made.remove_all)
        yield made
