"""An example of each command, shown below its help text."""

import argparse
from collections.abc import Iterable
from typing import Final

EXAMPLES: Final = {
    "config check": "",
    "operators add": "ann --name Ann --domain plant=admin",
    "operators change": "ann --domain plant=member --without yard",
    "operators list": "--output json",
    "operators remove": "ann",
    "operators token add": "ann laptop --expires-in 720h",
    "operators token list": "ann",
    "operators token remove": "ann laptop",
    "events status": "",
    "clients list": "--domain plant --tag floor-1 --output csv",
    "clients create": "boiler --domain plant --external-id SN-17 --tag floor-1",
    "clients get": "SN-17 --domain plant --output json",
    "clients update": "SN-17 --domain plant --name 'boiler 1'",
    "clients rotate": "SN-17 --domain plant --grace 1h",
    "clients enable": "SN-17 --domain plant",
    "clients disable": "SN-17 --domain plant",
    "clients delete": "SN-17 --domain plant",
    "clients connect": "SN-17 d8e9c2f0-5a4b-4e0e-9c39-0d5e6f1a2b3c --domain plant --type publish",
    "clients disconnect": "SN-17 d8e9c2f0-5a4b-4e0e-9c39-0d5e6f1a2b3c --domain plant",
    "roles list": "SN-17 --domain plant",
    "roles create": "SN-17 reader --domain plant --action read --member bob",
    "secrets": "--domain plant",
    "import": "devices.csv --domain plant --secrets-out secrets.csv",
    "export": "--domain plant --out clients.csv",
    "move": "--to postgres://clients@db.example/clients --pepper pepper",
    "labels": "secrets.csv --out labels.pdf",
    "audit": "--domain plant --since 24h",
    "backup": "/var/backups/edgeclients --keep 7d,4w",
    "restore": "edgeclients.backup --pepper pepper",
    "doctor": "--json",
    "version": "",
    "health": "",
}
"""The arguments of each command, as a shell reads them."""


def add_examples(program: argparse.ArgumentParser) -> None:
    """Show the examples below the help texts of the commands of `program`."""
    for name, parser in _leaves(program, ()):
        if name in EXAMPLES:
            example = f"Example: {program.prog} {name} {EXAMPLES[name]}".rstrip()
            parser.epilog = f"{parser.epilog} {example}" if parser.epilog else example


def _leaves(parser: argparse.ArgumentParser, path: tuple[str, ...]) -> Iterable[tuple[str, argparse.ArgumentParser]]:
    groups = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]  # noqa: SLF001
    for group in groups:
        for name, child in group.choices.items():
            yield from _leaves(child, (*path, name))
    if not groups:
        yield " ".join(path), parser
