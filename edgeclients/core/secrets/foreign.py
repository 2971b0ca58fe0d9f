"""Argon2id hashes that other systems made (edgeclients/DECISIONS.md#foreign-hashes).

Each has a salt of its own, so no secret can be looked up by them: they are for tokens that name a client.
"""

import re
from base64 import b64decode, b64encode
from itertools import dropwhile
from unicodedata import category

from edgeclients.core.secrets.recipe import DIGEST_BYTES, Recipe
from edgeclients.errors import InvalidSecret

MOST_KIB, MOST_PASSES = 19 * 1024, 4  # a login with a hash that came from outside takes no longer than five of ours

_KIND = "$argon2id$"
_OURS = ",keyid="
_FORM = re.compile(
    r"\$argon2id\$v=([0-9]{1,9})"
    r"\$m=([1-9][0-9]{0,9}),t=([1-9][0-9]{0,9}),p=([1-9][0-9]{0,9})"
    r"\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)"
)
_LIKE_HASH = re.compile(r"\$[A-Za-z0-9,=_-]{1,32}\$\S")  # of argon2, scrypt, bcrypt, sha512crypt and others
_OF_NO_WIDTH = "Cf"  # marks of direction, of the order of bytes, of a place to break
_VERSION = "19"
_LEAST_KIB = 8  # argon2's own least, for one lane
_SALT_BYTES = range(8, 64 + 1)


def is_foreign(stored: str) -> bool:
    """Whether a hash was made with argon2id, and without a pepper."""
    return stored.startswith(_KIND) and _OURS not in stored


def hides_hash(secret: str) -> bool:
    """Whether a hash stands behind blanks, or characters that nobody sees: it would be taken as the secret itself."""
    bare = "".join(dropwhile(_is_unseen, secret))
    return bare != secret and _LIKE_HASH.match(bare) is not None


def check_foreign(stored: str) -> None:
    """Return if `stored`, for which `is_foreign` holds, is a hash that can be used.

    Raises:
        InvalidSecret: it is malformed, or takes too much time or memory.
    """
    form = _FORM.fullmatch(stored)
    if form is None:
        raise InvalidSecret("is not of the form $argon2id$v=19$m=…,t=…,p=…$salt$hash")
    if form[1] != _VERSION:
        raise InvalidSecret("is an argon2id hash of another version than 19")
    salt, digest = _decoded(form[5]), _decoded(form[6])
    if salt is None or digest is None:
        raise InvalidSecret("is an argon2id hash whose salt or hash is not base64 without padding")
    recipe = Recipe(int(form[2]), int(form[3]), int(form[4]), salt)
    if fault := _fault(recipe, len(digest)):
        raise InvalidSecret(f"is an argon2id hash with {fault}")


def recipe_of_foreign(stored: str) -> Recipe:
    """How to compute the digest of a secret, to be compared with the hash `stored` that was checked."""
    _, _, _, parameters, salt, _ = stored.split("$")
    memory_kib, passes, lanes = (int(part[2:]) for part in parameters.split(","))
    return Recipe(memory_kib, passes, lanes, _decoded(salt) or b"")


def is_affordable(memory_kib: int, passes: int, lanes: int) -> bool:
    """Whether a hash that somebody else made may take so much time and memory."""
    return memory_kib <= MOST_KIB and passes <= MOST_PASSES and lanes == 1


def _fault(recipe: Recipe, digest_bytes: int) -> str:
    """What is wrong with a hash; "" for nothing."""
    if recipe.lanes != 1:
        return f"{recipe.lanes} lanes: p=1 is taken"
    if not _LEAST_KIB <= recipe.memory_kib <= MOST_KIB:
        return f"{recipe.memory_kib} KiB of memory: m={_LEAST_KIB} to m={MOST_KIB} is taken"
    if recipe.passes > MOST_PASSES:
        return f"{recipe.passes} passes: up to t={MOST_PASSES} is taken"
    if len(recipe.salt) not in _SALT_BYTES:
        return f"a salt of {len(recipe.salt)} bytes: {_SALT_BYTES[0]} to {_SALT_BYTES[-1]} are taken"
    if digest_bytes != DIGEST_BYTES:
        return f"a hash of {digest_bytes} bytes: {DIGEST_BYTES} are taken"
    return ""


def _is_unseen(character: str) -> bool:
    return character.isspace() or category(character) == _OF_NO_WIDTH


def _decoded(text: str) -> bytes | None:
    """The bytes of base64 without padding; None if there is another text for them, or none."""
    try:
        data = b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError:
        return None
    return data if b64encode(data).decode().rstrip("=") == text else None
