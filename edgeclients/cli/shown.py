"""Objects of the API as a command prints them."""

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from edgeclients.cli.terminal import print_result, table
from edgeclients.text import to_cell

FORMATS: Final = ("table", "json", "jsonl", "csv")


def show(found: "Iterable[dict[str, Any]] | dict[str, Any] | None", form: str, columns: Sequence[str]) -> int:
    """Print what a command has found, one object or several, and return the exit code; nothing for None."""
    if found is None:
        return 0
    if isinstance(found, dict):
        return print_result(
            _json(found) if form in {"json", "jsonl"} else _WRITERS[form]([found], _all_columns(found, columns))
        )
    return print_result(_WRITERS[form](list(found), columns))


def _all_columns(found: Mapping[str, Any], columns: Sequence[str]) -> Sequence[str]:
    """The columns of a single object: a secret that was just made is among them."""
    return (*columns, "secret") if (found.get("credentials") or {}).get("secret") else columns


def _json(found: object) -> str:
    return msgspec.json.encode(found).decode()


def _as_table(found: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> str:
    head = [column.replace("_", " ").upper() for column in columns]
    return table(head, [[_printable(_text(one, column)) for column in columns] for one in found])


def _as_csv(found: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> str:
    text = io.StringIO(newline="")
    rows = [[to_cell(_text(one, column)) for column in columns] for one in found]
    csv.writer(text, lineterminator="\n").writerows([columns, *rows])
    return text.getvalue().removesuffix("\n")


_WRITERS: Mapping[str, Callable[[Sequence[Mapping[str, Any]], Sequence[str]], str]] = {
    "table": _as_table,
    "json": lambda found, _: _json(found),
    "jsonl": lambda found, _: "\n".join(map(_json, found)),
    "csv": _as_csv,
}


def _text(one: Mapping[str, Any], column: str) -> str:
    value = (one.get("credentials") or {}).get("secret", "") if column == "secret" else one.get(column, "")
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _printable(text: str) -> str:
    """A text on one line, without what a terminal would obey."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
