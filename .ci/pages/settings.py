"""The settings, in groups and in words."""

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

from edgeclients import settings
from edgeclients.settings import Duration, Field

GROUPS = {
    "Process and storage": r"MG_CLIENTS_(MODE|AUTH_PLUGIN|DATA_DIR|INSTANCE_ID|WORKERS|LOG_LEVEL)",
    "Standalone operator and pepper": r"MG_CLIENTS_(STANDALONE_\w+|PEPPER_FILE)",
    "PostgreSQL": r"MG_CLIENTS_DB_\w+",
    "HTTP": r"MG_CLIENTS_HTTP_\w+",
    "gRPC": r"MG_CLIENTS_GRPC_\w+",
    "Cache, hashing and queues": r"MG_CLIENTS_(CACHE_\w+|ARGON2_\w+|WRITE_QUEUE|ACTIVITY_FLUSH|QUERY_TIMEOUT)",
    "Events": r"MG_CLIENTS_OUTBOX_\w+|MG_(CLIENTS_)?ES_URL(_FILE)?",
    "Callouts": r"MG_CLIENTS_CALLOUT_\w+",
    "Auth and other services": r"MG_(AUTH|DOMAINS|GROUPS|CHANNELS)_\w+|MG_ALLOW_UNVERIFIED_USER",
    "Tracing and telemetry": r"MG_JAEGER_\w+|MG_SEND_TELEMETRY|MG_CALLHOME_URL",
}
"""The headings, and the names of the settings below them."""

_INSTALLED = {"MG_CLIENTS_DATA_DIR": "/var/lib/edgeclients"}
"""What systemd's unit changes."""
_WIDTH = 100
_HEAD = """\
# Settings of edgeclients.service. A line without # changes one; each line shows its default, if there is one.
# edgeclients.env(5) explains the values. After a change: systemctl restart edgeclients
"""


class UngroupedError(Exception):
    """A setting that belongs to no group, or to several."""


def groups() -> Iterator[tuple[str, list[Field]]]:
    """Each heading with its settings.

    Raises:
        UngroupedError: a setting does not belong to exactly one.
    """
    fields = list(settings.fields())
    for field in fields:
        if sum(bool(re.fullmatch(pattern, field.variable.name)) for pattern in GROUPS.values()) != 1:
            raise UngroupedError(f"{field.variable.name}: put it into one of GROUPS in .ci/pages/settings.py")
    for heading, pattern in GROUPS.items():
        yield heading, [field for field in fields if re.fullmatch(pattern, field.variable.name)]


def default_of(field: Field) -> str:
    """The default as text, masked if it is secret; empty if there is none."""
    return settings.shown(field, field.default)


def kind_of(field: Field) -> str:
    """What is written there, such as "whole number from 1 to 64"."""
    variable = field.variable
    if variable.choices:
        *others, last = (f"`{choice}`" for choice in variable.choices)
        return f"{', '.join(others)} or {last}"
    return _KINDS.get(field.type, "path") + _range(field) + ("; secret" if variable.secret else "")


def default_file() -> str:
    """The content of /etc/default/edgeclients."""
    return "\n".join(_default_lines()) + "\n"


_KINDS = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "`true` or `false`",
    Duration: "duration",
    tuple[str, ...]: "list",
    tuple[Path, ...]: "list of paths",
}


def _range(field: Field) -> str:
    low, high = field.variable.low, field.variable.high
    if field.type is Duration:  # none is 0
        return "" if high is None else f" of at most {high:g}s"
    if low is None:
        return ""
    return f" of at least {low:.15g}" if high is None else f" from {low:.15g} to {high:.15g}"


def _default_lines() -> Iterator[str]:
    yield _HEAD
    for heading, fields in groups():
        yield f"## {heading}"
        yield ""
        for field in fields:
            text = field.variable.help.replace("`", "")
            yield from textwrap.wrap(text, _WIDTH, initial_indent="# ", subsequent_indent="# ", break_long_words=False)
            yield f"#{field.variable.name}={_value(field)}"
            yield ""


def _value(field: Field) -> str:
    return "" if field.variable.secret else _INSTALLED.get(field.variable.name, default_of(field))
