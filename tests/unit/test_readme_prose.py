"""README.md is plain English: short sentences, links that lead somewhere, and none of the phrases that only we would use."""

import re
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean

import pytest

from tests.support import documents

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()

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


SENTENCES = [sentence for block in blocks(README) for sentence in sentences(block)]
LINKS = sorted({target for _, target in _LINK.findall(_CODE.sub("", _FENCE.sub("", README))) if "://" not in target})


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


def test_no_sentence_is_long() -> None:
    long = [f"{words(sentence)} words: {sentence}" for sentence in SENTENCES if words(sentence) > MOST_WORDS]
    assert not long, "\n".join(long)


def test_sentences_are_short_in_the_mean() -> None:
    assert fmean(map(words, SENTENCES)) <= MEAN_WORDS


@pytest.mark.parametrize("target", LINKS)
def test_a_link_leads_somewhere(target: str) -> None:
    path, _, anchor = target.partition("#")
    linked = ROOT / path if path else ROOT / "README.md"
    assert linked.exists(), target
    assert not anchor or anchor in documents.anchors(linked.read_text()), target


@pytest.mark.parametrize("phrase", BANNED)
def test_a_phrase_of_our_own_does_not_occur(phrase: str) -> None:
    found = re.search(rf"\b{phrase}\b.*", " ".join(README.split()), re.IGNORECASE)
    assert not found, found[0][:80] if found else ""
