"""`edgeclients config`: what the settings are."""

import os
from collections.abc import Iterator

from edgeclients import settings
from edgeclients.cli.terminal import fail, tell, warn

EXIT_CONFIG = 78  # EX_CONFIG of sysexits.h


def check() -> int:
    """Print every setting as it takes effect, secrets masked; or every fault."""
    try:
        loaded = settings.load(os.environ)
    except settings.Faults as faults:
        return report(faults)
    try:
        if fault := settings.fault_of_token_file(loaded):
            return report(settings.Faults([fault]))
    except PermissionError:
        warn(f"warning: {loaded.standalone_token_file} cannot be read by this user, so it was not checked")
    for name in settings.unknown(os.environ):
        warn(f"warning: {name} is not a setting")
    shown = (f"{one.variable.name}={settings.shown(one, getattr(loaded, one.attribute))}" for one in settings.fields())
    return tell("\n".join(shown))


def report(faults: settings.Faults) -> int:
    """Print `faults`, a line each."""
    for line in faults.lines:
        fail(line)
    return EXIT_CONFIG


def table() -> str:
    """All settings for `--help`."""
    return "\n".join(("settings (environment variables):", *_rows()))


def _rows() -> Iterator[str]:
    for field in settings.fields():
        default = settings.shown(field, field.default)
        yield f"  {field.variable.name}" + (f" (default {default})" if default else "")
        yield f"      {field.variable.help}"
