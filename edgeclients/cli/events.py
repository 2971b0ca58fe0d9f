"""`edgeclients events`: the state of the outbox."""

import argparse
from typing import TYPE_CHECKING, Any

from edgeclients.cli.administration import as_json, command
from edgeclients.model import OutboxState, rfc3339

if TYPE_CHECKING:
    from edgeclients.wiring.administration import Administration


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `events` and its subcommands."""
    parser = commands.add_parser(
        "events",
        help="show the state of the outbox",
        description="Events stay in the outbox until the stream acknowledges them; a gateway without a stream keeps none. The "
        "command reads the data directory, whether the service runs or not.",
    )
    sub = parser.add_subparsers(metavar="COMMAND", required=True)
    command(sub, "status", "show the number and age of unsent events, and the last event sent", _status)


async def _status(opened: "Administration", parsed: argparse.Namespace) -> str:
    shown = _shown(await opened.store.outbox_state(), opened.store.now())
    if parsed.output == "json":
        return as_json(shown)
    first, last, gap = shown["first"], shown["last"], shown["gap"]
    waiting = f"{shown['waiting']}" + (f", number {first} to {last}" if first is not None else "")
    lines = [("waiting", waiting), ("oldest", "none" if first is None else f"{shown['oldest_age']:.0f} s old")]
    lines.append(("dropped", f"{shown['dropped']}"))
    if gap is not None:
        lines.append(("unreported", f"{gap['count']} dropped, number {gap['first']} to {gap['last']}"))
    sent = "nothing yet" if shown["sent_through"] is None else f"number {shown['sent_through']}, recorded {shown['sent_at']}"
    lines += [("last sent", sent), ("store", shown["store_id"])]
    return "\n".join(f"{name + ':':14}{text}" for name, text in lines)


def _shown(state: OutboxState, now: int) -> dict[str, Any]:
    """The state as JSON, with times in RFC 3339."""
    gap = state.gap
    return {
        "store_id": state.store_id,
        "waiting": state.waiting,
        "first": state.first,
        "last": state.last,
        "oldest_age": None if state.oldest_at is None else round(max(0.0, (now - state.oldest_at // 1000) / 1e6), 3),
        "dropped": state.dropped,
        "gap": None if gap is None else {"count": gap.count, "first": gap.first, "last": gap.last},
        "sent_through": state.sent_through,
        "sent_at": None if state.sent_at is None else rfc3339(state.sent_at),
    }
