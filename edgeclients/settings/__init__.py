"""The settings of the service, read from environment variables."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from edgeclients.settings.conflicts import conflicts_in
from edgeclients.settings.secret_files import read_secrets
from edgeclients.settings.slips import meant, slip
from edgeclients.settings.tokens import check_token, credential, fault_of_token, fault_of_token_file, read_token
from edgeclients.settings.values import duration, parse, shown
from edgeclients.settings.variables import PEERS, SHORTEST_TOKEN, Duration, Field, Settings, Var, fields
from edgeclients.text import BYTE_ORDER_MARK

__all__ = [
    "PEERS",
    "SHORTEST_TOKEN",
    "Duration",
    "Faults",
    "Field",
    "Settings",
    "Var",
    "check_token",
    "duration",
    "fault_of_token",
    "fault_of_token_file",
    "fields",
    "load",
    "read_token",
    "shown",
    "unknown",
]


class Faults(Exception):  # noqa: N818 - holds several errors
    """The faults of the environment, one line each."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


def load(environment: Mapping[str, str]) -> Settings:
    """The settings that `environment` holds, or keeps in files.

    Raises:
        Faults: with every malformed variable, not only the first.
    """
    values: dict[str, Any] = {}
    secrets, faults = read_secrets(environment)
    given = {**environment, **secrets}
    for field in fields():
        text = given.get(field.variable.name, "")
        if text:
            if not _is_text(text):
                faults.append(f"{field.variable.name}: its value is not UTF-8")
                continue
            if fault := slip(field, text):
                faults.append(f"{field.variable.name}: its value {fault}")
                text = meant(text)  # else `conflicts_in` would report this variable as missing
            try:
                values[field.attribute] = parse(field, text)
            except ValueError as error:
                quoted = "its value" if field.variable.secret else repr(text[:80])
                faults.append(f"{field.variable.name}: {quoted} is not {error}")
    loaded = Settings(**values)
    if "mode" not in values and loaded.auth_grpc_url and loaded.authenticator != "standalone":
        loaded = msgspec.structs.replace(loaded, mode="cloud")
    if token := credential(loaded, environment):
        loaded = msgspec.structs.replace(loaded, standalone_token_file=token)
    faults += conflicts_in(loaded)
    if faults:
        raise Faults(faults)
    if "data_dir" not in values and (state := environment.get("STATE_DIRECTORY", "")):
        return msgspec.structs.replace(loaded, data_dir=Path(state.split(":", maxsplit=1)[0]))
    return loaded


def _is_text(text: str) -> bool:
    """Whether `text` was decoded from valid UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def unknown(environment: Mapping[str, str]) -> list[str]:
    """The variables with the service's prefix that are no setting, such as misspelt ones."""
    names = {field.variable.name for field in fields()}
    # A byte order mark at the start of an environment file becomes part of the first name in it.
    prefixed = (name for name in environment if name.startswith(("MG_CLIENTS_", f"{BYTE_ORDER_MARK}MG_")))
    return sorted(name for name in prefixed if name not in names)
