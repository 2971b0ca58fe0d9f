"""Cells, rows and files: what is written is read, and what spreadsheets write is understood."""

import csv
import io
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeclients.core.provisioning import cells, json_lines
from edgeclients.core.provisioning.columns import Columns, column_of, records
from edgeclients.core.provisioning.lines import LONGEST, lines
from edgeclients.core.provisioning.record import BadCell, BadLine, Record
from edgeclients.core.provisioning.table import Row, row_text, table
from edgeclients.errors import UnusableFile
from edgeclients.http.wire.clients import ClientBody
from edgeclients.model import ConnectionType, Status
from edgeclients.text import from_cell, to_cell
from tests.support.strategies import OBJECTS

pytestmark = pytest.mark.source_only("it calls parts of the program, without the program")

CHANNEL, OTHER = "d8e9c2f0-5a4b-4e0e-9c39-0d5e6f1a2b3c", "0b7c6a52-8a6e-4a1b-9a5f-6a8f7d0f3c21"
BOTH = {(CHANNEL, ConnectionType.PUBLISH), (CHANNEL, ConnectionType.SUBSCRIBE)}
# What spreadsheets and JSON give a meaning to.
MARKS = ["=", "+", "-", "@", "\t", "\r", "\n", "'", '"', ",", ";", "[", "]", "{", "}", "1", "0", ".", "e", "true"]
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8) | st.lists(
    st.sampled_from(MARKS), max_size=5
).map("".join)

WORDS = st.sampled_from(["null", "01", "1e5", "+1", "-1", "1.50"])
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
SCALARS = st.none() | st.booleans() | NUMBERS | TEXTS | WORDS


async def parts(content: bytes, size: int = 7) -> AsyncIterator[bytes]:
    for at in range(0, len(content), size):
        yield content[at : at + size]


async def rows_of(content: bytes, size: int = 7) -> list[Row | BadLine]:
    header, rows = await table(lines(parts(content, size)))
    return [Row(0, header), *[row if isinstance(row, BadLine) else row._replace(size=0) async for row in rows]]


async def said(content: bytes) -> list[Record | BadLine]:
    header, rows = await table(lines(parts(content)))
    return without_sizes([one async for one in records(Columns(header), rows)])


def without_sizes(found: list[Record | BadLine]) -> list[Record | BadLine]:
    return [one if isinstance(one, BadLine) else msgspec.structs.replace(one, size=0) for one in found]


class TestCells:
    @given(TEXTS)
    def test_a_text_comes_back(self, text: str) -> None:
        assert from_cell(to_cell(text)) == text

    @given(TEXTS)
    def test_no_spreadsheet_runs_a_text(self, text: str) -> None:
        assert not to_cell(text).startswith(("=", "+", "-", "@", "\t", "\r"))

    @given(SCALARS | OBJECTS | st.lists(SCALARS, max_size=3))
    def test_a_value_comes_back(self, value: Any) -> None:
        cell = cells.cell_of_value(value)
        found = cells.value_of(cell)
        assert msgspec.json.encode(found) == msgspec.json.encode(value)
        assert cell
        if isinstance(value, str):
            assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))

    @pytest.mark.parametrize(
        ("cell", "value"),
        [
            ("7", 7), ("-7.5", -7.5), ("1.0", 1.0), ("true", True), ("null", None), ('"7"', "7"), ("[1]", [1]),
            ('{"a":1}', {"a": 1}), ("007", "007"), ("+7", "+7"), ("12E4", "12E4"), ("1.", "1."), ("True", "True"),
            ("{a", "{a"), (" 7", " 7"), ("'=1", "=1"), ("''a", "'a"), ("-", "-"), ("'a", "'a"),
        ],
    )  # fmt: skip
    def test_what_is_a_value(self, cell: str, value: Any) -> None:
        found = cells.value_of(cell)
        assert (found, type(found)) == (value, type(value))

    @given(st.lists(TEXTS, max_size=4).map(tuple))
    def test_tags_come_back(self, tags: tuple[str, ...]) -> None:
        assert cells.tags_of(cells.cell_of_tags(tags)) == tags

    def test_tags_of_people(self) -> None:
        assert cells.tags_of(" a, b ,,c") == ("a", "b", "c")
        assert cells.tags_of("") == ()
        assert cells.tags_of('["a,b"]') == ("a,b",)
        with pytest.raises(BadCell, match="JSON array"):
            cells.tags_of("[a")

    @given(st.sets(st.tuples(st.sampled_from([CHANNEL, OTHER]), st.sampled_from(ConnectionType))))
    def test_channels_come_back(self, channels: set[tuple[str, ConnectionType]]) -> None:
        assert cells.channels_of(cells.cell_of_channels(channels)) == channels

    def test_channels_of_people(self) -> None:
        assert cells.channels_of(f"{CHANNEL}") == BOTH
        assert cells.channels_of(f" {CHANNEL}:publish , {CHANNEL}:Subscribe") == BOTH
        for wrong in ("nonsense", f"{CHANNEL}:read", f"{CHANNEL}:"):
            with pytest.raises(BadCell):
                cells.channels_of(wrong)


class TestRows:
    @given(st.lists(st.lists(TEXTS, min_size=2, max_size=4), min_size=1, max_size=4), st.integers(1, 9))
    async def test_what_is_written_is_read(self, written: list[list[str]], size: int) -> None:
        content = b"a,b\r\n" + b"".join(map(row_text, written))
        found = await rows_of(content, size)
        assert [row.cells for row in found[1:] if isinstance(row, Row)] == written

    @given(st.lists(st.lists(TEXTS, min_size=2, max_size=4), min_size=1, max_size=4))
    def test_others_read_what_is_written(self, written: list[list[str]]) -> None:
        text = b"".join(map(row_text, written)).decode()
        assert list(csv.reader(io.StringIO(text, newline=""), strict=True)) == written

    @pytest.mark.parametrize(
        ("content", "cells_found"),
        [
            (b"\xef\xbb\xbfa;b\r\n1;2\r\n", ["1", "2"]),
            (b"sep=;\r\na;b\r\n1,5;2\r\n", ["1,5", "2"]),
            (b"sep=\t\na\tb\n1\t2", ["1", "2"]),
            ("a,b\n1,ä\n".encode("utf-16"), ["1", "ä"]),
            (b'a,b\n"x\r\ny","a ""q"" b"\n', ["x\r\ny", 'a "q" b']),
            (b'a,b\n5" pipe,2\n', ['5" pipe', "2"]),
            (b'a,b\n"",""\n', ["", ""]),
        ],
    )
    async def test_what_spreadsheets_write(self, content: bytes, cells_found: list[str]) -> None:
        assert (await rows_of(content))[1:] == [Row(2 + content.startswith(b"sep"), cells_found)]

    async def test_a_record_has_the_line_where_it_begins(self) -> None:
        found = await rows_of(b'a,b\n"x\n\ny",1\n2,3\n\xff,4\n"5,6\n')
        assert [(row.line, isinstance(row, BadLine) and row.reason) for row in found[1:]] == [
            (2, False),
            (5, False),
            (6, "is not UTF-8"),
            (7, "has a quoted cell without an end"),
        ]

    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            (b"", "is empty"),
            (b"\n", "is empty"),
            (b"\x7fELF\x02\x01\x00\x00\n", "not a text file"),
            (b"PK\x03\x04\x14\x00\x00\n", "not a text file"),
            ("größe\n".encode("latin-1"), "not UTF-8"),
            (b"a,b\rc,d\re,f", "CR alone"),
            (b"x" * (LONGEST + 1), "line 1 is longer"),
            (b"a,b\n" + b"x" * (LONGEST + 1) + b"\n", "line 2 is longer"),
            (b'a,b\n"' + b"x\n" * LONGEST, "line 2 is longer"),
        ],
    )
    async def test_what_is_no_table(self, content: bytes, reason: str) -> None:
        with pytest.raises(UnusableFile) as error:
            await rows_of(content, 4096)
        assert reason in error.value.subject


class TestColumns:
    async def test_an_empty_cell_clears_and_an_absent_column_says_nothing(self) -> None:
        (one,) = await said(b"id,name,tags,metadata.a,secret,status\n7,,,,,\n,,,,,\n")
        assert one == Record(line=2, id="7", name="", tags=(), removed=(("a",),))

    async def test_every_column(self) -> None:
        header = "Status , name,metadata.A.b\\.c,external_id,identity,secret,parent_group_id,id,channels,tags"
        (one,) = await said(f'{header}\ndisabled,\'=n,[1],SN,i,s,g,7,"{CHANNEL}","a,b"\n'.encode())
        assert one == Record(
            line=2, id="7", name="=n", external_id="SN", identity="i", secret="s", tags=("a", "b"), parent_group_id="g",
            status=Status.DISABLED, channels=frozenset(BOTH), values=((("A", "b.c"), [1]),),
        )  # fmt: skip

    @pytest.mark.parametrize(
        ("header", "reason"),
        [
            ("id,nme", "'nme' is unknown"),
            ("id,name,Name", "name occurs twice"),
            ("id,metadata.a,metadata.a.b", "exclude each other"),
            ("id,,name", "'' is unknown"),
            ("id,_secret", "'_secret' is unknown"),
        ],
    )
    async def test_what_is_no_header(self, header: str, reason: str) -> None:
        with pytest.raises(UnusableFile) as error:
            await said(header.encode() + b"\n")
        assert reason in error.value.subject

    @pytest.mark.parametrize(
        ("row", "column", "reason"),
        [
            ("1,a,x", "status", "neither enabled nor disabled"),
            ("1,[a,", "tags", "JSON array"),
            ("1,,,9", "", "has 4 cells, where the header has 3"),
            ('1,"a"b,', "", "text behind a quoted cell"),
        ],
    )
    async def test_what_is_a_bad_line(self, row: str, column: str, reason: str) -> None:
        (one,) = await said(f"id,tags,status\n{row}\n".encode())
        assert isinstance(one, BadLine)
        assert (one.line, one.column) == (2, column)
        assert reason in one.reason

    @given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), min_size=1, max_size=3))
    async def test_any_key_has_a_column(self, keys: list[str]) -> None:
        name = column_of(tuple(keys))
        (one,) = await said(row_text([name, "id"]) + b"1,7\n")
        assert isinstance(one, Record)
        assert one.values == ((tuple(keys), 1),)


class TestObjects:
    async def test_what_lines_say(self) -> None:
        content = (
            b'{"id":"7","name":null,"tags":[],"credentials":{"secret":"s"},"channels":[{"id":"%b"}],"domain_id":"x"}\n\n'
            b'{"name":""}\nnonsense\n[]\n{"tags":"a"}\n\xff\n' % CHANNEL.encode()
        )
        found = without_sizes([one async for one in json_lines.records(lines(parts(content)))])
        assert found[:2] == [
            Record(line=1, id="7", tags=(), secret="s", channels=frozenset(BOTH)),
            Record(line=3, name=""),
        ]
        assert [(one.line, isinstance(one, BadLine)) for one in found[2:]] == [(4, True), (5, True), (6, True), (7, True)]

    async def test_every_field_of_an_answer_is_known(self) -> None:
        fields = {field.encode_name: None for field in msgspec.structs.fields(ClientBody)}
        (one,) = [one async for one in json_lines.records(lines(parts(msgspec.json.encode(fields))))]
        assert isinstance(one, Record)


async def test_what_a_line_takes() -> None:
    """A part of an import ends when its lines take much: text, and values, each of which is an object in memory."""
    header, rows = await table(lines(parts(b'id,metadata.a,metadata.b\n7,"x\n",\n8,,\n')))
    first, second = [one async for one in records(Columns(header), rows)]
    (third,) = [one async for one in json_lines.records(lines(parts(b'{"name":"n"}')))]
    assert isinstance(first, Record)
    assert isinstance(second, Record)
    assert isinstance(third, Record)
    assert first.size - second.size == len('7,"x\n",\n') - len("8,,\n")
    assert second.size > len("8,,\n")
    assert third.size == len('{"name":"n"}')
