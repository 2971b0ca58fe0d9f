"""Attributes of journal entries: whatever callers send, an entry is small, is JSON, and tells how much it leaves out."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeclients.core.brief import ENTRY_BYTES, VALUE_BYTES, brief

FIELDS = ("name", "external_id", "identity", "tags", "parent_group_id", "status", "metadata", "members", "actions", "domains")
OTHERS = ("from", "request_id", "pat_id", "role_id", "role_name", "channel_ids", "connection_types", "clients", "operator_id")
TEXTS = st.text(max_size=20) | st.integers(1, 5000).map(lambda size: "\x01ä"[size % 2] * size)
VALUES = (
    TEXTS
    | st.integers()
    | st.lists(TEXTS, max_size=40)
    | st.dictionaries(st.text(max_size=300), st.text(max_size=20), max_size=40)
)
SETS = st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS, VALUES))


def told(attributes: dict[str, Any]) -> dict[str, Any]:
    encoded = brief(attributes)
    assert len(encoded) <= ENTRY_BYTES
    decoded: dict[str, Any] = msgspec.json.decode(encoded)
    return decoded


@given(st.fixed_dictionaries({}, optional={**dict.fromkeys(OTHERS, VALUES), "before": SETS, "after": SETS}))
def test_every_value_and_the_whole_are_bounded(attributes: dict[str, Any]) -> None:
    decoded = told(attributes)
    assert decoded.keys() == attributes.keys()
    values = [value for name, value in decoded.items() if name not in {"before", "after"}]
    values += [value for name in ("before", "after") for value in decoded.get(name, {}).values()]
    assert all(len(msgspec.json.encode(value)) <= VALUE_BYTES for value in values)


def test_everything_at_its_longest() -> None:
    long = ["\x01" * 5000] * 5000
    fields = dict.fromkeys(FIELDS, long)
    decoded = told({**dict.fromkeys(OTHERS, "\x01" * 5000), "before": fields, "after": fields})
    assert decoded["after"]["tags"][-1] == "… 4999 more"


def test_what_is_short_stays() -> None:
    attributes = {"before": {"name": "ä" * 500}, "after": {"members": ["bob"] * 100, "domains": {"plant": "admin"}}}
    assert told(attributes) == attributes


def test_of_members_the_first_are_told_and_how_many_more() -> None:
    members = [f"user-{number:036}" for number in range(10_000)]
    kept = told({"after": {"members": members}})["after"]["members"]
    assert kept[:-1] == members[: len(kept) - 1]
    assert kept[-1] == f"… {10_000 - len(kept) + 1} more"
    assert len(kept) > 15


def test_of_domains_the_first_are_told_and_how_many_more() -> None:
    domains = {f"plant-{number}": "admin" for number in range(1000)}
    kept = told({"before": {"domains": domains}})["before"]["domains"]
    more = kept.pop("…")
    assert list(kept.items()) == list(domains.items())[: len(kept)]
    assert more == f"{1000 - len(kept)} more"
    assert len(kept) > 30


@pytest.mark.parametrize("character", ["a", "ä", "\x01", "😀"])
def test_of_a_text_the_beginning_is_told(character: str) -> None:
    kept = told({"after": {"name": character * 5000}})["after"]["name"]
    assert kept[:-1] == character * (len(kept) - 1)
    assert kept[-1] == "…"
    assert VALUE_BYTES - 20 < len(msgspec.json.encode(kept)) <= VALUE_BYTES
