"""Argon2 threads held still: what runs is what the test lets end."""

import asyncio
from typing import NamedTuple

from edgeclients.core.secrets.pool import Argon2Threads
from edgeclients.core.secrets.recipe import Recipe


class Held(NamedTuple):
    """A digest under way."""

    secret: str
    recipe: Recipe
    future: "asyncio.Future[bytes]"


class HeldThreads(Argon2Threads):
    """In the place of threads: `workers` digests at a time, each computed when `let` says so."""

    def __init__(self, workers: int = 1) -> None:
        super().__init__(workers)
        self.running: list[Held] = []
        self.most = 0
        self.ran: list[str] = []

    def digest(self, recipe: Recipe, secret: str) -> "asyncio.Future[bytes]":
        held = Held(secret, recipe, asyncio.get_running_loop().create_future())
        self.running.append(held)
        self.ran.append(secret)
        self.most = max(self.most, len(self.running))
        return held.future

    async def let(self, count: int = 1) -> None:
        """Let the oldest end, `count` times, and whoever waits for it go on."""
        for _ in range(count):
            held = self.running.pop(0)
            held.future.set_result(held.recipe.digest(held.secret))
            await settle()


async def settle() -> None:
    """Give everybody who can go on now the chance to, some steps far."""
    for _ in range(12):
        await asyncio.sleep(0)
