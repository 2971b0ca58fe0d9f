"""The cache of one of several processes: believed only while it knows what the others have revoked.

See edgeclients/DECISIONS.md#revisions.
"""

import time
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from edgeclients.cache import shared
from edgeclients.cache.shared import RevocationWatch, SharedTokenCache
from edgeclients.errors import Unavailable
from edgeclients.model import Effects, Revocations
from edgeclients.store.limits import StoreLimits
from edgeclients.store.sqlite.database import SqliteDatabase
from edgeclients.store.sqlite.store import SqliteStore
from tests.support.database import opened


def _unheard(_: Effects) -> None:
    """Changes come from another process, as it were: this one's cache does not hear of them."""


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    async with SqliteStore(SqliteDatabase(tmp_path / "clients.db"), StoreLimits(), _unheard) as made:
        yield made


@pytest.fixture
def cache() -> SharedTokenCache:
    return SharedTokenCache(60, 10, lambda: 0)


@pytest.fixture
async def watch(store: SqliteStore, cache: SharedTokenCache) -> AsyncIterator[RevocationWatch]:
    watching = RevocationWatch(store, cache)
    await watching.start()
    yield watching
    await watching.close()


def _remember(cache: SharedTokenCache, client_id: str, revision: int = 0) -> bytes:
    key = cache.key(client_id.encode())
    assert cache.remember(key, client_id, revision, None)
    return key


def test_nothing_is_believed_before_anything_was_heard(cache: SharedTokenCache) -> None:
    assert cache.hit(_remember(cache, "a")) is None
    assert not cache.trusted


async def test_what_others_revoke_is_void_from_the_next_look_on(
    store: SqliteStore, cache: SharedTokenCache, watch: RevocationWatch
) -> None:
    one, two = _remember(cache, "one"), _remember(cache, "two")
    assert (cache.hit(one), cache.hit(two)) == ("one", "two")
    await store.run(lambda tx: tx.revoke(["one"]))
    await watch.look()
    assert (cache.hit(one), cache.hit(two)) == (None, "two")
    assert not cache.remember(one, "one", 0, None)
    assert cache.remember(one, "one", 1, None)


async def test_where_some_are_forgotten_everything_is_void(
    store: SqliteStore, cache: SharedTokenCache, watch: RevocationWatch, tmp_path: Path
) -> None:
    """A process that slept for long does not know of whom."""
    key = _remember(cache, "one")
    await store.run(lambda tx: tx.revoke(["two"]))
    await store.run(lambda tx: tx.revoke(["three"]))
    with opened(tmp_path / "clients.db") as file:
        file.execute("DELETE FROM revocations WHERE client_id = 'two'")
    await watch.look()
    assert cache.hit(key) is None
    assert len(cache) == 0
    assert not cache.remember(key, "one", 1, None)  # read before what is forgotten
    assert cache.remember(key, "one", 2, None)


async def test_without_an_answer_nothing_is_believed_for_long(
    store: SqliteStore, cache: SharedTokenCache, watch: RevocationWatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = _remember(cache, "one")
    assert cache.hit(key) == "one"

    async def away(_: int) -> Revocations:
        raise Unavailable

    monkeypatch.setattr(store, "revocations", away)
    with pytest.raises(Unavailable):
        await watch.look()
    assert cache.hit(key) == "one"  # for five seconds
    later = time.monotonic() + shared.TRUST_SECONDS
    monkeypatch.setattr(shared, "time", SimpleNamespace(monotonic=lambda: later))
    assert cache.hit(key) is None
    assert not cache.trusted


def test_old_news_make_nothing_valid_again(cache: SharedTokenCache) -> None:
    cache.confirm(0, float("inf"))
    key = _remember(cache, "one", 3)
    cache.apply(Effects(revoked=(("one", 5),)))
    cache.apply(Effects(revoked=(("one", 2),)))
    assert cache.hit(key) is None


def test_what_was_heard_of_another_store_keeps_nobody_out(cache: SharedTokenCache) -> None:
    """A copy of this one, on the same Redis server, may be far ahead."""
    cache.hear(Effects(revoked=(("one", 900),)))
    assert not cache.remember(b"key", "one", 7, None)
    cache.confirm(7, time.monotonic() - 60)  # asked before it was heard: it may be true
    assert not cache.remember(b"key", "one", 7, None)
    cache.confirm(7, time.monotonic() + 60)
    assert cache.remember(b"key", "one", 7, None)


def test_what_is_known_of_a_client_outlives_what_was_heard_falsely(cache: SharedTokenCache) -> None:
    """Of a commit of this process that is newer than the store's answer, whether it came before or behind."""
    cache.apply(Effects(revoked=(("one", 8),)))
    cache.hear(Effects(revoked=(("one", 900), ("two", 900))))
    cache.apply(Effects(revoked=(("two", 9),)))
    cache.confirm(7, time.monotonic() + 60)
    assert not cache.remember(b"key", "one", 7, None)
    assert not cache.remember(b"key", "two", 8, None)
    assert cache.remember(b"key", "one", 8, None)
    assert cache.remember(b"key", "two", 9, None)


def test_what_was_heard_rightly_stays(cache: SharedTokenCache) -> None:
    cache.hear(Effects(revoked=(("one", 7),)))
    cache.confirm(7, time.monotonic() + 60)
    assert not cache.remember(b"key", "one", 6, None)


def test_a_commit_that_nobody_knows_of_is_asked_for(cache: SharedTokenCache) -> None:
    """Not by a question that was put before."""
    cache.confirm(0, time.monotonic())
    key = _remember(cache, "one")
    before = time.monotonic()
    cache.apply(Effects(unsure=True))
    assert cache.hit(key) is None
    cache.confirm(0, before)
    assert not cache.trusted
    cache.confirm(0, time.monotonic())
    assert cache.hit(key) == "one"


def test_an_answer_that_comes_late_forgets_nothing_newer(cache: SharedTokenCache) -> None:
    cache.apply(Effects(revoked=(("one", 101),)))
    cache.clear(100)
    assert not cache.remember(b"key", "one", 100, None)


@pytest.mark.parametrize("whose", ["", "five"], ids=["fewer", "as many, of others"])
async def test_a_store_that_is_an_older_one_is_noticed(
    store: SqliteStore, cache: SharedTokenCache, watch: RevocationWatch, tmp_path: Path, whose: str
) -> None:
    """As after a restore: revisions come again, and what was read before must not outlast them."""
    for client in ("three", "four"):
        await store.run(lambda tx, client=client: tx.revoke([client]))  # type: ignore[misc]
    await watch.look()
    key = _remember(cache, "one", 2)
    with opened(tmp_path / "clients.db") as file:
        file.execute("DELETE FROM revocations WHERE revision = 2")
        file.execute("UPDATE store_state SET revision = 1")
    if whose:
        await store.run(lambda tx: tx.revoke([whose]))
    await watch.look()
    assert cache.hit(key) is None
    assert cache.remember(key, "one", 2 if whose else 1, None)
    await store.run(lambda tx: tx.revoke(["one"]))
    await watch.look()
    assert cache.hit(key) is None
