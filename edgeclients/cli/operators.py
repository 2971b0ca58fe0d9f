"""`edgeclients operators`: local operators and their tokens, in the storage of the service."""

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from edgeclients import settings
from edgeclients.cli.administration import as_json, command
from edgeclients.cli.terminal import check_output, table, write_out
from edgeclients.errors import StartError
from edgeclients.model import DomainStanding, LocalOperator, OperatorToken, rfc3339

if TYPE_CHECKING:
    from edgeclients.core.secrets.keyring import Keyring
    from edgeclients.wiring.administration import Administration

_LONGEST = 100 * 365 * 24 * 3600.0


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `operators` and its subcommands."""
    parser = commands.add_parser(
        "operators",
        help="manage local operators and their tokens",
        description="Local operators are additional callers, with their own tokens and domains. In a domain, an `admin` may do "
        "everything, a `member` only what roles on clients allow. The command uses the data directory, or in cloud mode the "
        "database, whether the service runs or not. The service refuses removed operators and tokens from the next request on.",
    )
    sub = parser.add_subparsers(metavar="COMMAND", required=True)

    add = command(sub, "add", "add an operator", _add)
    add.add_argument(
        "operator", metavar="ID", help="1 to 36 letters, digits and `.`, `_`, `@`, `-`; roles name the operator by this id"
    )
    add.add_argument("--name", help="display name; unset: the id")
    _add_domain_argument(add, "give access to DOMAIN, as `admin` or `member`; repeatable")

    change = command(sub, "change", "change an operator's name or domains", _change)
    change.add_argument("operator", metavar="ID")
    change.add_argument("--name", help="new display name")
    _add_domain_argument(change, "give or change access to DOMAIN, as `admin` or `member`; repeatable")
    change.add_argument("--without", metavar="DOMAIN", action="append", default=[], help="revoke access to DOMAIN; repeatable")

    command(sub, "list", "list the operators", _list)

    remove = command(sub, "remove", "remove an operator, with tokens and role memberships", _remove)
    remove.add_argument("operator", metavar="ID")

    token = sub.add_parser("token", help="manage an operator's tokens").add_subparsers(metavar="COMMAND", required=True)
    add_token = command(token, "add", "create a token and print it, only this once", _add_token, with_peppers=True)
    add_token.add_argument("operator", metavar="ID")
    add_token.add_argument("name", metavar="NAME", help="name of the token, such as the place of its use")
    add_token.add_argument(
        "--expires-in", metavar="DURATION", type=_lifetime, help="lifetime of the token, such as 720h; unset: unlimited"
    )
    command(token, "list", "list an operator's tokens", _list_tokens).add_argument("operator", metavar="ID")
    remove_token = command(token, "remove", "remove a token", _remove_token)
    remove_token.add_argument("operator", metavar="ID")
    remove_token.add_argument("name", metavar="NAME")


def _add_domain_argument(parser: argparse.ArgumentParser, text: str) -> None:
    parser.add_argument("--domain", metavar="DOMAIN=STANDING", type=_domain, action="append", default=[], help=text)


def _domain(text: str) -> tuple[str, DomainStanding]:
    domain, _, standing = text.rpartition("=")
    try:
        return domain, DomainStanding(standing)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not DOMAIN=admin or DOMAIN=member") from error


def _lifetime(text: str) -> int:
    try:
        seconds = settings.duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not {error}") from error
    if not 1 <= seconds <= _LONGEST:
        raise argparse.ArgumentTypeError(f"{text!r} is not between 1 second and 100 years")
    return int(seconds)


async def _add(opened: "Administration", parsed: argparse.Namespace) -> str:
    name = parsed.operator if parsed.name is None else parsed.name
    return _shown([await opened.operators.add(parsed.operator, name, dict(parsed.domain))], parsed)


async def _change(opened: "Administration", parsed: argparse.Namespace) -> str:
    changed = await opened.operators.change(parsed.operator, parsed.name, dict(parsed.domain), parsed.without)
    return _shown([changed], parsed)


async def _list(opened: "Administration", parsed: argparse.Namespace) -> str:
    return _shown(await opened.operators.all(), parsed, several=True)


async def _remove(opened: "Administration", parsed: argparse.Namespace) -> str:
    roles = await opened.operators.remove(parsed.operator)
    if parsed.output == "json":
        return as_json({"id": parsed.operator, "roles": roles})
    return f"{parsed.operator} is removed, with {roles} role memberships"


async def _add_token(opened: "Administration", parsed: argparse.Namespace) -> str:
    try:
        check_output()
    except OSError as error:
        raise _not_shown(error) from error
    made = await opened.operators.add_token(cast("Keyring", opened.keyring), parsed.operator, parsed.name, parsed.expires_in)
    text = as_json({**_token(made.kept), "token": made.clear}) if parsed.output == "json" else made.clear
    try:
        write_out(text)
    except OSError as error:
        await opened.operators.remove_token(parsed.operator, parsed.name)  # nobody has seen it
        raise _not_shown(error) from error
    return ""


def _not_shown(error: OSError) -> StartError:
    return StartError(f"no token is created, because it cannot be printed ({error.strerror})")


async def _list_tokens(opened: "Administration", parsed: argparse.Namespace) -> str:
    tokens = [_token(token) for token in await opened.operators.tokens(parsed.operator)]
    if parsed.output == "json":
        return as_json(tokens)
    rows = [[token[key] or "never" for key in ("name", "created_at", "expires_at", "last_used_at")] for token in tokens]
    return table(("NAME", "CREATED", "EXPIRES", "LAST USED"), rows)


async def _remove_token(opened: "Administration", parsed: argparse.Namespace) -> str:
    await opened.operators.remove_token(parsed.operator, parsed.name)
    return (
        as_json({"operator": parsed.operator, "name": parsed.name}) if parsed.output == "json" else f"{parsed.name} is removed"
    )


def _shown(operators: Sequence[LocalOperator], parsed: argparse.Namespace, *, several: bool = False) -> str:
    if parsed.output == "json":
        shown = [
            {"id": one.id, "name": one.name, "domains": one.domains, "created_at": rfc3339(one.created_at)} for one in operators
        ]
        return as_json(shown if several else shown[0])
    rows = [
        (one.id, one.name, ",".join(f"{domain}={standing}" for domain, standing in one.domains.items())) for one in operators
    ]
    return table(("ID", "NAME", "DOMAINS"), rows)


def _token(token: OperatorToken) -> dict[str, str | None]:
    """The public fields of a token: all but its digest."""
    return {
        "operator": token.operator_id,
        "name": token.name,
        "created_at": rfc3339(token.created_at),
        "expires_at": None if token.expires_at is None else rfc3339(token.expires_at),
        "last_used_at": None if token.last_used_at is None else rfc3339(token.last_used_at),
    }
