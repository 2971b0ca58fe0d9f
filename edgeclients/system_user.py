"""The user of the operating system who runs a command."""

import getpass


def actor() -> str:
    """That user as the one who changes something, in the journal."""
    try:
        name = "".join(character for character in getpass.getuser() if character.isprintable())
    except (KeyError, OSError):  # a user without a name, as in containers
        name = ""
    return f"cli:{name or 'unknown'}"
