"""What a command says to whoever ran it: what was asked for on standard output, one line on standard error if it failed."""

import os
import sys


def tell(text: str) -> int:
    """Print `text` and return the exit code: 0, or 1 if it cannot be written."""
    try:
        print(text, flush=True)
    except OSError as error:
        # What is left in the buffer would be tried again, and complained about, at the interpreter's end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return fail(f"it is done, but what there is to say cannot be written ({error.strerror})")
    return 0


def fail(line: str) -> int:
    """Print why it failed and return the exit code."""
    print(f"edgeclients: {line}", file=sys.stderr)
    return 1
