"""`edgeclients import`: clients from a file into the data directory, whether the service runs or not."""

import argparse
import contextlib
import http.client
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple
from urllib.parse import quote

import msgspec

from edgeclients.cli.administration import at_data
from edgeclients.cli.exchange import Exchange
from edgeclients.cli.import_file import CSV, MEDIA_TYPES, XLSX, Making, form_of, parts_of_objects, parts_of_table, sha256_of
from edgeclients.cli.progress import ProgressBar
from edgeclients.cli.secrets_file import Owner, SecretsFile
from edgeclients.cli.terminal import warn
from edgeclients.core.provisioning.record import BadLine
from edgeclients.errors import StartError

SOME_BAD = 3
"""The exit code if some lines are bad."""

_SHOWN = 20  # bad lines on the terminal; a report has all of them
_NO_LIMIT = 10_000_000


class Summary(msgspec.Struct):
    """What a run has done, by lines."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    failed: int = 0
    stopped_at: int | None = None


class _Bad(msgspec.Struct):
    line: int
    column: str
    value: str
    reason: str


class _Held(msgspec.Struct):
    line: int
    id: str


def add_command(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `import`."""
    parser = commands.add_parser(
        "import",
        help="create and update clients from a CSV, XLSX or JSONL file",
        description="Create and update clients from a file, in the data directory, whether the service runs or not. Good lines "
        "are imported, bad ones are reported. A run that was interrupted is started again with the same arguments.",
        epilog="Example: edgeclients import devices.csv --domain plant --secrets-out secrets.csv. "
        "Exit codes: 0 all lines are imported, 3 some lines are bad, 1 nothing is done.",
    )
    parser.add_argument("file", metavar="FILE", type=Path, help="a file whose name ends with .csv, .xlsx or .jsonl")
    parser.add_argument("--domain", required=True, help="the domain of the clients")
    parser.add_argument(
        "--key",
        choices=("id", "external_id", "name"),
        help="the column that says which client a line is about; unset: `id` if there is one, else `external_id`",
    )
    parser.add_argument("--all-new", action="store_true", help="create a client for each line; a file is imported once")
    parser.add_argument("--dry-run", action="store_true", help="judge every line, and change nothing")
    parser.add_argument("--atomic", action="store_true", help="change nothing unless every line is good")
    parser.add_argument("--sheet", metavar="NAME", help="the sheet of an XLSX file; unset: the first")
    parser.add_argument(
        "--secrets-out",
        metavar="FILE",
        type=Path,
        help="a new file for the secrets that are made (CSV, 0600)",
    )
    parser.add_argument("--report", metavar="FILE", type=Path, help="a file for the bad lines (JSON lines)")
    parser.set_defaults(run=lambda parsed: at_data(lambda socket: _import(parsed, Exchange.at_socket(socket))))


class _Run(NamedTuple):
    """One pass over the file."""

    parsed: argparse.Namespace
    exchange: Exchange
    file: BinaryIO
    form: str
    source: str

    def query(self, *, dry: bool, most_secrets: int) -> dict[str, str]:
        parsed = self.parsed
        found = {"most_secrets": str(most_secrets), "source": self.source}
        found |= {"key": parsed.key} if parsed.key else {}
        found |= {"all_new": "true"} if parsed.all_new else {}
        found |= {"dry_run": "true"} if dry else {}
        found |= {"atomic": "true"} if parsed.atomic else {}
        return found


def _import(parsed: argparse.Namespace, exchange: Exchange) -> int:
    form = form_of(parsed.file)
    try:
        opened = parsed.file.open("rb")
    except OSError as error:
        raise StartError(f"{parsed.file} cannot be read ({error.strerror})") from error
    with opened as file:
        run = _Run(parsed, exchange, file, form, sha256_of(file))
        if parsed.dry_run:
            return _ended(_pass(run, None, dry=True, most_secrets=_NO_LIMIT).summary)
        output = parsed.secrets_out
        if output is None or output.exists():
            return _without_secrets(run, output)
        with SecretsFile(output, Owner(parsed.domain, run.source)) as secrets:
            passed = _pass(run, secrets, dry=False, most_secrets=_NO_LIMIT)
            if secrets.finish(passed.held):
                warn(f"the secrets of {len(passed.held):,} new clients are in {output}")
        return _ended(passed.summary)


def _without_secrets(run: _Run, output: Path | None) -> int:
    """Import a file none of whose lines may need a new secret: that is found out before the first one is written."""
    judged = _pass(run, None, dry=True, most_secrets=0, quiet=True).summary
    if judged.stopped_at is not None:
        if output is None:
            raise StartError(f"line {judged.stopped_at} needs a new secret: name a file for it with --secrets-out")
        raise StartError(f"line {judged.stopped_at} needs a new secret, and {output} exists: choose another --secrets-out")
    return _ended(_pass(run, None, dry=False, most_secrets=0).summary)


class _Passed(NamedTuple):
    """The outcome of a pass, and the lines whose clients have the secrets that were made for them."""

    summary: Summary
    held: set[int]


def _pass(run: _Run, secrets: SecretsFile | None, *, dry: bool, most_secrets: int, quiet: bool = False) -> _Passed:
    making = Making(None if dry else secrets)
    bar = ProgressBar(os.fstat(run.file.fileno()).st_size, show=not quiet)
    run.file.seek(0)
    target = f"/{quote(run.parsed.domain, safe='')}/clients/import"
    query = run.query(dry=dry, most_secrets=most_secrets)
    with contextlib.ExitStack() as stack:
        stack.enter_context(bar)
        report = None if quiet else stack.enter_context(_report(run.parsed.report))
        response = stack.enter_context(run.exchange.open("POST", target, query, MEDIA_TYPES[run.form], _body(run, making, bar)))
        return _told(response, report, making, quiet=quiet)


def _body(run: _Run, making: Making, bar: ProgressBar) -> Iterator[bytes]:
    if run.form == XLSX:
        from edgeclients.cli.sheet import parts_of_sheet  # imports a reader of spreadsheets

        return parts_of_sheet(run.parsed.file, run.parsed.sheet, making)
    read = parts_of_table if run.form == CSV else parts_of_objects
    return read(run.file, making, bar.advance)


def _told(response: http.client.HTTPResponse, report: BinaryIO | None, making: Making, *, quiet: bool) -> _Passed:
    """What the service tells, until it has told all of it.

    Raises:
        StartError: it has not.
    """
    held: set[int] = set()
    shown = 0
    summary = None
    for line in response:
        told = msgspec.json.decode(line, type=dict)
        if "reason" in told:
            bad = msgspec.convert(told, BadLine)
            bad = BadLine(bad.line, bad.column, bad.value, making.reasons.get(bad.line, bad.reason))
            if report is not None:
                report.write(msgspec.json.encode(bad) + b"\n")
            if not quiet and shown < _SHOWN:
                warn(_shown(bad))
            shown += 1
        elif "created" in told:
            summary = msgspec.convert(told, Summary)
        elif "error" in told:
            raise StartError(f"the import ended early: {told['message']}")
        else:
            held.add(told["line"])
    if summary is not None and summary.stopped_at is not None and not quiet:
        raise StartError(f"the import ended before line {summary.stopped_at:,}: divide the file there, and import both parts")
    if summary is None:
        raise StartError("the service has gone away before the end of the file: run the import again")
    if shown > _SHOWN and not quiet:
        warn(f"… and {shown - _SHOWN:,} more bad lines: name a file for all of them with --report")
    return _Passed(summary, held)


def _shown(bad: BadLine) -> str:
    what = f"{bad.column} {bad.value!r} " if bad.value else f"{bad.column} " if bad.column else ""
    return f"line {bad.line}: {what}{bad.reason}"


@contextlib.contextmanager
def _report(path: Path | None) -> Iterator[BinaryIO | None]:
    if path is None:
        yield None
        return
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            yield file
    except OSError as error:
        raise StartError(f"{path} cannot be written ({error.strerror}): choose another --report") from error


def _ended(summary: Summary) -> int:
    print(
        f"created {summary.created:,}, updated {summary.updated:,}, unchanged {summary.unchanged:,}, failed {summary.failed:,}",
        flush=True,
    )
    return SOME_BAD if summary.failed else 0
