"""What went wrong, as one line that says what to do."""

import errno
import os
import sys
from collections.abc import Callable

_INTERRUPTED = 130  # as a shell reports SIGINT
_ADVICE = {
    errno.ENOSPC: "make room, or set --output and TMPDIR to a larger disk",
    errno.EDQUOT: "make room, or set --output and TMPDIR to a larger disk",
    errno.EROFS: "choose a folder that can be written with --output",
    errno.EACCES: "choose a folder that can be written with --output",
}


class Problem(Exception):  # noqa: N818 - it is shown to a person, not handled
    """One line: what is wrong, and what to do."""


def end_with(script: str, main: Callable[[], None]) -> None:
    """Run `main` and end the process: code 0, or one line on standard error and another code.

    Set EDGECLIENTS_TRACEBACK=1 to see where an error was raised.
    """
    try:
        main()
    except Problem as problem:
        _fail(script, str(problem))
    except OSError as error:
        advice = _ADVICE.get(error.errno or 0)
        _fail(script, f"{error.filename or 'a file'}: {error.strerror}" + (f": {advice}" if advice else ""))
    except KeyboardInterrupt:
        print(f"{script}: interrupted", file=sys.stderr)
        sys.exit(_INTERRUPTED)


def _fail(script: str, line: str) -> None:
    if os.environ.get("EDGECLIENTS_TRACEBACK"):
        raise  # noqa: PLE0704 - called while an error is handled
    print(f"{script}: {line}", file=sys.stderr)
    sys.exit(1)
