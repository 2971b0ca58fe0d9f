"""The standalone operator's token: validation, and the file that may hold it."""

from collections.abc import Mapping
from pathlib import Path

from edgeclients.files import read_small
from edgeclients.settings.variables import SHORTEST_TOKEN, Settings
from edgeclients.text import decoded

_FILE = "MG_CLIENTS_STANDALONE_TOKEN_FILE"
_CREDENTIAL = "edgeclients.token"


def check_token(token: str) -> None:
    """Return if callers can send `token` and it is too long to guess.

    Raises:
        ValueError: "it …"; the message holds no part of the token.
    """
    if len(token) < SHORTEST_TOKEN:
        raise ValueError(f"it is shorter than {SHORTEST_TOKEN} characters: choose a longer one")
    if not token.isascii():
        raise ValueError("it holds characters that are not ASCII, which not every caller can send: choose another")
    if not token.isprintable():
        raise ValueError("it holds a control character, which no caller can send: choose another")


def read_token(path: Path) -> str:
    """The token in a file, without surrounding blanks and line ends.

    Raises:
        OSError: the file cannot be read.
        ValueError: "it …": the file holds no valid token.
    """
    token = decoded(read_small(path)).strip()
    check_token(token)
    return token


def credential(loaded: Settings, environment: Mapping[str, str]) -> Path | None:
    """The token's file among the unit's systemd credentials, if there is one and the settings need it."""
    folder = environment.get("CREDENTIALS_DIRECTORY", "")
    if not folder or loaded.standalone_token or loaded.standalone_token_file or loaded.authenticator != "standalone":
        return None
    path = Path(folder) / _CREDENTIAL
    return path if path.exists() else None


def fault_of_token_file(loaded: Settings) -> str:
    """The fault of the token file that the settings name and use; "" if there is none.

    Raises:
        PermissionError: the current user may not read the file; the service's user may.
    """
    path = loaded.standalone_token_file
    if path is None or loaded.authenticator != "standalone":
        return ""
    try:
        read_token(path)
    except PermissionError:
        raise
    except (OSError, ValueError) as error:
        return fault_of_token(path, error)
    return ""


def fault_of_token(path: Path, error: OSError | ValueError) -> str:
    """The error text for `path`, which the settings name and which cannot be read or holds no valid token."""
    if isinstance(error, OSError):
        return f"{_FILE}: {path} cannot be read ({error.strerror}): name a file that the service can read"
    return f"{_FILE}: the token in {path} cannot be used because {error}"
