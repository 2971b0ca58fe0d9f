"""Places for imports and exports: one for a caller, and commands on the machine wait for one of theirs."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from edgeclients.core.provisioning.slots import Slots
from edgeclients.errors import Busy
from edgeclients.model import Session

COMMAND = Session("operator", "d1", super_admin=True, request_id="", local=True)


def caller(name: str, domain: str = "d1") -> Session:
    return Session(name, domain, super_admin=False, request_id="")


async def refused(slots: Slots, session: Session) -> bool:
    try:
        async with slots.taken(session):
            return False
    except Busy:
        return True


async def test_a_caller_has_one_and_others_have_the_rest() -> None:
    slots = Slots("imports")
    async with slots.taken(caller("ada")):
        assert await refused(slots, caller("ada"))
        assert await refused(slots, caller("ada", "d2"))
        async with slots.taken(caller("mia")):
            assert await refused(slots, caller("max"))
        assert not await refused(slots, caller("max"))
    assert not await refused(slots, caller("ada"))


async def test_commands_have_theirs_and_wait_for_them() -> None:
    slots = Slots("imports")
    async with AsyncExitStack() as stack:
        for name in ("ada", "mia"):
            await stack.enter_async_context(slots.taken(caller(name)))
        one = await stack.enter_async_context(AsyncExitStack())
        for held in (one, stack):
            await held.enter_async_context(slots.taken(COMMAND))
        entered = asyncio.Event()

        async def third() -> None:
            async with slots.taken(COMMAND):
                entered.set()

        waiting = asyncio.ensure_future(third())
        await asyncio.sleep(0)
        assert not entered.is_set()
        await one.aclose()
        await waiting
        assert entered.is_set()


async def test_a_place_is_free_again_after_a_fault() -> None:
    slots = Slots("imports")
    for session in (caller("ada"), COMMAND, COMMAND, COMMAND):
        with pytest.raises(ZeroDivisionError):
            async with slots.taken(session):
                raise ZeroDivisionError
    assert not await refused(slots, caller("ada"))
