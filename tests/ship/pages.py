"""Commands of the pages that need root, for the checks of this folder.

A check claims commands by asking for them in the body of its test function, with the names written out:
`root_blocks("packaging/operations/upgrade.md", "Debian package")`, or `every_block("packaging/operations/backup.md")`. It runs
what it gets. `tests/unit/test_pages.py` fails when commands with the attribute `root` are claimed by no check, and when a claim
is void.
"""

from tests.support.pages import Block, commands, for_anyone, script

README = "README.md"
FIRST_STEPS = ("Create a client", "Authenticate it", "List, change, connect, disable")


def root_blocks(page: str, heading: str = "") -> str:
    """The commands of a page that need root, below one heading or all of them, for one shell.

    Raises:
        LookupError: there are none.
    """
    return _script(each_root_block(page, heading), page, heading)


def every_block(page: str, heading: str = "") -> str:
    """The same with the commands that need no root: all that root would type.

    Raises:
        LookupError: there are none.
    """
    return _script([block for block in commands(page) if heading in ("", block.heading)], page, heading)


def each_root_block(page: str, heading: str = "") -> list[Block]:
    """The commands of `root_blocks`, block by block, for a check that does something between them."""
    return [block for block in commands(page) if block.needs_root and heading in ("", block.heading)]


def first_steps() -> str:
    """What a quick start ends with, however the service was installed. It needs `TOKEN`, which each of them sets."""
    found = for_anyone(README)
    return "".join(_script([block for block in found if block.heading == heading], README, heading) for heading in FIRST_STEPS)


def _script(blocks: list[Block], page: str, heading: str) -> str:
    if not blocks:
        raise LookupError(f"{page} has no such commands below {heading!r}")
    return script(blocks)
