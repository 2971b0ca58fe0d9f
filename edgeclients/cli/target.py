"""Where a command works: on the data directory, or at a service's address; and in which domain."""

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from edgeclients.cli.administration import at_data, reporting
from edgeclients.cli.exchange import Exchange
from edgeclients.cli.terminal import USAGE, UsageError, fail
from edgeclients.errors import StartError
from edgeclients.settings import read_token

DOMAIN, TOKEN = "EDGECLIENTS_DOMAIN", "EDGECLIENTS_TOKEN"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that say where a command works."""
    parser.add_argument("--domain", help=f"the domain; unset: {DOMAIN}")
    parser.add_argument("--url", help="the address of a service; unset: the data directory")
    parser.add_argument(
        "--token-file", metavar="FILE", type=Path, help=f"a file with the caller's token, for --url; unset: {TOKEN}"
    )


def at_target(parsed: argparse.Namespace, work: Callable[[Exchange, str], int]) -> int:
    """The exit code of `work`, which gets the service and the path of the domain."""
    domain = parsed.domain or os.environ.get(DOMAIN, "")
    if not domain:
        return fail(f"the domain is missing: name it with --domain or {DOMAIN}", USAGE)
    path = f"/{quote(domain, safe='')}"
    if parsed.url is None:
        return at_data(lambda socket: work(Exchange.at_socket(socket), path))
    return reporting(lambda _: work(Exchange.at_address(parsed.url, _token(parsed.token_file)), path))


def _token(file: Path | None) -> str:
    if file is None:
        token = os.environ.get(TOKEN, "")
        if not token:
            raise UsageError(f"the token is missing: name its file with --token-file, or set {TOKEN}")
        return token
    try:
        return read_token(file)
    except (OSError, ValueError) as error:
        raise StartError(f"{file} has no token: {error}") from error
