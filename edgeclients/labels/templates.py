"""The text of a code: JSON, or what a template says."""

import json
import re
from collections.abc import Callable, Mapping, Set
from typing import Final
from urllib.parse import quote

from edgeclients.labels.problem import LabelProblem
from edgeclients.labels.source import COLUMNS, Entry

_PLACEHOLDER: Final = re.compile(r"\{([a-z_]+)\}")
_URL: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_WIFI_LIKE: Final = re.compile(r"[A-Z]+:.*;", re.DOTALL)
_WIFI_MARKS: Final = re.compile(r'[\\;,:"]')
_IN_JSON: Final = ("id", "secret", "domain_id", "external_id")

Escape = Callable[[str], str]


class Template:
    """What the code of a client says.

    Values are escaped for what the template is, so that whatever reads the code gets them back:

    * JSON, if it begins with `{` or `[`: values belong in strings, and are escaped as there;
    * a URL, if it begins with a scheme and `://`: values are percent-encoded;
    * of the form of `WIFI:S:…;;`, with capital letters and a colon at the beginning and a semicolon at the end: a backslash is
      put before each backslash, semicolon, comma, colon and quotation mark;
    * other text, in which values are as they are.

    Args:
        text: the template, with the placeholders `{id}`, `{secret}`, `{external_id}`, `{name}` and `{domain_id}`.
        columns: what the file of secrets has.

    Raises:
        LabelProblem: it has another placeholder or none, or one for a missing column; or it begins like JSON and is none.
    """

    def __init__(self, text: str, columns: Set[str]) -> None:
        self._text = text
        self._names = frozenset(_PLACEHOLDER.findall(text))
        _check(text, self._names, columns)
        self._escape = _escape(_PLACEHOLDER.sub("x", text).lstrip())

    def __call__(self, entry: Entry) -> str:
        """The text of this client's code."""
        values: Mapping[str, str] = {name: self._escape(getattr(entry, name)) for name in self._names}
        return _PLACEHOLDER.sub(lambda found: values[found[1]], self._text)


def as_json(entry: Entry) -> str:
    """The text of a code without a template: a JSON object, without what the client does not have."""
    values = {name: getattr(entry, name) for name in _IN_JSON}
    return json.dumps({name: value for name, value in values.items() if value}, ensure_ascii=False, separators=(",", ":"))


def _check(text: str, names: Set[str], columns: Set[str]) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise LabelProblem("the template is not UTF-8: check the locale of the terminal") from error
    known = ", ".join(f"{{{name}}}" for name in COLUMNS)
    for name in sorted(names - columns):
        if name in COLUMNS:
            raise LabelProblem(f"the template has {{{name}}}, and the file no column `{name}`")
        raise LabelProblem(f"the template has the unknown placeholder {{{name}}}: use {known}")
    if not names:
        raise LabelProblem(f"the template has no placeholder, so all codes would be the same: use {known}")


def _escape(filled: str) -> Escape:
    """How values are escaped in what is `filled` with harmless ones."""
    if filled.startswith(("{", "[")) and _is_json(filled):
        return lambda value: json.dumps(value, ensure_ascii=False)[1:-1]
    if filled.startswith("{"):
        raise LabelProblem('the template begins like JSON and is none: put placeholders into strings, such as {"id":"{id}"}')
    if _URL.match(filled):
        return lambda value: quote(value, safe="")
    if _WIFI_LIKE.fullmatch(filled.rstrip()):
        return lambda value: _WIFI_MARKS.sub(r"\\\g<0>", value)
    return lambda value: value


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
