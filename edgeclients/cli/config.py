"""`edgeclients config`: prints and checks the settings."""

import os
from collections.abc import Iterator

from edgeclients import settings
from edgeclients.cli.terminal import fail, print_result, warn

EXIT_CONFIG = 78  # EX_CONFIG of sysexits.h


def check() -> int:
    """Print every effective setting, with secrets masked, or every fault; return the exit code."""
    try:
        loaded = settings.load(os.environ)
    except settings.Faults as faults:
        return report(faults)
    try:
        if fault := settings.fault_of_token_file(loaded):
            return report(settings.Faults([fault]))
    except PermissionError:
        warn(f"warning: {loaded.standalone_token_file} is not checked: this user cannot read it")
    for name in settings.unknown(os.environ):
        warn(f"warning: {name} is not a setting")
    shown = (f"{one.variable.name}={settings.shown(one, getattr(loaded, one.attribute))}" for one in settings.fields())
    return print_result("\n".join(shown))


def report(faults: settings.Faults) -> int:
    """Print `faults`, one line each, and return the exit code."""
    for line in faults.lines:
        fail(line)
    return EXIT_CONFIG


def table() -> str:
    """Every setting with its default and help, for `--help`."""
    return "\n".join(("settings (environment variables):", *_rows()))


def _rows() -> Iterator[str]:
    for field in settings.fields():
        default = settings.shown(field, field.default)
        yield f"  {field.variable.name}" + (f" (default {default})" if default else "")
        yield f"      {field.variable.help}"
