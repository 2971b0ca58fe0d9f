"""`edgeclients export`: the clients of a domain, as CSV or JSON lines."""

import argparse
import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

from edgeclients.cli.administration import at_data
from edgeclients.cli.exchange import Exchange
from edgeclients.cli.terminal import check_output
from edgeclients.errors import StartError

_PART_BYTES = 64 * 1024


def add_command(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `export`."""
    parser = commands.add_parser(
        "export",
        help="write the clients of a domain as CSV or JSON lines",
        description="Write the clients of a domain, as they are at one moment, in the form that `edgeclients import` reads. "
        "There are no secrets in it. With their hashes it can be imported where the service has the same pepper.",
    )
    parser.add_argument("--domain", required=True, help="the domain of the clients")
    parser.add_argument("--format", choices=("csv", "jsonl"), default="csv", help="the form; unset: csv")
    parser.add_argument("--with-hashes", action="store_true", help="include the hashes of secrets")
    parser.add_argument("--out", metavar="FILE", type=Path, help="a new file (0600); unset: standard output")
    parser.set_defaults(run=lambda parsed: at_data(lambda socket: _export(parsed, Exchange.at_socket(socket))))


def _export(parsed: argparse.Namespace, exchange: Exchange) -> int:
    query = {"format": parsed.format} | ({"with_hashes": "true"} if parsed.with_hashes else {})
    with (
        exchange.open("GET", f"/{quote(parsed.domain, safe='')}/clients/export", query) as response,
        _output(parsed.out) as file,
    ):
        while part := response.read(_PART_BYTES):
            file.write(part)
        file.flush()
    return 0


@contextlib.contextmanager
def _output(path: Path | None) -> Iterator[BinaryIO]:
    """Where to write; a new file is there when all of it is written.

    Raises:
        StartError: it exists, or cannot be written.
    """
    if path is None:
        check_output()
        try:
            yield sys.stdout.buffer
        except OSError as error:
            raise StartError(f"standard output cannot be written ({error.strerror}): the export is not complete") from error
        return
    part = path.with_name(f"{path.name}.part")
    try:
        part.unlink(missing_ok=True)
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.link(part, path)  # unlike `rename` it replaces nothing
        part.unlink()
    except OSError as error:
        raise StartError(f"{path} cannot be written ({error.strerror}): choose another --out") from error
