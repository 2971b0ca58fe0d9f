"""The cache of tokens (edgeclients/README.md#cache): what is believed, and for how long."""

from edgeclients.cache import memory
from edgeclients.cache.memory import MemoryTokenCache
from edgeclients.model import Effects


def _cache(latest: int = 0) -> MemoryTokenCache:
    return MemoryTokenCache(60, 10, lambda: latest)


def _revoked(*pairs: tuple[str, int]) -> Effects:
    return Effects(revoked=pairs)


def test_an_answer_holds_until_its_client_is_revoked() -> None:
    cache = _cache()
    a, b = cache.key(b"a"), cache.key(b"b")
    cache.remember(a, "one", 5, None)
    cache.remember(b, "two", 5, None)
    cache.apply(_revoked(("one", 6)))
    assert (cache.hit(a), cache.hit(b)) == (None, "two")


def test_an_answer_read_before_a_revocation_is_not_kept_after_it() -> None:
    cache = _cache()
    key = cache.key(b"a")
    cache.apply(_revoked(("one", 6)))
    cache.remember(key, "one", 5, None)
    assert cache.hit(key) is None
    cache.remember(key, "one", 6, None)
    assert cache.hit(key) == "one"


def test_revocations_count_in_the_order_of_their_numbers_not_of_their_telling() -> None:
    """Two commits of one client side by side: the second may be told first."""
    cache = _cache()
    key = cache.key(b"a")
    cache.remember(key, "one", 5, None)
    cache.apply(_revoked(("one", 6)))
    cache.apply(_revoked(("one", 5)))
    assert cache.hit(key) is None
    cache.remember(key, "one", 5, None)
    assert cache.hit(key) is None


def test_an_answer_ends_with_its_secret() -> None:
    """When the store's time says so: the clock of a gateway may be set at any moment."""
    now = [100]
    cache = MemoryTokenCache(60, 10, lambda: now[0])
    key = cache.key(b"a")
    cache.remember(key, "one", 1, 200)
    assert cache.hit(key) == "one"
    now[0] = 200
    assert cache.hit(key) is None


def test_the_cache_is_bounded() -> None:
    cache = _cache()
    for number in range(100):
        cache.remember(cache.key(str(number).encode()), "one", 1, None)
    assert len(cache) == 10


def test_forgotten_revocations_void_what_they_could_have_voided() -> None:
    """However many there were: the bound costs reads, never trust."""
    cache = _cache()
    old, new = cache.key(b"old"), cache.key(b"new")
    cache.remember(old, "other", 3, None)
    cache.apply(_revoked(*((f"c{n}", 4 + n) for n in range(memory._REVOCATIONS + 5))))
    assert cache.hit(old) is None
    cache.remember(new, "c0", 4, None)
    assert cache.hit(new) is None
    cache.remember(new, "c0", memory._REVOCATIONS + 10, None)
    assert cache.hit(new) == "c0"


def test_a_denial_ends_with_the_next_grant() -> None:
    cache = _cache()
    key = cache.key(b"a")
    cache.deny(key, cache.generation())
    assert cache.denied(key)
    cache.apply(Effects(granted=True))
    assert not cache.denied(key)


def test_a_denial_found_before_a_grant_is_not_kept_after_it() -> None:
    cache = _cache()
    key, generation = cache.key(b"a"), cache.generation()
    cache.apply(Effects(granted=True))
    cache.deny(key, generation)
    assert not cache.denied(key)


def test_keys_hold_no_token_and_differ_by_process() -> None:
    token = b"Basic" + b"x" * 40
    one, two = _cache().key(token), _cache().key(token)
    assert len(one) == 16
    assert one != two
