"""`edgeclients audit`: who changed what, when and from where."""

import argparse
import os
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import islice
from typing import Any

import msgspec

from edgeclients import settings
from edgeclients.cli import target
from edgeclients.cli.exchange import Exchange
from edgeclients.cli.shown import FORMATS, show
from edgeclients.core.rules import is_uuid

_PAGE = 100
_COLUMNS = ("occurred_at", "operation", "domain", "client", "user", "from", "changes")
_NO_DOMAIN = "-"  # in the path of a request for the entries of all
_LATEST = 2**31 - 1
_OWN = {"id", "user_id", "from", "request_id"}


def add_command(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `audit`."""
    parser = commands.add_parser(
        "audit",
        help="list who changed what, when and from where",
        description="List who changed what, when and from where, the newest first: on the data directory, or at a service. "
        "Denied logins are among it, once for each client and hour. "
        "Without a domain, those of all domains and of operators are listed.",
    )
    target.add_arguments(parser)
    parser.add_argument("--client", metavar="ID", type=_id, help="only what was done to the client with this id")
    parser.add_argument("--operation", help="only this operation, such as client.update or client.denied")
    parser.add_argument(
        "--since", metavar="TIME", type=_since, help="only since 2026-11-26, 2026-11-26T09:30 or, for the last day, 24h"
    )
    parser.add_argument("--limit", type=_number, help="how many at most; unset: all of them")
    parser.add_argument("--output", choices=FORMATS, default="table", help="output format; unset: table")
    parser.set_defaults(run=_run)


def _run(parsed: argparse.Namespace) -> int:
    query = {"with_attributes": "true"}
    if not (parsed.domain or os.environ.get(target.DOMAIN)):
        parsed.domain, query["everything"] = _NO_DOMAIN, "true"
    query |= {"client": parsed.client} if parsed.client else {}
    query |= {"operation": parsed.operation} if parsed.operation else {}
    query |= {"from": str(parsed.since)} if parsed.since else {}

    def work(exchange: Exchange, domain: str) -> int:
        found = islice(_entries(exchange, domain, query, min(parsed.limit or _PAGE, _PAGE)), parsed.limit)
        return show(map(_flat, found) if parsed.output in {"table", "csv"} else found, parsed.output, _COLUMNS)

    return target.at_target(parsed, work)


def _entries(exchange: Exchange, domain: str, query: Mapping[str, str], size: int) -> Iterator[dict[str, Any]]:
    """The entries that match, page after page."""
    after: dict[str, str] = {}
    while True:
        page = exchange.call("GET", f"{domain}/journal", {**query, **after, "limit": str(size)})
        yield from page["journals"]
        if "next" not in page:
            return
        after["after"] = page["next"]


def _flat(entry: Mapping[str, Any]) -> dict[str, Any]:
    attributes = entry["attributes"]
    others = {name: value for name, value in attributes.items() if name not in _OWN}
    return {
        "occurred_at": entry["occurred_at"],
        "operation": entry["operation"],
        "domain": entry.get("domain", ""),
        "client": attributes.get("id", ""),
        "user": attributes.get("user_id", ""),
        "from": attributes.get("from", ""),
        "changes": msgspec.json.encode(others).decode() if others else "",
    }


def _id(text: str) -> str:
    if not is_uuid(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not the id of a client")
    return text


def _number(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of 1 or more")
    return int(text)


def _since(text: str) -> int:
    try:
        return max(1, int(time.time() - settings.duration(text)))
    except ValueError:
        pass
    try:
        since = max(1, int(datetime.fromisoformat(text).timestamp()))
    except (ValueError, OverflowError, OSError):
        raise argparse.ArgumentTypeError(f"{text!r} is not a time, such as 2026-11-26, or a duration, such as 24h") from None
    if since > _LATEST:
        raise argparse.ArgumentTypeError(f"{text!r} is too late: the service knows times until 2038-01-19")
    return since
