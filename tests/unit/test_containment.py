"""Containment and its index terms against the plain model."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from edgeclients.store.sqlite.terms import contains, query, terms
from tests.support import plain
from tests.support.strategies import OBJECTS, VALUES


@given(VALUES, VALUES)
def test_containment_is_the_models(value: Any, wanted: Any) -> None:
    assert contains(value, wanted) == plain.contains(value, wanted)


@st.composite
def _part_of(draw: st.DrawFn, value: Any) -> Any:
    """Something that `value` contains."""
    if isinstance(value, dict):
        return {key: draw(_part_of(value[key])) for key in value if draw(st.booleans())}
    if isinstance(value, list):
        return [draw(_part_of(item)) for item in value if draw(st.booleans())]
    return value


@given(OBJECTS.flatmap(lambda value: st.tuples(st.just(value), _part_of(value))))
def test_a_part_is_contained_and_so_are_its_terms(pair: tuple[Any, Any]) -> None:
    value, part = pair
    assert contains(value, part)
    assert terms(value).issuperset(query(part).terms)


@given(OBJECTS, OBJECTS)
def test_where_terms_are_exact_they_decide(value: dict[str, Any], wanted: dict[str, Any]) -> None:
    asked = query(wanted)
    if asked.exact:
        assert terms(value).issuperset(asked.terms) == contains(value, wanted)
    elif contains(value, wanted):
        assert terms(value).issuperset(asked.terms)
