"""The cache of one of several processes: believed only while it knows what the others have revoked (design 6)."""

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
from edgeclients.store.sqlite.store import SqliteDatabase, SqliteStore
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
    cache.trust_until(float("inf"))
    key = _remember(cache, "one", 3)
    cache.apply(Effects(revoked=(("one", 5),)))
    cache.apply(Effects(revoked=(("one", 2),)))
    assert cache.hit(key) is None
