"""What imports and exports look like on the wire (schema/README.md#import)."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from hashlib import sha256
from typing import Any, Final, NamedTuple

import msgspec

from edgeclients.core.provisioning import json_lines
from edgeclients.core.provisioning.columns import Columns, records
from edgeclients.core.provisioning.exporting import Format
from edgeclients.core.provisioning.importing import Made, Options, Told
from edgeclients.core.provisioning.lines import LONGEST, lines
from edgeclients.core.provisioning.planning import Key, key_of
from edgeclients.core.provisioning.record import BadLine, Record
from edgeclients.core.provisioning.summary import Summary
from edgeclients.core.provisioning.table import table
from edgeclients.errors import InvalidQuery, UnsupportedMediaType, UnusableFile
from edgeclients.http.wire.parameters import Parameter, boolean, by_name

CSV: Final = "text/csv"
JSONL: Final = "application/jsonl"

_FIRST = 500  # lines that are read to find out what says which client a line is about
_encode_lines = msgspec.json.Encoder().encode_lines


def _one_of(kind: type[Key] | type[Format]) -> Any:
    def parse(text: str) -> Key | Format:
        try:
            return kind(text)
        except ValueError as error:
            raise InvalidQuery("unknown value") from error

    return parse


IMPORT_PARAMETERS: Final = by_name(
    Parameter(
        "key",
        _one_of(Key),
        {"type": "string", "enum": [*Key]},
        "The column that says which client a line is about; unset: `id` if there is one, else `external_id`.",
    ),
    Parameter("dry_run", boolean, {"type": "boolean", "default": False}, "Judge every line, and change nothing."),
    Parameter("atomic", boolean, {"type": "boolean", "default": False}, "Change nothing unless every line is good."),
)

EXPORT_PARAMETERS: Final = by_name(
    Parameter("format", _one_of(Format), {"type": "string", "enum": [*Format], "default": "csv"}, "The form of the file."),
    Parameter(
        "with_hashes", boolean, {"type": "boolean", "default": False}, "Include the hashes of secrets; for super admins."
    ),
)

OWN_PARAMETERS: Final = by_name(
    *IMPORT_PARAMETERS.values(),
    Parameter("all_new", boolean, {"type": "boolean"}, "Each line creates a client."),
    Parameter("source", str, {"type": "string"}, "The SHA-256 of the file."),
    Parameter("most_secrets", int, {"type": "integer"}, "How many secrets may be made."),
    Parameter("held", boolean, {"type": "boolean"}, "Only tell which lines have the id and the secret of a client."),
)
"""Those of our own program, which are heeded on the data directory's socket only."""


class File(NamedTuple):
    """A file to be imported: its lines, what says which client each is about, and the SHA-256 of what was read."""

    lines: AsyncIterator[Record | BadLine]
    key: Key
    digest: Callable[[], str]


async def read_file(media_type: str, body: AsyncIterator[bytes], values: Mapping[str, Any], *, own: bool = False) -> File:
    """The lines of a file that arrives.

    Args:
        media_type: of the body.
        body: its parts.
        values: of the query: `key` says which client a line is about, `all_new` that each line creates one.
        own: whether our own program sends it, with columns of its own.

    Raises:
        UnsupportedMediaType: it is neither CSV nor JSONL.
        UnusableFile: it cannot be read at all, or does not have the key.
    """
    hashed, key = sha256(), values.get("key")
    body = _counted_into(hashed.update, body)
    kind = media_type.partition(";")[0].strip().lower()
    if kind == CSV:
        header, rows = await table(lines(body))
        columns = Columns(header, own=own)
        found = key or next((one for one in (Key.ID, Key.EXTERNAL_ID) if one in columns), None)
        if not values.get("all_new") and (found is None or found not in columns):
            raise UnusableFile(subject=_no_key(key))
        return File(records(columns, rows), found or Key.ID, hashed.hexdigest)
    if kind == JSONL:
        said = json_lines.records(lines(body), own=own)
        first = [] if key else await _first_with_key(said)
        return File(_behind(first, said), key or _key_of(first), hashed.hexdigest)
    raise UnsupportedMediaType


async def _counted_into(update: Callable[[bytes], None], body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    async for part in body:
        update(part)
        yield part


def _no_key(key: Key | None) -> str:
    if key is None:
        return "it has neither a column id nor a column external_id: name the key of its lines"
    return f"it has no column {key}, which is to be the key of its lines"


async def _first_with_key(lines: AsyncIterator[Record | BadLine]) -> list[Record | BadLine]:
    """The lines through the first that says which client it is about; if none of the first ones does, these."""
    found: list[Record | BadLine] = []
    size = 0
    async for line in lines:
        found.append(line)
        size += line.size if isinstance(line, Record) else 0
        if _said_key(line) or len(found) == _FIRST or size >= LONGEST:
            break
    return found


def _said_key(line: Record | BadLine) -> Key | None:
    return next((key for key in (Key.ID, Key.EXTERNAL_ID) if isinstance(line, Record) and key_of(line, key)), None)


def _key_of(first: Sequence[Record | BadLine]) -> Key:
    return (_said_key(first[-1]) if first else None) or Key.EXTERNAL_ID


async def _behind(first: list[Record | BadLine], others: AsyncIterator[Record | BadLine]) -> AsyncIterator[Record | BadLine]:
    while first:
        yield first.pop(0)
    async for one in others:
        yield one


class _MadeLine(msgspec.Struct, omit_defaults=True):
    line: int
    id: str
    external_id: str
    secret: str = ""


class _HeldLine(msgspec.Struct):
    line: int
    held: bool = True


class _SummaryLine(msgspec.Struct):
    created: int
    updated: int
    unchanged: int
    failed: int
    stopped_at: int | msgspec.UnsetType = msgspec.UNSET
    behind: int | msgspec.UnsetType = msgspec.UNSET  # for our own program: others cannot go on with a file


def held_lines_of(held: Sequence[int]) -> bytes:
    """The lines of a response that tell which lines count."""
    return _encode_lines([_HeldLine(line) for line in held])


def lines_of(told: Sequence[Told]) -> bytes:
    """The lines of a response that tell of lines of the file, or of all of them."""
    return _encode_lines([_line(one) for one in told])


def _line(told: Told) -> object:
    if isinstance(told, Made):
        return _MadeLine(told.line, told.client.id, told.client.external_id, told.secret)
    if isinstance(told, Summary):
        stopped_at = msgspec.UNSET if told.stopped_at is None else told.stopped_at
        return _SummaryLine(told.created, told.updated, told.unchanged, told.failed, stopped_at, told.behind or msgspec.UNSET)
    return told


def options_of(values: dict[str, Any], file: File) -> Options:
    """How a file is imported, from its query."""
    source = values.get("source", "")
    return Options(
        key=None if values.get("all_new") else file.key,
        dry_run=values.get("dry_run", False),
        atomic=values.get("atomic", False),
        source=source,
        digest=(lambda: source) if source else file.digest,
        most_secrets=values.get("most_secrets", Options().most_secrets),
    )
