"""The user of the operating system who runs a command."""

import getpass


def actor() -> str:
    """That user as the one who changes something, in the journal."""
    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError):  # a user without a name, as in containers
        return "cli:unknown"
