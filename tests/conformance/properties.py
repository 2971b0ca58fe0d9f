"""Lists against a plain model, for whatever hypothesis draws."""

import uuid
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from edgeclients.model import ClientFilter
from tests.conformance.harness import ONE_STORE, Harness, add, change, new_client
from tests.support import plain
from tests.support.strategies import CLIENTS, FILTERS


class ListPropertiesContract:
    @ONE_STORE
    @given(rows=st.lists(CLIENTS, max_size=8), filters=st.lists(FILTERS, min_size=1, max_size=6))
    async def test_a_page_is_what_the_model_says(
        self, harness: Harness, rows: list[dict[str, Any]], filters: list[ClientFilter]
    ) -> None:
        domain = uuid.uuid4().hex
        clients = await add(harness.store, *(new_client(domain, **row) for row in rows))
        for wanted in filters:
            page = await harness.store.page(domain, wanted)
            assert (page.total, [item.client.id for item in page.items]) == plain.page(clients, wanted)

    @ONE_STORE
    @given(before=CLIENTS, after=CLIENTS, wanted=FILTERS)
    async def test_a_change_leaves_nothing_of_the_old_content(
        self, harness: Harness, before: dict[str, Any], after: dict[str, Any], wanted: ClientFilter
    ) -> None:
        domain = uuid.uuid4().hex
        (client,) = await add(harness.store, new_client(domain, **before))
        changed = await change(harness.store, client, **after | {"created_at": client.created_at})
        page = await harness.store.page(domain, wanted)
        assert (page.total, [item.client.id for item in page.items]) == plain.page([changed], wanted)
