"""Passphrases: from a file, or typed at the terminal."""

import os
from pathlib import Path

from edgeclients.errors import StartError
from edgeclients.files import read_small
from edgeclients.text import decoded


def from_file(path: Path) -> str:
    """The passphrase in a file, without the line end after it.

    Raises:
        StartError: the file cannot be read, or holds no passphrase.
    """
    try:
        passphrase = decoded(read_small(path)).rstrip("\r\n")
    except OSError as error:
        raise StartError(f"the passphrase in {path} cannot be read ({error.strerror}): name another file") from error
    except ValueError as error:
        raise StartError(f"the passphrase in {path} cannot be used because {error}") from error
    if not passphrase:
        raise StartError(f"{path} is empty: write a passphrase into it")
    return passphrase


def ask(otherwise: str) -> str:
    """A passphrase that the user types.

    Raises:
        StartError: there is no terminal to ask at; `otherwise` says what to do then. Or nothing was typed.
    """
    from getpass import getpass

    if not _has_terminal():
        raise StartError(f"there is no terminal to ask for the passphrase: {otherwise}")
    try:
        passphrase = getpass("Passphrase: ")
    except EOFError:
        passphrase = ""
    if not passphrase:
        raise StartError("no passphrase was typed")
    if not passphrase.isprintable():  # as what is not of the terminal's encoding
        raise StartError("the passphrase holds characters that not every terminal has: choose another")
    return passphrase


def ask_twice(otherwise: str) -> str:
    """The same for a new passphrase, which is typed again.

    Raises:
        StartError: as `ask`; or the two differ.
    """
    passphrase = ask(otherwise)
    if ask(otherwise) != passphrase:
        raise StartError("the two passphrases differ: try again")
    return passphrase


def _has_terminal() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True
