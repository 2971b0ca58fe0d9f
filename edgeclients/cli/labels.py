"""`edgeclients labels`: sheets of labels with QR codes, from the file of secrets that an import has written."""

import argparse
import logging
import signal
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edgeclients.cli.terminal import fail, print_result, warn
from edgeclients.files import remedy
from edgeclients.labels.problem import LabelProblem
from edgeclients.labels.sheets import DEFAULT, SHEETS

if TYPE_CHECKING:
    from edgeclients.labels.printing import Made

_SUFFIXES: Final = (".pdf", ".png")


def add_command(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command `labels`."""
    parser = commands.add_parser(
        "labels",
        help="make sheets of labels with QR codes from a file of secrets",
        description="Makes a label for each client of SECRETS-FILE, the CSV file that an import has written: a QR code with id "
        "and secret, and beside it the external id, or else the id, and the name. The secret is not printed in clear, but "
        "anyone who sees a label can read its code. The command works offline, without a service or a data directory. Print at "
        "100 %, not fitted to the page, and remove both files afterwards.",
    )
    parser.add_argument(
        "secrets",
        metavar="SECRETS-FILE",
        type=Path,
        help="CSV file in UTF-8 whose first line names the columns `id` and `secret`, and perhaps `external_id`, `name` and "
        "`domain_id`, in any order; others are ignored",
    )
    parser.add_argument(
        "--out",
        metavar="FILE",
        type=_out,
        required=True,
        help="file to write, which must not exist; its name ends in .pdf, or in .png for images with 300 dots per inch, whose "
        "further pages are FILE-2.png and so on",
    )
    parser.add_argument(
        "--sheet",
        metavar="NAME",
        choices=SHEETS,
        default=DEFAULT,
        help=f"what is printed on; unset: {DEFAULT}. " + "; ".join(f"{name}: {sheet.about}" for name, sheet in SHEETS.items()),
    )
    parser.add_argument(
        "--template",
        metavar="TEXT",
        help="what a code holds, with `{id}`, `{secret}`, `{external_id}`, `{name}` and `{domain_id}`; unset: a JSON object "
        "with id, secret, domain_id and external_id, without what is empty. Values are escaped in JSON, percent-encoded in a "
        'URL, and have a backslash before each \\ ; , : and " in text like `WIFI:S:{id};P:{secret};;`, which begins with '
        "capitals and a colon and ends with a semicolon",
    )
    parser.add_argument(
        "--start", metavar="N", type=int, default=1, help="first label to print on, for a page that is partly used; unset: 1"
    )
    parser.add_argument(
        "--font",
        metavar="FILE",
        type=Path,
        help="TrueType or OpenType font for serial and name; unset: DejaVu Sans, which has no Chinese, Japanese and Korean. "
        "Characters that a font lacks are replaced by a sign",
    )
    parser.set_defaults(run=_run)


def _out(text: str) -> Path:
    path = Path(text)
    if path.suffix.lower() not in _SUFFIXES:
        raise argparse.ArgumentTypeError(f"{text!r} ends neither in .pdf nor in .png")
    return path


def _run(parsed: argparse.Namespace) -> int:
    logging.getLogger().addHandler(logging.NullHandler())  # a command reports errors by one line, not by logs of libraries
    _end_by_interrupt()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # fpdf2 warns that it draws no pictures without Pillow
            from edgeclients.labels import printing  # imported late: its libraries are an extra
    except ImportError:
        return fail('labels need additional packages: pip install "edgeclients[labels]"')
    sheet = SHEETS[parsed.sheet]
    try:
        made = printing.make(parsed.secrets, parsed.out, sheet, template=parsed.template, start=parsed.start, font=parsed.font)
    except LabelProblem as problem:
        return fail(str(problem))
    except OSError as error:
        return fail(
            f"{parsed.out} cannot be written ({error.strerror}): {remedy(error, 'choose a folder that you can write to')}"
        )
    if made.unreadable:
        warn(
            f"edgeclients: the font lacks characters of {_count(made.unreadable, 'label')}, shown as another sign: "
            "choose one with --font"
        )
    return print_result(_summary(made))


def _end_by_interrupt() -> None:
    """Remove what is half made also when the terminal is closed or the process is asked to end."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, signal.default_int_handler)


def _summary(made: "Made") -> str:
    first, last = made.files[0], made.files[-1]
    files = f"{first}" if first == last else f"{first} to {last.name}"
    return f"{files}: {_count(made.labels, 'label')} on {_count(made.pages, 'page')}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
