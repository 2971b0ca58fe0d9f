"""Installs exactly what a lock file names."""

import platform
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from builder.commands import reason
from builder.problem import Problem

_PATIENCE = ("--retries=2", "--timeout=60")
_NO_NETWORK = ("NewConnectionError", "NameResolutionError", "ConnectTimeoutError", "Failed to establish a new connection")


def install(python: Path, arguments: Sequence[str | Path]) -> None:
    """Install what `arguments` name into the environment of `python`.

    Raises:
        Problem: pip failed. The line says whether the network, a wheel or a checksum is the reason.
    """
    _run(python, "install", arguments)


def compile_locked(python: Path, name: str, lock: Path, folder: Path) -> None:
    """Compile the sources of a distribution that a lock file names, into a wheel in `folder`.

    Raises:
        Problem: as for `install`.
    """
    _run(
        python, "wheel", ["--no-deps", "--require-hashes", f"--no-binary={name}", "--wheel-dir", folder, "--requirement", lock]
    )


def _run(python: Path, verb: str, arguments: Sequence[str | Path]) -> None:
    command = [python, "-m", "pip", verb, "--quiet", "--disable-pip-version-check", *_PATIENCE, *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        raise Problem(_line(done.stdout))


def _line(output: str) -> str:
    if any(sign in output for sign in _NO_NETWORK):
        return "pip reached no package index: check the network, or pip's settings"
    missing = re.search(r"No matching distribution found for (\S+)", output)
    if missing:
        return (
            f"there is no wheel of {missing[1]} for {platform.machine()} and Python {platform.python_version()}: "
            "lock another version, or name it in `compiled` of builder/architecture.py"
        )
    if "DO NOT MATCH THE HASHES" in output:
        return "pip got a file with another checksum than the locked one: run `just lock`, and look at what has changed"
    return f"pip failed: {reason(output)}"
