"""Runs `edgeclients` commands in processes forked from one that has imported everything: the imports take longer than they do.

A job is a JSON line on standard input: `arguments`, `env`, and the files `out` and `err`. Its exit code is a line on
standard output.
"""

import json
import os
import signal
import sys
import traceback
from typing import Any, NoReturn

import edgeclients.cli.serve  # noqa: F401 - imported here once for all
from edgeclients.cli.main import main
from tests.support.service import START_SECONDS


def serve() -> None:
    """Run jobs until standard input ends."""
    for line in sys.stdin:
        child = os.fork()
        if not child:
            work(json.loads(line))
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


def work(job: dict[str, Any]) -> NoReturn:
    """Become the command, as the interpreter would run it."""
    signal.alarm(START_SECONDS)
    for number, path in ((1, job["out"]), (2, job["err"])):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    os.environ.clear()
    os.environ.update(job["env"])
    code = 1
    try:
        code = main(job["arguments"])
    except SystemExit as end:
        code = int(end.code or 0)
    except BaseException:  # noqa: BLE001 - told as the interpreter would
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    serve()
