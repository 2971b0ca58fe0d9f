"""Metadata as index rows: the (path, value) pairs of a JSON object, and those that a containment query needs.

Containment is PostgreSQL's `@>`. An object holds each key of the query with a value that contains the query's. An array
holds for each element of the query one that contains it. Scalars are equal, 1 = 1.0.
"""

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, NamedTuple

Term = tuple[str, str]

_LONGEST = 200  # characters kept of a path or value; longer ones are hashed, which keeps equality
_MAX_TERMS = 32  # of a query; they are looked up in one statement
_ELEMENT = "\\["  # no escaped key has a backslash before a bracket


class Query(NamedTuple):
    """A containment query against the index: `terms` in order.

    `exact`: having all `terms` is containment itself; otherwise candidates must be compared.
    """

    terms: tuple[Term, ...]
    exact: bool


def terms(metadata: Mapping[str, Any]) -> frozenset[Term]:
    """The rows of one object: each scalar with the path to it, array positions left out."""
    found: list[Term] = []
    _collect("", metadata, found)
    return frozenset(found)


def query(wanted: Mapping[str, Any]) -> Query:
    """Rows that every object containing `wanted` has."""
    found = sorted(terms(wanted))
    return Query(tuple(found[:_MAX_TERMS]), exact=len(found) <= _MAX_TERMS and _exact(wanted, inside_array=False))


def contains(value: object, wanted: object) -> bool:
    """Whether the JSON value `value` contains `wanted`."""
    if isinstance(wanted, dict):
        return isinstance(value, dict) and all(k in value and contains(value[k], w) for k, w in wanted.items())
    if isinstance(wanted, list):
        return isinstance(value, list) and all(any(contains(v, w) for v in value) for w in wanted)
    if isinstance(value, dict | list):
        return False
    return _scalar(value) == _scalar(wanted)


def _collect(path: str, value: object, found: list[Term]) -> None:
    if isinstance(value, dict):
        for key, item in value.items():
            _collect(f"{path}.{_escape(key)}", item, found)
    elif isinstance(value, list):
        for item in value:
            _collect(path + _ELEMENT, item, found)
    else:
        found.append((_short(path), _short(_scalar(value))))


def _escape(key: str) -> str:
    return key if key.isalnum() else key.replace("\\", "\\\\").replace(".", "\\.")


def _scalar(value: object) -> str:
    if isinstance(value, str):
        return f"s{value}"
    if isinstance(value, bool):
        return "t" if value else "f"
    if isinstance(value, float) and not value.is_integer():
        return f"n{value!r}"
    if isinstance(value, int | float):
        return f"n{int(value)}"
    return "z"


def _short(text: str) -> str:
    if len(text) <= _LONGEST:
        return text
    return f"#{blake2b(text.encode(), digest_size=24).hexdigest()}"


def _exact(wanted: object, *, inside_array: bool) -> bool:
    """Whether index rows decide: an empty container has no row, and two rows may come from two elements of an array."""
    if isinstance(wanted, Mapping):
        if not wanted or (inside_array and len(wanted) > 1):
            return False
        return all(_exact(item, inside_array=inside_array) for item in wanted.values())
    if isinstance(wanted, list):
        if not wanted or (inside_array and len(wanted) > 1):
            return False
        return all(_exact(item, inside_array=True) for item in wanted)
    return True
