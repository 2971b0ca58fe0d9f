"""Pages for users are plain English: short sentences, links that lead somewhere, and no phrase that only we would use."""

import re
from collections.abc import Iterator
from statistics import fmean

import pytest

from tests.support import documents
from tests.support.pages import ROOT, pages

FOR_USERS = ("README.md", "packaging/monitoring.md", "packaging/operations/", "systemd/README.md")
PAGES = [page for page in pages() if page.startswith(FOR_USERS)]

MEAN_WORDS = 15
MOST_WORDS = 25

# Each has a plain word: again, anyone, no one, unavailable, migration, additional package, restart, ...
BANNED = (
    "anew",
    "whoever",
    "somebody",
    "nobody",
    "is told",
    "are told",
    "is away",
    "are away",
    "does without",
    "done without",
    "goes on without",
    "who we are",
    "ours alone",
    "moving house",
    "package more",
    "packages more",
    "shows a badge",
    "lets in",
    "ever later",
    "is dead",
    "begun",
)

_FENCE = re.compile(r"^(```|~~~).*?^\1[^\n]*$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#+ +(.+)$", re.MULTILINE)
_ITEM = re.compile(r"\s*(?:[-*+]|\d+\.) +")
_CODE = re.compile(r"(`+).+?\1", re.DOTALL)
_LINK = re.compile(r"!?\[([^\]]*)\]\(([^)\s]*)\)")
_END = re.compile(r"[.!?][\"')*]*(?=\s)")
_ABBREVIATION = re.compile(r"\b(?:e\.g|i\.e|etc|vs|cf|approx)\.$", re.IGNORECASE)


def blocks(markdown: str) -> Iterator[str]:
    """The paragraphs and list items, without code blocks, tables and headings; inline code and links are their words."""
    text = _LINK.sub(r"\1", _CODE.sub("code", _FENCE.sub("", markdown)))
    lines: list[str] = []
    for line in [*text.splitlines(), ""]:
        item = _ITEM.match(line)
        if lines and (item or not line.strip() or line.startswith(("#", "|"))):
            yield " ".join(lines)
            lines = []
        if line.strip() and not line.startswith(("#", "|")):
            lines.append(line[item.end() :].strip() if item else line.strip())


def sentences(block: str) -> list[str]:
    """The sentences of one paragraph or list item, whose end is the end of one."""
    found, start = [], 0
    for end in _END.finditer(block):
        if not _ABBREVIATION.search(block[: end.start() + 1]):
            found.append(block[start : end.end()].strip())
            start = end.end()
    rest = block[start:].strip()
    return [*found, rest] if rest else found


def words(sentence: str) -> int:
    """How many there are."""
    return sum(any(map(str.isalnum, word)) for word in sentence.split())


def of_page(page: str) -> list[str]:
    """The sentences of a page."""
    return [sentence for block in blocks((ROOT / page).read_text()) for sentence in sentences(block)]


def links(page: str) -> list[str]:
    """Where its links lead to in this repository."""
    prose = _CODE.sub("", _FENCE.sub("", (ROOT / page).read_text()))
    return sorted({target for _, target in _LINK.findall(prose) if "://" not in target})


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        ("One. Two? Three!", ["One.", "Two?", "Three!"]),
        ("It needs Python 3.11 or newer. It runs.", ["It needs Python 3.11 or newer.", "It runs."]),
        ("Name a part, e.g. a floor, i.e. a domain.", ["Name a part, e.g. a floor, i.e. a domain."]),
        ("**Back it up.** It is small (very small.) Really", ["**Back it up.**", "It is small (very small.)", "Really"]),
        ("no full stop at the end", ["no full stop at the end"]),
        ("", []),
    ],
)
def test_a_sentence_ends_where_it_ends(block: str, expected: list[str]) -> None:
    assert sentences(block) == expected


def test_only_prose_is_measured() -> None:
    markdown = """# A heading. With a full stop

First line
goes on with `some inline. code` and [a link](#anchor).

- One
  item. Two.
- Three
1. Four

| a | table. row |
|---|---|

```sh
# A comment. Of code
```
Last.
"""
    assert list(blocks(markdown)) == ["First line goes on with code and a link.", "One item. Two.", "Three", "Four", "Last."]


def test_words_are_counted() -> None:
    assert words("Keep `code`, 3.11 and – well – read-only files.") == 7


def test_anchors_are_those_of_github() -> None:
    markdown = "# Time & clock\n## `/ready`, and more\n## Data\n```sh\n# Data\n```\n### Data\n"
    assert list(documents.slugs(markdown)) == ["time--clock", "ready-and-more", "data", "data-1"]


@pytest.mark.parametrize("page", PAGES)
def test_no_sentence_is_long(page: str) -> None:
    long = [f"{words(sentence)} words: {sentence}" for sentence in of_page(page) if words(sentence) > MOST_WORDS]
    assert not long, "\n".join(long)


@pytest.mark.parametrize("page", PAGES)
def test_sentences_are_short_in_the_mean(page: str) -> None:
    assert fmean(map(words, of_page(page))) <= MEAN_WORDS


@pytest.mark.parametrize("page", PAGES)
def test_a_link_leads_somewhere(page: str) -> None:
    for target in links(page):
        path, _, anchor = target.partition("#")
        linked = (ROOT / page).parent / path if path else ROOT / page
        assert linked.exists(), target
        assert not anchor or anchor in documents.anchors(linked.read_text()), target


@pytest.mark.parametrize("page", PAGES)
def test_a_phrase_of_our_own_does_not_occur(page: str) -> None:
    text = " ".join((ROOT / page).read_text().split())
    assert [found[0][:80] for phrase in BANNED for found in re.finditer(rf"\b{phrase}\b.*", text, re.IGNORECASE)] == []
