"""Pages: how they are read, and that every command in them is run by somebody."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from edgeclients import __version__
from tests.cli import test_pages as others
from tests.cli import test_readme as readme
from tests.ship import pages as ship
from tests.support.pages import ROOT, Block, PageError, blocks, commands, for_anyone, in_language, pages, parsed

CHECKS = ROOT / "tests" / "ship"
FORMS = {function.__name__ for function in (ship.root_blocks, ship.every_block, ship.each_root_block)}
RUNS_THE_CHECKS = ".ci/ship\n"  # it runs all of them: none can run it
MOST_LINES = 100  # of a page on operations: two screens

PAGE = """# Title

~~~text
# not a heading
```sh
not a block
```
~~~

## Use `it` ##
1. First:

   ```sh
   echo one
     echo two
   ```

````sh root
```
````

```ini
```
"""


def test_a_page_is_its_blocks() -> None:
    first, second, third, fourth = parsed(PAGE, "p.md")
    assert first == Block("p.md", "Title", "text", (), "# not a heading\n```sh\nnot a block\n```\n", 3)
    assert second == Block("p.md", "Use `it`", "sh", (), "echo one\n  echo two\n", 13)
    assert third == Block("p.md", "Use `it`", "sh", ("root",), "```\n", 18)
    assert fourth == Block("p.md", "Use `it`", "ini", (), "", 22)
    assert [block.is_commands for block in (first, second, third, fourth)] == [False, True, True, False]
    assert [block.needs_root for block in (second, third)] == [False, True]


def test_a_block_without_an_end_is_a_fault() -> None:
    with pytest.raises(PageError, match=r"^p.md:2: this block has no end$"):
        list(parsed("\n```sh\necho\n~~~\n", "p.md"))


@pytest.mark.parametrize("info", ["", "bash", "shell", "console", "sh roots", "sh root root", "ini root", "SH"])
def test_a_language_that_would_hide_commands_is_a_fault(info: str) -> None:
    (block,) = parsed(f"```{info}\nrm -r data\n```\n", "p.md")
    assert block.fault.startswith("p.md:1: ")


def test_what_serves_is_known() -> None:
    assert [block.serves for block in parsed("```sh\na && b/edgeclients serve\n```\n```sh\nserve it\n```\n")] == [True, False]


def test_pages_are_found_wherever_they_are() -> None:
    assert {"README.md", ".github/SECURITY.md", "packaging/operations/backup.md", "systemd/README.md"} <= set(pages())


def test_a_language_is_found_below_a_heading() -> None:
    assert in_language("packaging/operations/extensions.md", "toml", "Authenticators")
    assert not in_language("packaging/operations/extensions.md", "toml", "Callouts")


def test_files_are_named_with_this_version() -> None:
    texts = [(ROOT / page).read_text() for page in pages()]
    assert {version for text in texts for version in re.findall(r"\bedgeclients[-_:](\d+\.\d+\.\d+)", text)} == {__version__}


@pytest.mark.parametrize("page", pages())
def test_every_block_says_what_it_is(page: str) -> None:
    assert [block.fault for block in blocks(page) if block.fault] == []


@pytest.mark.parametrize("page", pages())
def test_a_list_of_commands_ends_its_block(page: str) -> None:
    """A shell goes on after `a && b` has failed; whoever runs the block looks at its end."""
    lists = [block.place for block in commands(page) for line in block.text.splitlines()[:-1] if " && " in line]
    assert lists == []


@pytest.mark.parametrize("page", [page for page in pages() if page.startswith("packaging/operations/")])
def test_a_page_on_operations_is_two_screens(page: str) -> None:
    assert len((ROOT / page).read_text().splitlines()) <= MOST_LINES


def test_commands_for_anyone_are_run_by_the_suite() -> None:
    """All of a page's, by its runner: what is added to a page is run."""
    assert [readme.INSTALL, *readme.USE, readme.TEST] == for_anyone("README.md")
    assert {"README.md", *others.PAGES} == {page for page in pages() if for_anyone(page)}


def test_commands_for_root_are_run_by_checks() -> None:
    """Each by the check that asks for the commands below its heading, or for the whole page."""
    claimed = set(claims())
    needed = {
        (block.page, block.heading)
        for page in pages()
        for block in commands(page)
        if block.needs_root and block.text != RUNS_THE_CHECKS
    }
    assert {one for one in needed if one not in claimed and (one[0], "") not in claimed} == set()
    assert {(page, heading) for page, heading in claimed if heading and (page, heading) not in needed} == set()
    assert {page for page, _ in claimed} <= {page for page, _ in needed}


def test_a_claim_is_a_call_whose_answer_is_used() -> None:
    source = """
        def test_a() -> None:
            run(root_blocks("a.md", "A"), pages.every_block("b.md"))
            root_blocks("c.md", "C")

        def unused() -> None:
            run(root_blocks("d.md", "D"))

        @pytest.fixture
        def given() -> str:
            return root_blocks("e.md", "E")
    """
    assert list(claims_of(dedent(source))) == [("a.md", "A"), ("b.md", "")]
    with pytest.raises(ValueError, match="not written out"):
        list(claims_of("def test_a(): run(root_blocks(PAGE))"))


def claims() -> Iterator[tuple[str, str]]:
    """Page and heading of what the checks run; the heading is empty for a whole page."""
    for check in sorted(CHECKS.glob("*.py")):
        if check != Path(ship.__file__):
            yield from claims_of(check.read_text())


def claims_of(source: str) -> Iterator[tuple[str, str]]:
    """The claims of the test functions of one check."""
    for function in ast.walk(ast.parse(source)):
        if isinstance(function, ast.FunctionDef) and function.name.startswith("test_"):
            ignored = {node.value for node in ast.walk(function) if isinstance(node, ast.Expr)}
            calls = [node for node in ast.walk(function) if isinstance(node, ast.Call) and node not in ignored]
            yield from (claim(call) for call in calls if name(call) in FORMS)


def name(call: ast.Call) -> str:
    """That of the function that is called."""
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def claim(call: ast.Call) -> tuple[str, str]:
    """Page and heading."""
    written = [one.value for one in call.args if isinstance(one, ast.Constant) and isinstance(one.value, str)]
    if len(written) != len(call.args) or call.keywords:
        raise ValueError(f"page and heading are not written out in line {call.lineno}: {ast.unparse(call)}")
    page, heading = [*written, ""][:2]
    return page, heading
