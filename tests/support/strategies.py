"""What hypothesis draws: few different values, so that they meet."""

from typing import Any

from hypothesis import strategies as st

from edgeclients.model import ALL_ACTIONS, NO_ACTIONS, Action, ClientFilter, Standing, Status, TagFilter, Viewer

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
GROUPS = (GROUP, "6e0b5c1d-4f5a-4a53-8a0e-0c1b2d3e4f51")

CLIENTS = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["", "a", "B", "b", "é", "\U0001f525"]),
        "tags": TAGS,
        "metadata": OBJECTS,
        "status": st.sampled_from([0, 0, 1]),
        "created_at": st.integers(0, 5),
        "updated_at": st.one_of(st.none(), st.integers(0, 5)),
        "parent_group_id": st.sampled_from([None, *GROUPS]),
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

USERS = ("ann", "bob", "zoe")
ROLE_NAMES = ("admin", "reader", "Reader")
ACTIONS = st.sampled_from(
    [NO_ACTIONS, Action.READ, Action.UPDATE, Action.READ | Action.UPDATE, Action.VIEW_ROLE_USERS, ALL_ACTIONS]
)

# A client, what its roles allow, and who has which of them; somebody whose role is not among them has none.
SHARED_CLIENTS = st.fixed_dictionaries(
    {
        "client": CLIENTS,
        "roles": st.dictionaries(st.sampled_from(ROLE_NAMES), ACTIONS, max_size=3),
        "held": st.dictionaries(st.sampled_from(USERS), st.sampled_from(ROLE_NAMES)),
        "elsewhere": st.sampled_from([False, False, False, True]),
    }
)

# `role_id` is the place of a role among all there are.
ROLE_FILTERS = st.fixed_dictionaries(
    {},
    optional={
        "actions": ACTIONS,
        "role_id": st.integers(0, 12),
        "role_name": st.sampled_from(ROLE_NAMES),
        "access_type": st.sampled_from(["direct", "direct", "domain", "direct_group", "nonsense"]),
    },
)

STANDINGS = st.builds(Standing, ACTIONS, st.booleans())

VIEWERS = st.builds(
    Viewer, st.sampled_from(USERS), st.booleans(), st.sets(st.sampled_from([*GROUPS, "none of theirs"])).map(frozenset)
)
