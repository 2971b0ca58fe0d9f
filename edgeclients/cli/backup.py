"""`edgeclients backup` and `edgeclients restore`: a gateway's data directory as one file."""

import argparse
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeclients.cli import passphrases
from edgeclients.cli.administration import as_json, do
from edgeclients.cli.exchange import Exchange
from edgeclients.errors import StartError
from edgeclients.model import rfc3339

if TYPE_CHECKING:
    from edgeclients.settings import Settings
    from edgeclients.wiring.backup import Made
    from edgeclients.wiring.restore import Restored

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_FLUSH_SECONDS = 10.0
_MEGABYTE = 1_000_000


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `backup` and `restore`."""
    _add_backup(commands)
    _add_restore(commands)


def _add_backup(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "backup",
        help="back up the data directory",
        description="Writes a backup of the data directory, whether the service runs or not. Without --with-pepper, keep the "
        "pepper elsewhere: no secret works without it.",
    )
    parser.add_argument(
        "place", metavar="FILE", type=Path, help="new file for the backup; a folder: a file in it with the time in its name"
    )
    parser.add_argument(
        "--with-pepper",
        action="store_true",
        help="add the peppers and the operator's token, and encrypt the backup; asks for a passphrase if nothing else is named",
    )
    way = parser.add_mutually_exclusive_group()
    way.add_argument(
        "--passphrase-file", metavar="FILE", type=Path, help="encrypt the backup with the passphrase in FILE, in the age format"
    )
    way.add_argument(
        "--recipient",
        metavar="KEY",
        action="append",
        default=[],
        help="encrypt the backup to the owner of this public key of age (age1…); repeatable",
    )
    parser.add_argument(
        "--keep",
        metavar="RULE",
        type=_rule,
        help="then remove older backups from the folder; 7d,4w keeps the newest of each of the last 7 days and 4 weeks that "
        "have one; m: months, y: years",
    )
    _add_output(parser)
    parser.set_defaults(run=lambda parsed: do(lambda loaded: _backup(loaded, parsed)))


def _add_restore(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "restore",
        help="restore a backup into an empty data directory",
        description="Verifies a backup and puts it into the data directory, which must be empty or missing. The service must "
        "not run. Secrets and tokens that were revoked after the backup work again.",
    )
    parser.add_argument("file", metavar="FILE", type=Path, help="the backup")
    way = parser.add_mutually_exclusive_group()
    way.add_argument(
        "--passphrase-file", metavar="FILE", type=Path, help="file with the passphrase of the backup; unset: the command asks"
    )
    way.add_argument("--identity-file", metavar="FILE", type=Path, help="file with the identity of age of a recipient")
    parser.add_argument(
        "--pepper",
        metavar="FILE",
        type=Path,
        action="append",
        default=[],
        help="file with the pepper, if the backup does not hold it; repeat it for each pepper in use",
    )
    _add_output(parser)
    parser.set_defaults(run=lambda parsed: do(lambda loaded: _restore(loaded, parsed)))


def _add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--output", choices=("text", "json"), default="text", help="output format; unset: text")


def _rule(text: str) -> Any:
    from edgeclients.wiring.backup import rule

    try:
        return rule(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not {error}") from error


def _backup(loaded: "Settings", parsed: argparse.Namespace) -> str:
    from edgeclients.wiring.backup import Wanted, backup

    _flush(loaded.data_dir)
    made = backup(loaded, parsed.place, Wanted(parsed.with_pepper, _passphrase_for(parsed), parsed.recipient, parsed.keep))
    return as_json(_made(made)) if parsed.output == "json" else "\n".join(_made_lines(made))


def _flush(data: Path) -> None:
    """Let a running service write what it has in memory only. Without it, the backup has all but that."""
    from edgeclients.wiring.control import FLUSH, SOCKET

    with contextlib.suppress(StartError):
        Exchange.at_socket(data / SOCKET, _FLUSH_SECONDS).call("POST", FLUSH)


def _passphrase_for(parsed: argparse.Namespace) -> Callable[[], str]:
    """What gets the passphrase of a new backup, or nothing."""
    if parsed.passphrase_file is not None:
        return lambda: passphrases.from_file(parsed.passphrase_file)
    if parsed.with_pepper and not parsed.recipient:
        return lambda: passphrases.ask_twice("use --passphrase-file or --recipient")
    return str


def _made(made: "Made") -> dict[str, object]:
    return {
        "file": str(made.path),
        "bytes": made.size,
        "created_at": rfc3339(made.created_at),
        "clients": made.clients,
        "with_pepper": made.with_pepper,
        "with_activity": made.has_activity,
        "removed": made.removed,
    }


def _made_lines(made: "Made") -> list[str]:
    lines = [f"{made.path}: {_counted(made.clients, 'client')}, {_size(made.size)}, as of {rfc3339(made.created_at)}"]
    if not made.with_pepper:
        lines.append("It holds no pepper. Keep a copy of the pepper elsewhere: without it, no secret works.")
    if not made.has_activity:
        lines.append("It holds no times of last authentication: activity.db is missing or damaged.")
    if made.removed:
        lines.append(f"Removed: {_counted(len(made.removed), 'older backup')}.")
    return lines


def _restore(loaded: "Settings", parsed: argparse.Namespace) -> str:
    from edgeclients.wiring.restore import Keys, restore

    passphrase = "" if parsed.passphrase_file is None else passphrases.from_file(parsed.passphrase_file)
    keys = Keys(passphrase, parsed.identity_file, lambda: passphrases.ask("use --passphrase-file"))
    restored = restore(loaded, parsed.file, keys, parsed.pepper)
    return as_json(_restored(restored)) if parsed.output == "json" else "\n".join(_restored_lines(restored))


def _restored(restored: "Restored") -> dict[str, object]:
    return {
        "data_dir": str(restored.data),
        "created_at": restored.created_at,
        "age_seconds": round(restored.age),
        "clients": restored.clients,
        "with_pepper": restored.with_pepper,
    }


def _restored_lines(restored: "Restored") -> list[str]:
    clients = _counted(restored.clients, "client")
    return [
        f"{restored.data} is restored: {clients}, as of {restored.created_at}, {_age(restored.age)}.",
        "Later changes are missing. Secrets and tokens that were revoked since then work again: revoke them again.",
    ]


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= _MEGABYTE else f"{count / 1e3:.0f} KB"


def _age(seconds: float) -> str:
    """How old a backup is, in words."""
    if seconds < 0:
        return "which is later than the clock of this machine says"
    for size, unit in ((_DAY, "days"), (_HOUR, "hours"), (_MINUTE, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit} ago"
    return f"{seconds:.0f} seconds ago"
