"""`edgeclients import`: clients from a file into the data directory, whether the service runs or not."""

import argparse
from pathlib import Path
from typing import NamedTuple

from edgeclients.cli.administration import at_data
from edgeclients.cli.exchange import Exchange, RefusedError
from edgeclients.cli.import_names import check_names
from edgeclients.cli.import_pass import NO_LIMIT, Passed, Passing
from edgeclients.cli.import_report import report_at
from edgeclients.cli.import_source import opened
from edgeclients.cli.secrets_file import Owner, SecretsFile, finished
from edgeclients.cli.terminal import fail, warn
from edgeclients.core import limits
from edgeclients.core.provisioning.summary import Summary
from edgeclients.errors import StartError, UnusableFile, text_of

SOME_BAD = 3
"""The exit code if some lines are not imported."""

_ALREADY_IMPORTED, _UNUSABLE = "already_imported", "unusable_file"


def add_command(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `import`."""
    parser = commands.add_parser(
        "import",
        help="create and update clients from a CSV, XLSX or JSONL file",
        description="Create and update clients from a file, in the data directory, whether the service runs or not. Good lines "
        "are imported, bad ones are reported. A run that was interrupted is started again with the same arguments.",
        epilog="Exit codes: 0 all lines are imported, 3 some lines are not, 1 nothing is done.",
    )
    parser.add_argument(
        "file", metavar="FILE", type=Path, help="a file whose name ends with .csv, .xlsx or .jsonl; -: standard input"
    )
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
    parser.add_argument(
        "--report", metavar="FILE", type=Path, help="a file for the bad lines (JSON lines), new or an earlier report"
    )
    parser.set_defaults(run=lambda parsed: at_data(lambda socket: _import(parsed, Exchange.at_socket(socket))))


class _Run(NamedTuple):
    """An import that goes on."""

    parsed: argparse.Namespace
    passing: Passing
    owner: Owner


def _import(parsed: argparse.Namespace, exchange: Exchange) -> int:
    check_names(parsed.file, parsed.report, parsed.secrets_out)
    with opened(parsed.file) as source, report_at(parsed.report) as report:
        summary = _done(_Run(parsed, Passing(parsed, exchange, source, report), Owner(parsed.domain, source.sha256)))
    return _ended(parsed, summary)


def _done(run: _Run) -> Summary:
    output = run.parsed.secrets_out
    if run.parsed.dry_run:
        return run.passing.judge(most_secrets=NO_LIMIT)
    if output is None:
        return _without_secrets(run, ": name a file for it with --secrets-out")
    if not output.exists():
        return _with_secrets(run, output)
    ended_late = finished(output, run.owner)
    try:
        return _without_secrets(run, f", and {output} exists: choose another --secrets-out")
    except RefusedError as refused:
        if not ended_late or refused.code != _ALREADY_IMPORTED:
            raise
        warn(f"a run before this has imported the file: its secrets are in {output}")
        return Summary()


def _without_secrets(run: _Run, remedy: str) -> Summary:
    """Import a file none of whose lines may need a new secret: that is found out before the first one is written."""
    judged = run.passing.judge(most_secrets=0, quiet=True)
    if judged.stopped_at is not None and not judged.is_full:
        raise StartError(f"line {judged.stopped_at} needs a new secret{remedy}")
    total = Summary()
    while True:
        passed = run.passing.write(None)
        _note_other_secrets(passed.summary, total)
        total.add(passed.summary)
        if not _goes_on(run, passed.summary):
            return total


def _with_secrets(run: _Run, output: Path) -> Summary:
    total = Summary()
    while True:
        with SecretsFile(output, run.owner) as secrets:
            passed = _passed(run, secrets, output)
            if not secrets.was_begun:
                _note_other_secrets(passed.summary, total)
            total.add(passed.summary)
            if _goes_on(run, passed.summary):
                continue
            if secrets.finish(passed.held):
                warn(f"the secrets of {len(passed.held):,} new clients are in {output}")
        return total


def _note_other_secrets(summary: Summary, before: Summary) -> None:
    """Tell that secrets which a run before has made are in a file that this one does not know."""
    if summary.behind and before.stopped_at is None:
        warn(
            f"the lines through {summary.behind:,} were imported by a run before this: if it made secrets, run this again "
            "with its --secrets-out, which finishes that file"
        )


def _goes_on(run: _Run, summary: Summary) -> bool:
    """Whether another pass has to go on behind the last line of this one: each line is a client of its own."""
    return bool(run.parsed.all_new and not run.parsed.atomic and summary.stopped_at and summary.is_full)


def _passed(run: _Run, secrets: SecretsFile, output: Path) -> Passed:
    """A pass, with the secrets of all clients that there are then."""
    try:
        passed = run.passing.write(secrets)
    except RefusedError as refused:
        if refused.code == _UNUSABLE:
            _keep_what_counts(run, secrets, output, refused, str(refused))
        if refused.code != _ALREADY_IMPORTED or not secrets.was_begun:
            raise
        passed = Passed(Summary(), set())  # that run was ended before the file had its name
    except UnusableFile as error:
        _keep_what_counts(run, secrets, output, error, text_of(error))
        raise
    if run.parsed.all_new and secrets.was_begun:  # the service tells nothing of lines that were imported before
        others = (entry for entry in secrets.entries() if entry.line not in passed.held)
        return passed._replace(held=passed.held | run.passing.held(others))
    return passed


def _keep_what_counts(run: _Run, secrets: SecretsFile, output: Path, error: Exception, reason: str) -> None:
    """Finish the file of secrets where the input can be read no further: it will be another one when it is mended.

    Raises:
        StartError: there are such secrets; the text has `reason`, and where they are.
    """
    if not secrets.is_empty and (count := secrets.finish(run.passing.held(secrets.entries()))):
        raise StartError(
            f"{reason}; {count:,} clients of the lines before are created: their secrets are in {output}"
        ) from error


def _ended(parsed: argparse.Namespace, summary: Summary) -> int:
    print(
        f"created {summary.created:,}, updated {summary.updated:,}, unchanged {summary.unchanged:,}, failed {summary.failed:,}",
        flush=True,
    )
    if summary.stopped_at is None:
        return SOME_BAD if summary.failed else 0
    most = f"one import takes {limits.IMPORTED_LINES:,} lines"
    if parsed.atomic and not parsed.dry_run:
        return fail(f"{parsed.file} is too long, and nothing is imported: {most}; divide it at line {summary.stopped_at:,}")
    done = "judged" if parsed.dry_run else "imported"
    warn(
        f"the lines from {summary.stopped_at:,} on are not {done}: {most}; put them into another file, below the header, "
        "and import that with another --secrets-out"
    )
    return SOME_BAD
