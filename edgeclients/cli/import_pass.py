"""Requests of an import: a pass over the file, and the question which secrets count."""

import argparse
import os
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, NamedTuple
from urllib.parse import quote

import msgspec

from edgeclients.cli.exchange import Answer, Exchange, RefusedError
from edgeclients.cli.import_file import Making, parts_of_objects, parts_of_table
from edgeclients.cli.import_report import Report
from edgeclients.cli.import_source import CSV, JSONL, XLSX, Source
from edgeclients.cli.progress import ProgressBar
from edgeclients.cli.secrets_file import Entry, SecretsFile
from edgeclients.cli.terminal import warn
from edgeclients.core.provisioning.columns import LINE, NEW_ID, NEW_SECRET
from edgeclients.core.provisioning.record import BadLine
from edgeclients.core.provisioning.summary import Summary
from edgeclients.core.provisioning.table import row_text
from edgeclients.errors import StartError

NO_LIMIT = 10_000_000
"""More secrets than a file has lines."""

_MEDIA_TYPES = {CSV: "text/csv", JSONL: "application/jsonl", XLSX: "text/csv"}
_SHOWN = 20  # bad lines on the terminal; a report has all of them
_AT_A_TIME = 500


class Passed(NamedTuple):
    """The outcome of a pass, and the lines whose clients have the secrets that were made for them."""

    summary: Summary
    held: set[int]


class Passing:
    """Sends a file.

    Args:
        parsed: the command's arguments.
        exchange: with the service.
        source: the file.
        report: gets the bad lines.
    """

    def __init__(self, parsed: argparse.Namespace, exchange: Exchange, source: Source, report: Report) -> None:
        self._parsed = parsed
        self._exchange = exchange
        self._source = source
        self._report = report
        self._target = f"/{quote(parsed.domain, safe='')}/clients/import"

    def judge(self, *, most_secrets: int, quiet: bool = False) -> Summary:
        """What the lines would do; `quiet`: bad ones are not told."""
        return self._pass(None, dry=True, most_secrets=most_secrets, report=None if quiet else self._report).summary

    def write(self, secrets: SecretsFile | None) -> Passed:
        """Import the lines; without a place for secrets none may be needed."""
        return self._pass(secrets, dry=False, most_secrets=NO_LIMIT if secrets else 0, report=self._report)

    def held(self, entries: Iterable[Entry]) -> set[int]:
        """The lines of entries whose clients exist, with these secrets."""
        query = {"held": "true", "all_new": "true"}
        held = set()
        with self._exchange.open("POST", self._target, query, _MEDIA_TYPES[CSV], _parts_of_entries(entries)) as answer:
            for line in _told(answer):
                if "held" in line:
                    held.add(line["line"])
        return held

    def _pass(self, secrets: SecretsFile | None, *, dry: bool, most_secrets: int, report: Report | None) -> Passed:
        making = Making(secrets)
        file = self._source.file
        file.seek(0)
        query, media_type = self._query(dry=dry, most_secrets=most_secrets), _MEDIA_TYPES[self._source.form]
        with (
            ProgressBar(os.fstat(file.fileno()).st_size, show=report is not None) as bar,
            self._exchange.open("POST", self._target, query, media_type, self._body(making, bar)) as answer,
        ):
            return _passed(answer, report, making)

    def _query(self, *, dry: bool, most_secrets: int) -> dict[str, str]:
        parsed = self._parsed
        found = {"most_secrets": str(most_secrets), "source": self._source.sha256}
        found |= {"key": parsed.key} if parsed.key else {}
        found |= {"all_new": "true"} if parsed.all_new else {}
        found |= {"dry_run": "true"} if dry else {}
        found |= {"atomic": "true"} if parsed.atomic else {}
        return found

    def _body(self, making: Making, bar: ProgressBar) -> Iterator[bytes]:
        if self._source.form == XLSX:
            from edgeclients.cli.sheet import parts_of_sheet  # imports a reader of spreadsheets

            return parts_of_sheet(self._parsed.file, self._source.at, self._parsed.sheet, making)
        read = parts_of_table if self._source.form == CSV else parts_of_objects
        return read(self._source.file, making, bar.advance)


def _parts_of_entries(entries: Iterable[Entry]) -> Iterator[bytes]:
    rows = ([str(one.line), one.generated.id, one.generated.secret] for one in entries)
    yield row_text([LINE, NEW_ID, NEW_SECRET])
    while some := list(islice(rows, _AT_A_TIME)):
        yield b"".join(map(row_text, some))


def _told(answer: Answer) -> Iterator[dict[str, Any]]:
    """What the service tells, until it has told all of it; the summary is the last.

    Raises:
        RefusedError: it does not take the rest; the text is its reason.
        StartError: it has gone away.
    """
    told: dict[str, Any] = {}
    for line in answer:
        told = msgspec.json.decode(line, type=dict)
        if "error" in told:
            raise RefusedError(told["message"], told["error"])
        yield told
    if "created" not in told:
        raise StartError("the service has gone away before the end of the file: run the import again")


def _passed(answer: Answer, report: Report | None, making: Making) -> Passed:
    held: set[int] = set()
    shown = 0
    summary = Summary()
    for told in _told(answer):
        if "reason" in told:
            bad = msgspec.convert(told, BadLine)
            bad = BadLine(bad.line, bad.column, bad.value, making.reasons.get(bad.line, bad.reason))
            if report is not None:
                report.add(bad)
                if shown < _SHOWN:
                    warn(_shown(bad))
            shown += 1
        elif "created" in told:
            summary = msgspec.convert(told, Summary)
        elif "id" in told:
            held.add(told["line"])
    if shown > _SHOWN and report is not None:
        warn(f"… and {shown - _SHOWN:,} more bad lines: name a file for all of them with --report")
    return Passed(summary, held)


def _shown(bad: BadLine) -> str:
    what = f"{bad.column} {bad.value!r} " if bad.value else f"{bad.column} " if bad.column else ""
    return f"line {bad.line}: {what}{bad.reason}"
