"""Programs that run as a user without rights, when the tests are root's."""

import os
import sys
from collections.abc import Sequence

NOBODY = 65534  # a user who is not root

_BECOME = """
import os, sys
user, *command = sys.argv[1:]
os.setgroups([])
os.setgid(int(user))
os.setuid(int(user))
os.execv(command[0], command)
"""


def as_user(user: int, command: Sequence[str | os.PathLike[str]]) -> list[str]:
    """The command that runs another one, named by its path, with this number as its user and its only group.

    The new process changes its user by itself: for its argument `user`, `subprocess` forks where it uses `vfork` otherwise, and
    a process that is forked while threads use gRPC may hang in gRPC's fork handlers before it runs anything.
    """
    return [sys.executable, "-I", "-S", "-c", _BECOME, str(user), *(os.fspath(part) for part in command)]


def unprivileged(command: Sequence[str | os.PathLike[str]]) -> list[str]:
    """The command as it is; as nobody's, if the tests are root's."""
    return as_user(NOBODY, command) if is_root() else [os.fspath(part) for part in command]


def is_root() -> bool:
    """Whether the tests are root's."""
    return os.geteuid() == 0
