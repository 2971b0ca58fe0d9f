"""What a command says to whoever ran it: what was asked for on standard output, one line on standard error if it failed."""

import os
import sys
from collections.abc import Sequence

INTERRUPTED = 130  # the exit code, as a shell has it


def tell(text: str) -> int:
    """Print `text` and return the exit code: 0, or 1 if it cannot be written."""
    try:
        print(text, flush=True)
    except OSError as error:
        # What is left in the buffer would be tried again, and complained about, at the interpreter's end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return fail(f"it is done, but what there is to say cannot be written ({error.strerror})")
    return 0


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Rows under their heads, in columns as wide as they have to be."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in (head, *rows))
    return "\n".join(lines)


def fail(line: str) -> int:
    """Print why it failed and return the exit code."""
    print(f"edgeclients: {line}", file=sys.stderr)
    return 1
