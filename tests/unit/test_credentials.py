"""Forms of secrets and what is kept of them (edgeclients/README.md#credentials)."""

import re
import uuid

import pytest

from edgeclients.core.secrets.keyring import Argon2, Keyring, Pepper, generate, is_generated_form, scheme_of

PEPPER = bytes(range(32))
OTHER = bytes(range(1, 33))


def _keyring(*peppers: bytes) -> Keyring:
    return Keyring(peppers or (PEPPER,), memory_kib=8, passes=1)


def test_what_we_make_has_the_form() -> None:
    assert all(is_generated_form(generate()) for _ in range(1000))


@pytest.mark.parametrize(
    ("secret", "is_form"),
    [
        ("01234567-0000-4000-8000-000000000000", True),
        ("01234560-0000-4000-8000-000000000000", True),
        ("01234444-0000-4000-8000-000000000000", False),
        (str(uuid.UUID(int=0)), False),
        ("47ce43dc-e938-11f1-95c5-02fc00000001", False),
        ("8F53D8EB-3333-4839-A815-BD711DFBD99FA", False),
        ("01234567-89AB-4DEF-8000-000000000000", False),
        ("{01234567-89ab-4def-8000-000000000000}", False),
        ("01234567-89ab-4def-c000-000000000000", False),
        ("01234567-89ab-4def-8000-000000000000\n", False),
        ("", False),
    ],
)
def test_the_form(secret: str, is_form: bool) -> None:
    assert is_generated_form(secret) is is_form


def test_a_generated_secret_is_kept_as_a_keyed_hash() -> None:
    kept = _keyring().keep_generated("d1", "s")
    assert re.fullmatch(r"\$hmac-sha256\$[0-9a-f]{8}\$[0-9a-f]{64}", kept.hash)
    assert kept.lookup == Pepper(PEPPER).digest("d1", "s")
    assert (kept.scheme, kept.equivalents) == (None, ())


def test_it_matches_in_its_domain_under_its_pepper_only() -> None:
    kept = _keyring().keep_generated("d1", "s").hash
    assert _keyring().matches(kept, "d1", "s")
    assert _keyring(OTHER, PEPPER).matches(kept, "d1", "s")
    assert not _keyring().matches(kept, "d2", "s")
    assert not _keyring().matches(kept, "d1", "t")
    assert not _keyring(OTHER).matches(kept, "d1", "s")


def test_domain_and_secret_cannot_run_into_each_other() -> None:
    keyring = _keyring()
    assert keyring.lookups("d", "1s") != keyring.lookups("d1", "s")


def test_an_older_pepper_is_outdated_and_its_digest_an_equivalent() -> None:
    old, both = _keyring(PEPPER).keep_generated("d1", "s"), _keyring(OTHER, PEPPER)
    assert both.is_outdated(old.hash)
    new = both.keep_generated("d1", "s")
    assert not both.is_outdated(new.hash)
    assert new.equivalents == (old.lookup,)


def test_a_chosen_secret_is_kept_as_argon2id() -> None:
    keyring = _keyring()
    scheme = keyring.argon2
    digest = keyring.recipe(scheme, "d1").digest("open sesame")
    kept = keyring.keep_chosen("d1", scheme, digest, ())
    assert re.fullmatch(r"\$argon2id\$v=19\$m=8,t=1,p=1,keyid=[0-9a-f]{8}\$[\w+/]+\$[\w+/]+", kept.hash)
    assert scheme_of(kept.hash) == scheme == Argon2.parse(str(scheme))
    assert keyring.matches_chosen(kept.hash, digest)
    assert not keyring.matches_chosen(kept.hash, bytes(32))
    assert not keyring.matches_chosen(keyring.keep_generated("d1", "s").hash, digest)


def test_argon2_is_what_other_programs_compute() -> None:
    """A hash of ours, checked by the library's own verifier."""
    from argon2 import PasswordHasher

    keyring = _keyring()
    scheme = keyring.argon2
    kept = keyring.keep_chosen("d1", scheme, keyring.recipe(scheme, "d1").digest("open sesame"), ())
    assert PasswordHasher().verify(re.sub(r",keyid=[0-9a-f]+", "", kept.hash), "open sesame")


def test_salts_differ_by_domain_and_pepper() -> None:
    salts = {Pepper(pepper).salt(domain) for pepper in (PEPPER, OTHER) for domain in ("d1", "d2")}
    assert len(salts) == 4
    assert all(len(salt) == 16 for salt in salts)


def test_nothing_of_the_pepper_is_in_what_is_kept() -> None:
    kept = _keyring().keep_generated("d1", "s")
    assert PEPPER.hex() not in kept.hash
    assert len({Pepper(PEPPER).check_value, Pepper(PEPPER).salt("d"), Pepper(PEPPER).digest("d", "s")}) == 3
