"""A file to be imported, as it is sent: with the line of each record, and what the client gets that it may create."""

import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, BinaryIO, TypeVar

import msgspec

from edgeclients.cli.secrets_file import Entry, SecretsFile
from edgeclients.core.ids import EntityIds
from edgeclients.core.provisioning.columns import LINE, NEW_ID, NEW_SECRET, Columns
from edgeclients.core.provisioning.json_lines import Sent
from edgeclients.core.provisioning.lines import Line, lines
from edgeclients.core.provisioning.record import BadLine, Generated
from edgeclients.core.provisioning.table import Row, row_text, table
from edgeclients.core.secrets.keyring import generate
from edgeclients.text import from_cell

_READ_BYTES = 64 * 1024
_AT_A_TIME = 500  # records between two writes of the secrets to disk

T = TypeVar("T")


class Making:
    """Makes ids and secrets for records without a secret, and keeps them on disk before they are sent.

    Args:
        secrets: the file; None: nothing is made.
    """

    def __init__(self, secrets: SecretsFile | None) -> None:
        self._secrets = secrets
        self._ids = EntityIds()
        self._entries: list[Entry] = []
        self.reasons: dict[int, str] = {}
        """Why records cannot be read, by line; they are sent as rows with too many cells."""

    def made(self, line: int, client_id: str, external_id: str, name: str) -> Generated | None:
        """What the client of a record gets if it is created; its id is that of the record, if that has one."""
        if self._secrets is None:
            return None
        generated = self._secrets.generated(line)
        if generated is None:
            generated = Generated(client_id.strip() or self._ids.new(time.time_ns() // 1000), generate())
        self._entries.append(Entry(line, generated, external_id, name))
        return generated

    def keep(self) -> None:
        """Write what was made to disk."""
        if self._secrets is not None and self._entries:
            self._secrets.add(self._entries)
            self._entries.clear()


def parts_of_table(file: BinaryIO, making: Making, passed: Callable[[int], None]) -> Iterator[bytes]:
    """A CSV file as it is sent.

    Args:
        file: at its beginning.
        making: makes secrets.
        passed: receives the number of bytes read so far.

    Raises:
        UnusableFile: it is no table, or has an unknown column.
    """
    header, rows = run(table(lines(_read(file, passed))))
    yield from parts_of_rows(header, iterate(rows), making)


def parts_of_rows(header: list[str], rows: Iterator[Row | BadLine], making: Making) -> Iterator[bytes]:
    """Rows as they are sent."""
    columns = Columns(header)
    names = columns.names
    places = {name: names.index(name) for name in ("secret", "id", "external_id", "name") if name in columns}
    yield row_text([*names, LINE, NEW_ID, NEW_SECRET])
    part: list[bytes] = []
    for row in rows:
        if isinstance(row, BadLine):
            making.reasons[row.line] = row.reason
            part.append(row_text([*[""] * len(names), str(row.line), "", "", "?"]))
        elif any(row.cells):
            part.append(_row_as_sent(row, names, places, making))
        if len(part) == _AT_A_TIME:
            making.keep()
            yield b"".join(part)
            part.clear()
    making.keep()
    yield b"".join(part)


def _row_as_sent(row: Row, names: list[str], places: dict[str, int], making: Making) -> bytes:
    def cell(name: str) -> str:
        place = places.get(name)
        return row.cells[place] if place is not None and place < len(row.cells) else ""

    about = cell("id"), from_cell(cell("external_id")), from_cell(cell("name"))
    generated = None if cell("secret") else making.made(row.line, *about)
    own = (generated.id, generated.secret) if generated else ("", "")
    missing = [""] * (len(names) - len(row.cells))
    beyond = [one for one in row.cells[len(names) :] if one]
    if beyond:
        making.reasons[row.line] = f"has {len(row.cells)} cells, where the header has {len(names)}"
    return row_text([*row.cells[: len(names)], *missing, str(row.line), *own, *beyond])


def parts_of_objects(file: BinaryIO, making: Making, passed: Callable[[int], None]) -> Iterator[bytes]:
    """A file of JSON lines as it is sent: a line for each of its lines, so that the numbers stay the same."""
    part: list[bytes] = []
    for line in iterate(lines(_read(file, passed))):
        part.append(_object_as_sent(line, making))
        if len(part) == _AT_A_TIME:
            making.keep()
            yield b"".join(part)
            part.clear()
    making.keep()
    yield b"".join(part)


class _Known(msgspec.Struct):
    id: str | None = None
    external_id: str | None = None
    name: str | None = None
    credentials: dict[str, Any] | None = None


_decode = msgspec.json.Decoder(_Known).decode


def _object_as_sent(line: Line, making: Making) -> bytes:
    if line.text is None:
        return b"\xff\n"  # what is no text stays none
    text = line.text.strip().encode()
    if not text:
        return b"\n"
    try:
        read = msgspec.json.decode(text, type=msgspec.Raw)
    except (msgspec.MsgspecError, RecursionError):
        return b"?\n"  # the service tells that it is no JSON
    generated = _made_for(text, line.number, making)
    return msgspec.json.encode(Sent(read, generated.id, generated.secret) if generated else Sent(read)) + b"\n"


def _made_for(text: bytes, line: int, making: Making) -> Generated | None:
    try:
        known = _decode(text)
    except (msgspec.MsgspecError, RecursionError):
        return None  # the service tells what is wrong
    if (known.credentials or {}).get("secret"):
        return None
    return making.made(line, known.id or "", known.external_id or "", known.name or "")


async def _read(file: BinaryIO, passed: Callable[[int], None]) -> AsyncIterator[bytes]:
    while part := file.read(_READ_BYTES):
        yield part
        passed(file.tell())


def run(work: Any) -> Any:
    """The result of a coroutine that waits for nothing."""
    try:
        work.send(None)
    except StopIteration as done:
        return done.value
    raise RuntimeError("it waits for something")


def iterate(items: AsyncIterator[T]) -> Iterator[T]:
    """The items of an iterator that waits for nothing."""
    while True:
        try:
            yield run(anext(items))
        except StopAsyncIteration:
            return
