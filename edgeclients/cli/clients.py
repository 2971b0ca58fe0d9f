"""`edgeclients clients`, `roles` and `secrets`: what one does with single clients every day."""

import argparse
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, NoReturn, TypeAlias
from urllib.parse import quote

import msgspec

from edgeclients import settings
from edgeclients.cli import target
from edgeclients.cli.exchange import Exchange, RefusedError
from edgeclients.cli.shown import FORMATS, show
from edgeclients.cli.terminal import UsageError
from edgeclients.core.rules import check_tags, is_uuid
from edgeclients.errors import StartError

_PAGE = 100
_COLUMNS = ("id", "name", "external_id", "status", "tags")
_SECRET_COLUMNS = ("client_id", "name", "external_id", "status", "last_used_at", "expires_at")
_ROLE_COLUMNS = ("id", "name", "actions", "members")

Work: TypeAlias = Callable[["_Clients", argparse.Namespace], Any]


class _Clients:
    """The clients of a domain, at a service."""

    def __init__(self, exchange: Exchange, domain: str) -> None:
        self._exchange = exchange
        self._domain = domain

    def call(self, method: str, path: str, query: Mapping[str, str] | None = None, body: object = None) -> Any:
        return self._exchange.call(method, f"{self._domain}{path}", query, body)

    def all(self, limit: int | None = None, **query: str) -> Iterator[dict[str, Any]]:
        """The clients that match, page after page."""
        found = 0
        while limit is None or found < limit:
            size = _PAGE if limit is None else min(_PAGE, limit - found)
            page = self.call("GET", "/clients", {**query, "offset": str(found), "limit": str(size)})["clients"]
            yield from page
            found += len(page)
            if len(page) < size:
                return

    def id_of(self, text: str, by: str | None) -> str:
        """The id of the client that `text` names: its id, its external id or its name, if no other has that.

        Raises:
            StartError: there is none, or several.
        """
        found: dict[str, None] = {}
        if by in {None, "id"} and is_uuid(text):
            try:
                found[self.call("GET", f"/clients/{text}")["id"]] = None
            except RefusedError as error:
                if error.code != "not_found":
                    raise
        if by in {None, "external_id"}:
            found |= dict.fromkeys(one["id"] for one in self.all(external_id=text, status="all"))
        if by in {None, "name"}:
            found |= dict.fromkeys(one["id"] for one in self.all(name=text, status="all") if one.get("name") == text)
        if not found:
            raise StartError(f"there is no client {text!r}")
        if len(found) > 1:
            raise StartError(f"{text!r} are several clients: {', '.join(found)}; name one by its id, or decide with --by")
        return next(iter(found))


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `clients`, `roles` and their subcommands, and `secrets`."""
    parser = commands.add_parser(
        "clients",
        help="create, find and change clients",
        description="Create, find and change clients, on the data directory or at a service. A client is named by its id, its "
        "external id or its name, if no other client has that.",
    )
    sub = parser.add_subparsers(metavar="COMMAND", required=True)

    listing = _command(sub, "list", "list clients", _list)
    listing.add_argument("--name", help="a part of the name")
    listing.add_argument("--tag", action="append", default=[], help="a tag that they have; repeatable")
    listing.add_argument("--status", choices=("enabled", "disabled", "all"), default="all", help="their status; unset: all")
    listing.add_argument("--limit", type=_number, help="how many at most; unset: all of them")

    create = _command(sub, "create", "create a client, and print it with its secret, only this once", _create)
    create.add_argument("name", metavar="NAME")
    _describing(create)

    _named(_command(sub, "get", "print a client", lambda ours, parsed: ours.call("GET", _path(ours, parsed))))
    update = _named(_command(sub, "update", "change a client", _update))
    update.add_argument("--name", help="its new name")
    _describing(update)

    rotate = _named(_command(sub, "rotate", "give a client a new secret, and print it, only this once", _rotate))
    rotate.add_argument("--grace", metavar="DURATION", type=_grace, default=0, help="how long the old one works on, such as 1h")

    for name, text in (("enable", "let a client authenticate"), ("disable", "keep a client from authenticating")):
        _named(_command(sub, name, text, _switching(name)))
    _named(_command(sub, "delete", "delete a client", _delete))
    for name, text in (("connect", "connect a client to a channel"), ("disconnect", "disconnect a client from a channel")):
        connecting = _named(_command(sub, name, text, _connecting(name)))
        connecting.add_argument("channel", metavar="CHANNEL", type=_not_empty, help="the channel's id")
        connecting.add_argument("--type", choices=("publish", "subscribe"), action="append", help="repeatable; unset: both")

    roles = commands.add_parser(
        "roles", help="list and create roles of clients", description="List and create roles of clients."
    )
    of_roles = roles.add_subparsers(metavar="COMMAND", required=True)
    _named(_command(of_roles, "list", "list the roles of a client", _list_roles, _ROLE_COLUMNS))
    add = _named(_command(of_roles, "create", "create a role of a client", _create_role, _ROLE_COLUMNS))
    add.add_argument("name", metavar="NAME")
    add.add_argument("--action", action="append", default=[], help="an action that the role allows; repeatable")
    add.add_argument("--member", action="append", default=[], help="the id of a user who gets the role; repeatable")

    text = "list replaced secrets that still work, and when each was last used"
    secrets = _named(_command(commands, "secrets", text, _list_retiring, _SECRET_COLUMNS), optional=True)
    secrets.description = (
        "List secrets that were replaced and still work, the first to expire first, and when each was last used. Those of "
        "a disabled client work again once it is enabled. A time may be older by as long as the service remembers whom it has "
        "let in."
    )


def _command(commands: Any, name: str, text: str, work: Work, columns: Iterable[str] = _COLUMNS) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
    target.add_arguments(parser)
    parser.add_argument("--output", choices=FORMATS, default="table", help="output format; unset: table")

    def run(parsed: argparse.Namespace) -> int:
        return target.at_target(
            parsed, lambda exchange, domain: show(work(_Clients(exchange, domain), parsed), parsed.output, tuple(columns))
        )

    parser.set_defaults(run=run)
    return parser


def _named(parser: argparse.ArgumentParser, *, optional: bool = False) -> argparse.ArgumentParser:
    """The parser of a command about one client, or about all if none is named."""
    text = "its id, its external id, or its name"
    if optional:
        parser.add_argument("client", metavar="CLIENT", nargs="?", type=_not_empty, help=f"{text}; unset: all clients")
    else:
        parser.add_argument("client", metavar="CLIENT", type=_not_empty, help=text)
    parser.add_argument("--by", choices=("id", "external_id", "name"), help="what CLIENT is; unset: whichever fits")
    return parser


def _describing(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--external-id", help="what its owner knows it by, such as a serial number")
    parser.add_argument("--tag", action="append", help="a tag; repeatable; all of them together replace the old ones")
    parser.add_argument("--metadata", metavar="JSON", type=_object, help="a JSON object")
    if parser.prog.endswith(" create"):
        parser.add_argument("--identity", help="a name for the client to present")


def _path(ours: _Clients, parsed: argparse.Namespace) -> str:
    return f"/clients/{ours.id_of(parsed.client, parsed.by)}"


def _list(ours: _Clients, parsed: argparse.Namespace) -> Iterator[dict[str, Any]]:
    query = {"status": parsed.status}
    query |= {"name": parsed.name} if parsed.name else {}
    tags = [tag for tag in parsed.tag if tag == tag.strip() and tag and "+" not in tag]
    if tags:
        query["tags"] = "+".join(tags if len(tags) > 1 else tags * 2)  # alone, one with a comma would be two
    others = set(parsed.tag).difference(tags)  # the API has no words for them
    if not others:
        return ours.all(parsed.limit, **query)
    return islice((one for one in ours.all(**query) if others.issubset(one.get("tags", ()))), parsed.limit)


def _create(ours: _Clients, parsed: argparse.Namespace) -> Any:
    body = {"name": parsed.name, "tags": parsed.tag or [], "metadata": parsed.metadata or {}}
    body |= {"external_id": parsed.external_id or "", "credentials": {"identity": parsed.identity or ""}}
    return ours.call("POST", "/clients", body=body)


def _update(ours: _Clients, parsed: argparse.Namespace) -> Any:
    fields = {"name": parsed.name, "external_id": parsed.external_id, "metadata": parsed.metadata}
    changed = {name: value for name, value in fields.items() if value is not None}
    if not changed and parsed.tag is None:
        raise UsageError("there is nothing to change: name a new value")
    check_tags(parsed.tag or ())  # before anything is changed: tags have a request of their own
    path = _path(ours, parsed)
    found = ours.call("PATCH", path, body=changed) if changed else None
    return found if parsed.tag is None else ours.call("PATCH", f"{path}/tags", body={"tags": parsed.tag})


def _rotate(ours: _Clients, parsed: argparse.Namespace) -> Any:
    return ours.call("PATCH", f"{_path(ours, parsed)}/secret", body={"generate": True, "grace": parsed.grace})


def _switching(name: str) -> Work:
    return lambda ours, parsed: ours.call("POST", f"{_path(ours, parsed)}/{name}")


def _delete(ours: _Clients, parsed: argparse.Namespace) -> None:
    ours.call("DELETE", _path(ours, parsed))


def _connecting(name: str) -> Work:
    def work(ours: _Clients, parsed: argparse.Namespace) -> None:
        types = parsed.type or ["publish", "subscribe"]
        client_id = ours.id_of(parsed.client, parsed.by)
        ours.call(
            "POST", f"/channels/{quote(parsed.channel, safe='')}/{name}", body={"client_ids": [client_id], "types": types}
        )

    return work


def _list_roles(ours: _Clients, parsed: argparse.Namespace) -> list[dict[str, Any]]:
    path = f"{_path(ours, parsed)}/roles"
    roles: list[dict[str, Any]] = []
    while page := ours.call("GET", path, {"offset": str(len(roles)), "limit": str(_PAGE)})["roles"]:
        roles += page
    for role in roles:
        role["actions"] = ours.call("GET", f"{path}/{role['id']}/actions")["actions"]
        role["members"] = ours.call("GET", f"{path}/{role['id']}/members", {"limit": str(_PAGE)})["members"]
    return roles


def _list_retiring(ours: _Clients, parsed: argparse.Namespace) -> Iterator[dict[str, Any]]:
    query = {"limit": str(_PAGE)}
    if parsed.client is not None:
        query["client"] = ours.id_of(parsed.client, parsed.by)
    never = {"last_used_at": "never"} if parsed.output in {"table", "csv"} else {}
    while True:
        page = ours.call("GET", "/clients/retiring-secrets", query)
        yield from (never | secret for secret in page["secrets"])
        if "next" not in page:
            return
        query["after"] = page["next"]


def _create_role(ours: _Clients, parsed: argparse.Namespace) -> dict[str, Any]:
    body = {"role_name": parsed.name, "optional_actions": parsed.action, "optional_members": parsed.member}
    role: dict[str, Any] = ours.call("POST", f"{_path(ours, parsed)}/roles", body=body)
    return role | {"actions": parsed.action, "members": parsed.member}


def _not_empty(text: str) -> str:
    if not text:
        _refuse(text, "a name or an id")
    return text


def _number(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        _refuse(text, "a number of 1 or more")
    return int(text)


def _grace(text: str) -> int:
    try:
        return int(settings.duration(text))
    except ValueError:
        _refuse(text, "a duration, such as 1h")


def _object(text: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.MsgspecError:
        _refuse(text, "a JSON object")


def _refuse(text: str, what: str) -> NoReturn:
    raise argparse.ArgumentTypeError(f"{text!r} is not {what}")
