"""Objects of the API as a command prints them: some at a time, so that many need no more memory than few."""

import csv
import io
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final, TypeAlias

import msgspec

from edgeclients.cli.terminal import Widths, print_result
from edgeclients.text import to_cell

FORMATS: Final = ("table", "json", "jsonl", "csv")

_AT_A_TIME: Final = 100

Batch: TypeAlias = "Sequence[Mapping[str, Any]]"


def show(found: "Iterable[dict[str, Any]] | dict[str, Any] | None", form: str, columns: Sequence[str]) -> int:
    """Print what a command has found, one object or several, and return the exit code; nothing for None."""
    if found is None:
        return 0
    if isinstance(found, dict):
        if form in {"json", "jsonl"}:
            return print_result(_json(found))
        return show([found], form, _all_columns(found, columns))
    for text in _WRITERS[form](_batches(found), columns):
        if code := print_result(text):
            return code
    return 0


def _batches(found: Iterable[Mapping[str, Any]]) -> Iterator[Batch]:
    """The objects, some at a time; only the last batch may be empty or shorter than the others."""
    each = iter(found)
    while batch := list(islice(each, _AT_A_TIME)):
        yield batch
        if len(batch) < _AT_A_TIME:
            return
    yield []


def _all_columns(found: Mapping[str, Any], columns: Sequence[str]) -> Sequence[str]:
    """The columns of a single object: a secret that was just made is among them."""
    return (*columns, "secret") if (found.get("credentials") or {}).get("secret") else columns


def _as_table(batches: Iterable[Batch], columns: Sequence[str]) -> Iterator[str]:
    rows: list[Sequence[str]] = [[column.replace("_", " ").upper() for column in columns]]
    widths = Widths(len(columns))
    for batch in batches:
        rows += [[_printable(_text(one, column)) for column in columns] for one in batch]
        if rows:
            yield widths.aligned(rows)
        rows = []


def _as_csv(batches: Iterable[Batch], columns: Sequence[str]) -> Iterator[str]:
    shown = _printable if sys.stdout.isatty() else str
    rows: list[Sequence[str]] = [columns]
    for batch in batches:
        rows += [[to_cell(shown(_text(one, column))) for column in columns] for one in batch]
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="\n").writerows(rows)
        if rows:
            yield text.getvalue().removesuffix("\n")
        rows = []


def _as_json(batches: Iterable[Batch], _: Sequence[str]) -> Iterator[str]:
    before = "["
    for batch in batches:
        end = "]" if len(batch) < _AT_A_TIME else ""
        yield (before if batch or before == "[" else "") + ",".join(map(_json, batch)) + end
        before = ","


def _as_json_lines(batches: Iterable[Batch], _: Sequence[str]) -> Iterator[str]:
    for number, batch in enumerate(batches):
        if batch or not number:
            yield "\n".join(map(_json, batch))


_WRITERS: Mapping[str, Callable[[Iterable[Batch], Sequence[str]], Iterator[str]]] = {
    "table": _as_table,
    "json": _as_json,
    "jsonl": _as_json_lines,
    "csv": _as_csv,
}


def _text(one: Mapping[str, Any], column: str) -> str:
    value = (one.get("credentials") or {}).get("secret", "") if column == "secret" else one.get(column, "")
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _json(found: object) -> str:
    """JSON of `found`: on a terminal without what that would obey, which is escaped."""
    text = msgspec.json.encode(found).decode()
    if text.isprintable() or not sys.stdout.isatty():
        return text
    return "".join(character if character.isprintable() else json.dumps(character)[1:-1] for character in text)


def _printable(text: str) -> str:
    """A text on one line, without what a terminal would obey."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
