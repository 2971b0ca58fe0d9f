"""Commands that use the storage, whether the service runs or not."""

import argparse
import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from edgeclients import settings
from edgeclients.cli.config import report
from edgeclients.cli.terminal import INTERRUPTED, USAGE, UsageError, fail, print_result
from edgeclients.errors import DomainError, StartError, text_of

if TYPE_CHECKING:
    from edgeclients.wiring.administration import Administration

Run: TypeAlias = "Callable[[Administration, argparse.Namespace], Awaitable[str]]"


def command(commands: Any, name: str, text: str, run: Run, *, with_peppers: bool = False) -> argparse.ArgumentParser:
    """A new command in `commands` that prints the result of `run` on the storage, as text or JSON.

    Args:
        commands: the parsers to add it to.
        name: the command's name.
        text: the command's help.
        run: does the work; raises `DomainError` if it fails.
        with_peppers: whether `run` needs the peppers.
    """
    parser: argparse.ArgumentParser = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
    parser.add_argument("--output", choices=("text", "json"), default="text", help="output format; unset: text")
    parser.set_defaults(
        run=lambda parsed: run_to_end(lambda loaded: _at_storage(run, parsed, loaded, with_peppers=with_peppers))
    )
    return parser


def at_data(work: "Callable[[Path], int]") -> int:
    """Do `work` at the data directory's socket, whether the service runs or not, and return its exit code."""

    def at_socket(loaded: settings.Settings) -> int:
        if loaded.mode != "gateway":
            raise StartError("this command works on a data directory, and MG_CLIENTS_MODE is cloud: use the HTTP API")
        from edgeclients.wiring.local import service_at_hand  # imported late: a help text does not need it

        with service_at_hand(loaded) as socket:
            return work(socket)

    return reporting(at_socket)


def as_json(value: object) -> str:
    """`value` as JSON text."""
    return msgspec.json.encode(value).decode()


def run_to_end(work: "Callable[[settings.Settings], Coroutine[Any, Any, str]]") -> int:
    """Do `work` in an event loop with the settings of the environment, print its result, and return the exit code."""

    def run(loaded: settings.Settings) -> str:
        with asyncio.Runner() as runner:
            return runner.run(work(loaded))

    return do(run)


def do(work: Callable[[settings.Settings], str]) -> int:
    """Do `work` with the settings of the environment, print its result, and return the exit code."""

    def run(loaded: settings.Settings) -> int:
        text = work(loaded)
        return print_result(text) if text else 0

    return reporting(run)


def reporting(work: "Callable[[settings.Settings], int]") -> int:
    """The exit code of `work` with the settings of the environment; an error prints one line."""
    try:
        loaded = settings.load(os.environ)
    except settings.Faults as faults:
        return report(faults)
    logging.getLogger("edgeclients").addHandler(logging.NullHandler())  # a command reports errors by one line, not by logs
    from edgeclients.wiring import descriptors  # imported late: a help text does not need what wiring imports

    try:
        descriptors.raise_limit()
        descriptors.require(descriptors.OF_COMMAND)
        return work(loaded)
    except StartError as error:
        return fail(str(error), USAGE if isinstance(error, UsageError) else 1)
    except KeyboardInterrupt:
        fail("interrupted")
        return INTERRUPTED
    except DomainError as error:
        return fail(text_of(error) + (f" ({error.detail})" if error.detail else ""))


async def _at_storage(run: Run, parsed: argparse.Namespace, loaded: settings.Settings, *, with_peppers: bool) -> str:
    from edgeclients.wiring.administration import administration  # imported late: a help text does not need it

    async with administration(loaded, with_peppers=with_peppers) as opened:
        return await run(opened, parsed)
