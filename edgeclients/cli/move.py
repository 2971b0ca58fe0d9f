"""`edgeclients move`: copies a gateway's data directory into PostgreSQL, or back."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from edgeclients.addresses import PostgresPlace, postgres_place
from edgeclients.cli.administration import as_json, run_to_end
from edgeclients.cli.terminal import table

if TYPE_CHECKING:
    from edgeclients.settings import Settings


def add_command(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command `move`."""
    parser = commands.add_parser(
        "move",
        help="copy everything from the data directory into PostgreSQL, or back",
        description="Copies the data directory into an empty PostgreSQL database, or a database into an empty data directory, "
        "and compares every row. Stop the service first. The source is not changed. URL is postgres://USER@HOST:PORT/DATABASE; "
        "the settings MG_CLIENTS_DB_… supply omitted parts, the password and TLS. The peppers are those of the service "
        "(MG_CLIENTS_PEPPER_FILE); no secret works without them.",
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
        help="file to write a copy of the pepper to, for the service on the new storage; repeat it for each pepper in use",
    )
    parser.add_argument("--output", choices=("text", "json"), default="text", help="output format; unset: text")
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
