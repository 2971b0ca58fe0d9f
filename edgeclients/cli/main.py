"""The `edgeclients` command."""

import argparse
import contextlib
import io
import os
import sys
from collections.abc import Sequence
from typing import TypeAlias

from edgeclients import __version__
from edgeclients.cli.examples import add_examples
from edgeclients.cli.streams import open_standard_streams
from edgeclients.cli.terminal import INTERRUPTED, USAGE, fail, flush_streams, note_closed, print_result
from edgeclients.signals import Signals

_Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001 - it has no public name


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code. An error prints one line; at log level `debug`, it prints a traceback."""
    try:
        note_closed(open_standard_streams())
        _show_any_character()
        parsed = _parsed(arguments)
        code: int = parsed.run(parsed)
    except KeyboardInterrupt:
        fail("interrupted")
        return INTERRUPTED
    except Exception as error:
        if os.environ.get("MG_CLIENTS_LOG_LEVEL") == "debug":
            raise
        return fail(f"unexpected error ({str(error) or type(error).__name__}): set MG_CLIENTS_LOG_LEVEL=debug for a traceback")
    finally:
        flush_streams()
    return code


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The parsed arguments, with the command's `run`.

    Raises:
        SystemExit: there is no command to run: the arguments are wrong, or request a help text.
    """
    given = sys.argv[1:] if arguments is None else arguments
    program = parser(for_service=[*given[:1]] == ["serve"])
    with contextlib.redirect_stdout(io.StringIO()) as printed:  # argparse ignores write errors
        try:
            return program.parse_args(arguments)
        except OSError as error:  # Debian 12's Python raises it where standard error takes no text: the arguments are wrong
            raise SystemExit(USAGE) from error
        except SystemExit as end:
            if end.code:
                raise
    raise SystemExit(print_result(printed.getvalue().removesuffix("\n")))


def parser(*, for_service: bool = False) -> argparse.ArgumentParser:
    """The parser of the command line. A parsed command is a namespace with its `run`.

    Args:
        for_service: leave out other commands than `serve`, which a service would keep in memory.
    """
    program = argparse.ArgumentParser(
        prog="edgeclients",
        description="Manages and authenticates the clients of an IoT installation.",
        epilog="Settings are environment variables; `edgeclients serve --help` lists them.",
    )
    program.add_argument("--version", action="version", version=__version__)
    commands = program.add_subparsers(metavar="COMMAND", required=True)
    _add_serve(commands)
    if not for_service:
        _add_others(commands)
        add_examples(program)
    return program


def _add_serve(commands: _Commands) -> None:
    from edgeclients.cli import config  # after the standard streams are open

    serve = commands.add_parser(
        "serve",
        help="run the service",
        description="Run the service until SIGTERM or SIGINT. SIGHUP reloads certificates and keys.",
        epilog=config.table(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    serve.add_argument("--worker", type=int, help=argparse.SUPPRESS)  # set by the supervisor: the descriptor of the lifeline
    serve.set_defaults(run=_serve)


def _add_others(commands: _Commands) -> None:
    from edgeclients.cli import (  # after the standard streams are open
        audit,
        backup,
        clients,
        config,
        doctor,
        events,
        exporting,
        importing,
        labels,
        move,
        operators,
    )

    settings = commands.add_parser("config", help="check the settings")
    check = settings.add_subparsers(metavar="COMMAND", required=True).add_parser(
        "check",
        help="print the effective settings, or every fault in them",
        epilog=config.table(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    check.set_defaults(run=lambda _: config.check())

    operators.add_commands(commands)
    events.add_commands(commands)
    clients.add_commands(commands)
    importing.add_command(commands)
    exporting.add_command(commands)
    move.add_command(commands)
    labels.add_command(commands)
    audit.add_command(commands)
    backup.add_commands(commands)
    doctor.add_command(commands)
    commands.add_parser("version", help="print the version").set_defaults(run=_version)
    commands.add_parser("health", help="check the health of the service on this machine; exit code 0 or 1").set_defaults(
        run=_health
    )


def _show_any_character() -> None:
    """Print characters that the terminal cannot encode as escape sequences."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _serve(parsed: argparse.Namespace) -> int:
    signals = Signals(worker=parsed.worker is not None)
    # gRPC reads this on import. Its own lines about each connection that ends bypass the log and are no errors.
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    from edgeclients.cli.serve import serve  # its imports take most of the start time

    return serve(signals, parsed.worker)


def _version(_: argparse.Namespace) -> int:
    return print_result(__version__)


def _health(_: argparse.Namespace) -> int:
    from edgeclients.cli import health

    return health.check()
