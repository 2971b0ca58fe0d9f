"""`edgeclients move`: from a gateway's data directory into PostgreSQL, and back."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from edgeclients.addresses import PostgresPlace, postgres_place
from edgeclients.cli.administration import as_json, run_to_end
from edgeclients.cli.terminal import table

if TYPE_CHECKING:
    from edgeclients.settings import Settings


def add_command(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `move`."""
    parser = commands.add_parser(
        "move",
        help="copy everything from the data directory into PostgreSQL, or back",
        description="Copies the data directory into an empty PostgreSQL database, or such a database into an empty data "
        "directory, and compares every row; the service has to be stopped, and where it came from everything stays. URL is "
        "postgres://USER@HOST:PORT/DATABASE; what it leaves out, the password and TLS are as the settings MG_CLIENTS_DB_… say. "
        "The peppers, without which no secret works, are those the service uses (MG_CLIENTS_PEPPER_FILE).",
    )
    way = parser.add_mutually_exclusive_group(required=True)
    way.add_argument("--to", metavar="URL", type=_place, help="copy the data directory into this database")
    way.add_argument("--from", metavar="URL", type=_place, dest="origin", help="copy this database into the data directory")
    parser.add_argument(
        "--pepper",
        metavar="FILE",
        type=Path,
        action="append",
        required=True,
        help="where a copy of the pepper goes, for the service at the new place; once for each that is in use",
    )
    parser.add_argument("--output", choices=("text", "json"), default="text", help="how to print; unset: text")
    parser.set_defaults(run=lambda parsed: run_to_end(lambda loaded: _move(loaded, parsed)))


def _place(text: str) -> PostgresPlace:
    try:
        return postgres_place(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"this is not {error}") from error


async def _move(loaded: "Settings", parsed: argparse.Namespace) -> str:
    from edgeclients.wiring import migration

    if parsed.to is not None:
        rows = await migration.to_database(loaded, parsed.to, parsed.pepper)
    else:
        rows = await migration.from_database(loaded, parsed.origin, parsed.pepper)
    if parsed.output == "json":
        return as_json({"rows": rows})
    return table(("TABLE", "ROWS"), [(name, str(count)) for name, count in rows.items()]) + "\nEvery row was compared."
