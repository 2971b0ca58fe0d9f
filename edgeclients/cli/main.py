"""The `edgeclients` command."""

import argparse
import contextlib
import io
import os
import sys
from collections.abc import Sequence

from edgeclients import __version__
from edgeclients.cli.streams import open_standard_streams
from edgeclients.cli.terminal import INTERRUPTED, fail, let_go, note_closed, tell
from edgeclients.signals import Signals


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code. What goes wrong is one line, with a log level of `debug` a traceback."""
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
        return fail(f"cannot go on ({str(error) or type(error).__name__}): MG_CLIENTS_LOG_LEVEL=debug shows where")
    finally:
        let_go()
    return code


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """What is to be run.

    Raises:
        SystemExit: nothing is, and the exit code: the arguments are wrong, or a help text was asked for.
    """
    with contextlib.redirect_stdout(io.StringIO()) as printed:  # argparse does not notice if it cannot be written
        try:
            return _parser().parse_args(arguments)
        except SystemExit as end:
            if end.code:
                raise
    raise SystemExit(tell(printed.getvalue().removesuffix("\n")))


def _parser() -> argparse.ArgumentParser:
    from edgeclients.cli import config, events, move, operators  # not before the standard streams are there

    parser = argparse.ArgumentParser(
        prog="edgeclients",
        description="Keeps the list of an IoT installation's clients and proves who they are.",
        epilog="Settings are environment variables; `edgeclients serve --help` lists them.",
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    serve = commands.add_parser(
        "serve",
        help="run the service",
        description="Run the service until SIGTERM or SIGINT. SIGHUP has certificates and keys read anew.",
        epilog=config.table(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    serve.add_argument("--worker", type=int, help=argparse.SUPPRESS)  # started by a supervisor, with its line to it
    serve.set_defaults(run=_serve)

    settings = commands.add_parser("config", help="look at the settings")
    check = settings.add_subparsers(metavar="COMMAND", required=True).add_parser(
        "check",
        help="print the effective settings, or everything that is wrong with them",
        epilog=config.table(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    check.set_defaults(run=lambda _: config.check())

    operators.add_commands(commands)
    events.add_commands(commands)
    move.add_command(commands)
    commands.add_parser("version", help="print the version").set_defaults(run=_version)
    commands.add_parser("health", help="ask the service on this machine whether it is alive; exit code 0 or 1").set_defaults(
        run=_health
    )
    return parser


def _show_any_character() -> None:
    """A character that the terminal does not know is shown as its number."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _serve(parsed: argparse.Namespace) -> int:
    signals = Signals(worker=parsed.worker is not None)
    # Read when gRPC is imported: what it writes past our log about each connection that ends is no error.
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    from edgeclients.cli.serve import serve  # what it imports takes most of the start

    return serve(signals, parsed.worker)


def _version(_: argparse.Namespace) -> int:
    return tell(__version__)


def _health(_: argparse.Namespace) -> int:
    from edgeclients.cli import health

    return health.check()
