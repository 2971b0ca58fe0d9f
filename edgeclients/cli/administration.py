"""Commands that work on the storage, whether the service runs or not."""

import argparse
import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from edgeclients import settings
from edgeclients.cli.config import report
from edgeclients.cli.terminal import INTERRUPTED, fail, tell
from edgeclients.errors import DomainError, StartError, text_of

if TYPE_CHECKING:
    from edgeclients.wiring.administration import Administration

Run: TypeAlias = "Callable[[Administration, argparse.Namespace], Awaitable[str]]"


def command(commands: Any, name: str, text: str, run: Run, *, with_peppers: bool = False) -> argparse.ArgumentParser:
    """A command among `commands` that prints what `run` says of the data directory, as text or JSON.

    Args:
        commands: where it is added.
        name: what it is called.
        text: what it does.
        run: does it; raises `DomainError` if it cannot.
        with_peppers: whether it needs them.
    """
    parser: argparse.ArgumentParser = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
    parser.add_argument("--output", choices=("text", "json"), default="text", help="how to print; unset: text")
    parser.set_defaults(
        run=lambda parsed: run_to_end(lambda loaded: _at_storage(run, parsed, loaded, with_peppers=with_peppers))
    )
    return parser


def as_json(value: object) -> str:
    """`value` as programs read it."""
    return msgspec.json.encode(value).decode()


def run_to_end(work: "Callable[[settings.Settings], Coroutine[Any, Any, str]]") -> int:
    """Do `work` as the settings say, print what it tells, and give the exit code."""
    try:
        loaded = settings.load(os.environ)
    except settings.Faults as faults:
        return report(faults)
    logging.getLogger("edgeclients").addHandler(logging.NullHandler())  # one line says what went wrong, and it is not a log's
    from edgeclients.wiring import descriptors  # what wiring imports is not needed to print a help text

    try:
        descriptors.raise_limit()
        descriptors.require(descriptors.OF_COMMAND)
        with asyncio.Runner() as runner:
            text = runner.run(work(loaded))
    except StartError as error:
        return fail(str(error))
    except KeyboardInterrupt:
        fail("interrupted")
        return INTERRUPTED
    except DomainError as error:
        return fail(text_of(error) + (f" ({error.detail})" if error.detail else ""))
    return tell(text) if text else 0


async def _at_storage(run: Run, parsed: argparse.Namespace, loaded: settings.Settings, *, with_peppers: bool) -> str:
    from edgeclients.wiring.administration import administration  # what it imports is not needed to print a help text

    async with administration(loaded, with_peppers=with_peppers) as found:
        return await run(found, parsed)
