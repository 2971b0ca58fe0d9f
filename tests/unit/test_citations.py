"""Citations of documents, `<path>.md#<anchor>`: each leads to an anchor in this repository."""

import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.support.documents import anchors, explicit_anchors, links, slugs
from tests.support.pages import FOLDERS

ROOT = Path(__file__).resolve().parents[2]

_OUTSIDE = re.compile(r"\b(contract|design) [A-Z]?\d")
_CITATION = re.compile(r"(?<![\w./:-])((?:[\w.-]+/)*[\w.-]+\.md)#([\w-]+)")


def _files() -> Iterator[Path]:
    """Every file that people write."""
    yield from (path for path in ROOT.iterdir() if path.is_file())
    for folder in FOLDERS:
        yield from (path for path in (ROOT / folder).rglob("*") if path.is_file() and "__pycache__" not in path.parts)


DOCUMENTS = sorted(path for path in _files() if path.suffix == ".md")


def _texts() -> Iterator[tuple[Path, str]]:
    """Those files that hold text."""
    for path in _files():
        try:
            yield path, path.read_bytes().decode()
        except UnicodeDecodeError:
            continue


@cache
def _anchors(document: Path) -> frozenset[str]:
    return anchors(document.read_text())


def _document(cited: str, citing: Path) -> Path:
    """The cited file: from the top of the repository, in documents also from where they are."""
    beside = citing.parent / cited
    return beside if citing.suffix == ".md" and beside.is_file() else ROOT / cited


def _broken(cited: str, anchor: str, citing: Path) -> str:
    """What is wrong with a citation; empty if nothing is."""
    document = _document(cited, citing) if cited else citing
    place = f"{citing.relative_to(ROOT)} cites {cited}#{anchor}"
    if not document.exists():
        return f"{place}: no such file"
    if anchor and anchor not in _anchors(document):
        return f"{place}: no such anchor"
    return ""


def test_every_citation_leads_somewhere() -> None:
    found = [(cited, anchor, path) for path, text in _texts() for cited, anchor in _CITATION.findall(text)]
    assert found
    assert [why for citation in found if (why := _broken(*citation))] == []


def test_every_link_between_documents_leads_somewhere() -> None:
    found = [(*link, path) for path in DOCUMENTS for link in links(path.read_text())]
    assert found
    assert [why for link in found if (why := _broken(*link))] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_anchor_stands_twice(document: Path) -> None:
    counted = Counter(explicit_anchors(document.read_text()))
    assert [anchor for anchor, count in counted.items() if count > 1] == []


def test_citations_and_links_are_found() -> None:
    text = "See edgeclients/DECISIONS.md#clock, (tests/README.md#run); not https://example.org/a/README.md#b."
    assert _CITATION.findall(text) == [("edgeclients/DECISIONS.md", "clock"), ("tests/README.md", "run")]
    markdown = "[a](tests/README.md#run) `[no](link)` [d](#e)\n```\n[no](link)\n```\n[f](../g.md) [h](https://example.org)"
    assert links(markdown) == [("tests/README.md", "run"), ("", "e"), ("../g.md", "")]


def test_anchors_are_those_of_github() -> None:
    markdown = '# Time & `clock`\n<a id="own"></a>\n## Data\n```sh\n# no heading\n```\n### [Data](#own)\n'
    assert list(slugs(markdown)) == ["time--clock", "data", "data-1"]
    assert anchors(markdown) == {"own", "time--clock", "data", "data-1"}


def test_nothing_outside_the_repository_is_cited() -> None:
    """Documents that only some people have are not cited, as in the word *contract* or *design* before a number."""
    cited = [(str(path.relative_to(ROOT)), match[0]) for path, text in _texts() for match in _OUTSIDE.finditer(text)]
    assert cited == []
