"""Argon2id hashes of other systems: which are taken, and that they are computed as others compute them."""

import re
from base64 import b64encode

import pytest
from argon2 import PasswordHasher
from argon2.low_level import Type, hash_secret
from hypothesis import given
from hypothesis import strategies as st

from edgeclients.core.secrets.foreign import check_foreign, is_foreign, recipe_of_foreign
from edgeclients.core.secrets.keyring import Keyring, scheme_of
from edgeclients.errors import InvalidSecret
from tests.conformance.harness import KEYRING

SECRET = "open sesame"


def _text(data: bytes) -> str:
    return b64encode(data).decode().rstrip("=")


def _hash(parameters: str = "m=8,t=1,p=1", salt: str = _text(bytes(16)), digest: str = _text(bytes(32))) -> str:
    return f"$argon2id$v=19${parameters}${salt}${digest}"


def test_a_hash_of_the_usual_library() -> None:
    made = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1).hash(SECRET)
    check_foreign(made)
    recipe = recipe_of_foreign(made)
    assert KEYRING.matches_chosen(made, recipe.digest(SECRET))
    assert not KEYRING.matches_chosen(made, recipe.digest(SECRET + "x"))


@given(
    secret=st.text(min_size=1),
    salt=st.binary(min_size=8, max_size=64),
    memory_kib=st.integers(8, 64),
    passes=st.integers(1, 4),
)
def test_whatever_is_taken_is_computed_as_others_do(secret: str, salt: bytes, memory_kib: int, passes: int) -> None:
    try:
        made = hash_secret(secret.encode(), salt, passes, memory_kib, 1, 32, Type.ID).decode()
    except UnicodeEncodeError:  # half of a surrogate pair: no token has it
        return
    kept = KEYRING.adopt("d1", made)
    assert kept.hash == made
    recipe = KEYRING.recipe_of(made, "d1")
    assert recipe == (memory_kib, passes, 1, salt)
    assert KEYRING.matches_chosen(made, recipe.digest(secret))


@pytest.mark.parametrize(
    ("stored", "reason"),
    [
        (_hash("m=19457,t=1,p=1"), "19457 KiB of memory"),
        (_hash("m=7,t=1,p=1"), "7 KiB of memory"),
        (_hash("m=8,t=5,p=1"), "5 passes"),
        (_hash("m=16,t=1,p=2"), "2 lanes"),
        (_hash("m=8,t=0,p=1"), "not of the form"),
        (_hash("m=0,t=1,p=1"), "not of the form"),
        (_hash("m=08,t=1,p=1"), "not of the form"),
        (_hash("t=1,m=8,p=1"), "not of the form"),
        (_hash("m=8,t=1,p=1,data=AAAA"), "not of the form"),
        (_hash("m=\N{ARABIC-INDIC DIGIT EIGHT},t=1,p=1"), "not of the form"),
        (_hash("m=99999999999,t=1,p=1"), "not of the form"),
        (_hash(salt=_text(bytes(7))), "salt of 7 bytes"),
        (_hash(salt=_text(bytes(65))), "salt of 65 bytes"),
        (_hash(salt=b64encode(bytes(16)).decode()), "not of the form"),
        (_hash(salt="A" * 21), "base64"),
        (_hash(salt="A" * 21 + "B"), "base64"),
        (_hash(salt=""), "not of the form"),
        (_hash(digest=_text(bytes(31))), "hash of 31 bytes"),
        (_hash(digest=_text(bytes(64))), "hash of 64 bytes"),
        (_hash(digest="A" * 42 + "B"), "base64"),
        (_hash() + "$", "not of the form"),
        (_hash() + "\n", "not of the form"),
        (_hash().replace("v=19", "v=16"), "another version than 19"),
        (_hash().replace("$v=19", ""), "not of the form"),
        (_hash().replace("argon2id", "argon2i"), "no argon2id hash from elsewhere"),
        (_hash().replace("argon2id", "argon2"), "no argon2id hash from elsewhere"),
        ("$2b$12$KIXQ4kq1eYwE6z1n0bqkUe", "no argon2id hash from elsewhere"),
        (_hash("m=8,t=1,p=1,keyid=00000000"), "no hash from this installation"),
        ("$", "no argon2id hash"),
    ],
)
def test_what_is_not_taken_and_why(stored: str, reason: str) -> None:
    with pytest.raises(InvalidSecret, match=re.escape(reason)):
        KEYRING.adopt("d1", stored)


@pytest.mark.parametrize("parameters", ["m=8,t=1,p=1", "m=19456,t=4,p=1"])
@pytest.mark.parametrize("salt", [8, 64])
def test_the_bounds_are_taken(parameters: str, salt: int) -> None:
    stored = _hash(parameters, _text(bytes(salt)))
    assert KEYRING.adopt("d1", stored).hash == stored


def test_no_lookup_finds_it_and_it_counts_into_nothing() -> None:
    stored = _hash()
    first, second = KEYRING.adopt("d1", stored), KEYRING.adopt("d1", stored)
    assert first.lookup != second.lookup
    assert bytes(32) not in {first.lookup, second.lookup}
    assert (first.scheme, first.equivalents, scheme_of(stored)) == (None, (), None)


def test_it_is_outdated_under_every_pepper_and_set_of_parameters() -> None:
    keyring = Keyring([bytes(32)], 8, 1)
    assert keyring.is_outdated(_hash("m=8,t=1,p=1"))


def test_our_own_are_not_foreign() -> None:
    scheme = KEYRING.argon2
    ours = KEYRING.keep_chosen("d1", scheme, KEYRING.recipe(scheme, "d1").digest(SECRET), ())
    assert not is_foreign(ours.hash)
    assert not is_foreign(KEYRING.keep_generated("d1", SECRET).hash)
    assert KEYRING.adopt("d1", ours.hash) == ours
    with pytest.raises(InvalidSecret):
        KEYRING.adopt("d2", ours.hash)


def test_a_hash_of_ours_with_another_text_for_the_same_bytes_would_never_match() -> None:
    scheme = KEYRING.argon2
    ours = KEYRING.keep_chosen("d1", scheme, bytes(32), ())
    with pytest.raises(InvalidSecret):
        KEYRING.adopt("d1", ours.hash[:-1] + "B")
