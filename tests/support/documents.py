"""Markdown as GitHub shows it: what can be linked to, and what is."""

import re
from collections import Counter
from collections.abc import Iterator

_CODE = re.compile(r"^(```|~~~).*?^\1[^\n]*$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"(`+).+?\1")
_EXPLICIT = re.compile(r'<a id="([\w-]+)"></a>')
_HEADING = re.compile(r"^#{1,6} +(.+?) *$", re.MULTILINE)
_LINK = re.compile(r"\[([^\]]*)\]\(([^)\s]*)\)")


def explicit_anchors(markdown: str) -> list[str]:
    """The ids that a document gives to its parts, each as often as it does."""
    return _EXPLICIT.findall(_CODE.sub("", markdown))


def slugs(markdown: str) -> Iterator[str]:
    """The anchors of its headings."""
    seen: Counter[str] = Counter()
    for heading in _HEADING.findall(_CODE.sub("", markdown)):
        shown = _LINK.sub(r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", shown).replace(" ", "-")
        yield f"{slug}-{seen[slug]}" if seen[slug] else slug
        seen[slug] += 1


def anchors(markdown: str) -> frozenset[str]:
    """Everything in a document that can be linked to."""
    return frozenset((*explicit_anchors(markdown), *slugs(markdown)))


def links(markdown: str) -> list[tuple[str, str]]:
    """The links to other files, and within this one: path and anchor, of which one may be empty."""
    targets = [target for _, target in _LINK.findall(_SPAN.sub("", _CODE.sub("", markdown))) if ":" not in target]
    return [(path, anchor) for path, _, anchor in (target.partition("#") for target in targets)]
