"""The pages that users read, and the blocks of commands in them. This is the one parser of pages.

A fenced block in the language `sh` is a block of commands. With the attribute `root` it needs root or a booted machine, and
`.ci/ship` runs it; without, a test of this suite does. Blocks in other languages are not commands.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).resolve().parents[2]
FOLDERS: Final = (".ci", ".github", "edgeclients", "packaging", "proto", "schema", "systemd", "tests")
COMMANDS: Final = "sh"
NEEDS_ROOT: Final = "root"
LANGUAGES: Final = frozenset({COMMANDS, "ini", "json", "promql", "python", "sql", "text", "toml", "yaml"})

_FENCE = re.compile(r"(?P<indent>\s*)(?P<mark>`{3,}|~{3,})(?P<info>[^`]*)")
_HEADING = re.compile(r"#{1,6} +(?P<text>.+?) *#*$")


class PageError(Exception):
    """A page that cannot be read as pages are written here."""


class Block(NamedTuple):
    """A fenced block of a page."""

    page: str  # the path from the top of the repository
    heading: str  # the nearest one above; empty before the first
    language: str
    attributes: tuple[str, ...]
    text: str
    line: int  # of its first fence

    @property
    def is_commands(self) -> bool:
        return self.language == COMMANDS

    @property
    def needs_root(self) -> bool:
        return NEEDS_ROOT in self.attributes

    @property
    def serves(self) -> bool:
        """Whether its last command is the service itself, which runs until it is stopped."""
        return self.text.rstrip().endswith(" serve")

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def fault(self) -> str:
        """What is wrong with its language or attributes; empty if nothing is."""
        if self.language not in LANGUAGES:
            return f"{self.place}: the language {self.language!r} is none of {', '.join(sorted(LANGUAGES))}"
        if self.attributes not in ((), (NEEDS_ROOT,)) or (self.attributes and not self.is_commands):
            return f"{self.place}: {' '.join(self.attributes)!r} is no attribute of {self.language}"
        return ""


def parsed(markdown: str, page: str = "") -> Iterator[Block]:
    """The blocks of a page, in its order.

    Raises:
        PageError: a block has no end.
    """
    heading, opened, body = "", None, list[str]()
    for number, line in enumerate(markdown.splitlines(), 1):
        fence = _FENCE.fullmatch(line)
        if opened is None:
            if fence:
                opened, body = (fence, number), []
            elif found := _HEADING.fullmatch(line):
                heading = found["text"]
        elif fence and not fence["info"].strip() and fence["mark"].startswith(opened[0]["mark"]):
            language, *attributes = opened[0]["info"].split() or [""]
            text = "".join(f"{each.removeprefix(opened[0]['indent'])}\n" for each in body)
            yield Block(page, heading, language, tuple(attributes), text, opened[1])
            opened = None
        else:
            body.append(line)
    if opened is not None:
        raise PageError(f"{page}:{opened[1]}: this block has no end")


def pages() -> list[str]:
    """Every page of the repository, by its path from the top."""
    found = [*ROOT.glob("*.md"), *(page for folder in FOLDERS for page in (ROOT / folder).rglob("*.md"))]
    return sorted(str(page.relative_to(ROOT)) for page in found)


def blocks(page: str) -> list[Block]:
    """The blocks of a page, in its order."""
    return list(parsed((ROOT / page).read_text(), page))


def commands(page: str) -> list[Block]:
    """The blocks of a page that hold commands, in its order."""
    return [block for block in blocks(page) if block.is_commands]


def for_anyone(page: str) -> list[Block]:
    """Those commands of a page that do not need root: this suite runs all of them, whatever is added."""
    return [block for block in commands(page) if not block.needs_root]


def script(blocks: Iterable[Block]) -> str:
    """These commands for one shell with `set -e`, which ends when one fails."""
    # A list such as `a && b` that fails does not end a shell, wherever it fails.
    return "".join(f"{block.text}test $? = 0  # {block.place}\n" for block in blocks)


def in_language(page: str, language: str, heading: str = "") -> list[str]:
    """The texts of the blocks in this language, in the whole page or below one heading."""
    return [block.text for block in blocks(page) if block.language == language and heading in ("", block.heading)]
