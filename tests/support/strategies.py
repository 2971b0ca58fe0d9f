"""What hypothesis draws: few different values, so that they meet."""

from typing import Any

from hypothesis import strategies as st

from edgeclients.model import ClientFilter, Status, TagFilter

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 2),
    st.sampled_from([1.0, 0.5, -0.0, 2**70, 2**70 + 1, 1e300]),
    st.sampled_from(["", "a", "A", "1", "é", "x" * 250]),
)
KEYS = st.sampled_from(["a", "b", "a.b", "\\[", "", "é"])
VALUES = st.recursive(
    SCALARS, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)), max_leaves=6
)
OBJECTS: st.SearchStrategy[dict[str, Any]] = st.dictionaries(KEYS, VALUES, max_size=3)
TAGS = st.lists(st.sampled_from(["a", "b", "c", "a b", "é"]), max_size=4).map(tuple)
GROUP = "6e0b5c1d-4f5a-4a53-8a0e-0c1b2d3e4f50"

CLIENTS = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["", "a", "B", "b", "é", "\U0001f525"]),
        "tags": TAGS,
        "metadata": OBJECTS,
        "status": st.sampled_from([0, 0, 1]),
        "created_at": st.integers(0, 5),
        "updated_at": st.one_of(st.none(), st.integers(0, 5)),
        "parent_group_id": st.sampled_from([None, GROUP]),
    }
)

FILTERS = st.builds(
    ClientFilter,
    offset=st.integers(0, 4),
    limit=st.integers(1, 5),
    order=st.sampled_from(["name", "created_at", "updated_at"]),
    descending=st.booleans(),
    tags=st.none() | st.builds(TagFilter, TAGS.filter(bool), st.booleans()),
    statuses=st.sampled_from([(Status.ENABLED,), (Status.DISABLED,), tuple(Status)]),
    metadata=st.none() | OBJECTS,
    parent_group_id=st.sampled_from([None, None, "", GROUP]),
    created_from=st.none() | st.integers(0, 5),
    created_to=st.none() | st.integers(0, 5),
)
