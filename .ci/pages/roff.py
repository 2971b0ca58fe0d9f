"""Text in the language of man pages."""

import re

_CODE = re.compile(r"`([^`]+)`")


def escaped(text: str) -> str:
    """`text`, to be shown as it is, with hyphens that can be copied and searched for."""
    return text.replace("\\", "\\e").replace("-", "\\-").replace("…", "...").replace("'", "\\(aq")


def prose(text: str) -> str:
    """A paragraph on one line; what is in backquotes becomes bold."""
    parts = _CODE.split(text)
    shown = "".join(bold(part) if place % 2 else _words(part) for place, part in enumerate(parts))
    return f"\\&{shown}" if shown.startswith((".", "'")) else shown


def bold(text: str) -> str:
    return f"\\fB{escaped(text)}\\fP"


def italic(text: str) -> str:
    return f"\\fI{escaped(text)}\\fP"


def sentence(text: str) -> str:
    """A help text as a sentence: with a capital letter and a full stop."""
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith('.') else '.'}" if text else ""


def _words(text: str) -> str:
    # Options and variables stand in help texts without backquotes, too.
    return re.sub(r"(?<!\w)-+\w[\w-]*", lambda found: escaped(found[0]), text.replace("\\", "\\e").replace("…", "..."))
