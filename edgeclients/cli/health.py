"""`edgeclients health`: a health check for containers without curl."""

import contextlib
import http
import os

from edgeclients import settings
from edgeclients.cli.config import report
from edgeclients.cli.terminal import fail, write_out
from edgeclients.wiring.asking import Unanswered, ask


def check() -> int:
    """0 if the service with these settings answers `/health` on this machine, else 1."""
    try:
        loaded = settings.load(os.environ)
    except settings.Faults as faults:
        return report(faults)
    try:
        answer = ask(loaded, "/health")
    except Unanswered as error:
        return fail(str(error))
    if answer.status != http.HTTPStatus.OK:
        return fail(f"{answer.address} returned status {answer.status}")
    with contextlib.suppress(OSError):  # the exit code reports it anyway
        write_out("healthy")
    return 0
