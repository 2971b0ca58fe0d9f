"""Encryption with a passphrase in the age format, piece by piece (edgeclients/DECISIONS.md#backup-passphrases).

The format is that of age-encryption.org/v1, so `age` and `rage` read what this writes, and the other way round.
"""

import hashlib
import hmac
import secrets
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

from edgeclients.errors import StartError
from edgeclients.ops.backup.manifest import BadBackup
from edgeclients.ops.backup.streams import Readable

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

WORK: Final = 16  # 2**16 blocks of 1 KiB: 64 MiB, which a board with 256 MB has
MOST_WORK: Final = 20  # 1 GiB, which `rage` takes on a fast machine

VERSION: Final = b"age-encryption.org/v1\n"
STANZA: Final = b"-> scrypt "
_SALT_LABEL = b"age-encryption.org/v1/scrypt"
_KEY_BYTES, _SALT_BYTES, _NONCE_BYTES, _TAG_BYTES = 16, 16, 16, 16
_BLOCK = 8  # scrypt's r: blocks of 1 KiB
_CHUNK = 64 * 1024
_LONGEST_LINE = 256
_DAMAGED = "is cut short or damaged: use another backup"


def require() -> None:
    """Return if what encryption with a passphrase needs is installed.

    Raises:
        StartError: it is not.
    """
    try:
        import cryptography.hazmat.primitives.ciphers.aead  # noqa: F401 - loaded while this process may read its files
    except ImportError as error:
        raise StartError("a passphrase needs cryptography, which is not installed: install edgeclients[labels]") from error


def encrypted(pieces: Iterable[bytes], passphrase: str, work: int = WORK) -> Iterator[bytes]:
    """The age file of `pieces`. It takes 2**`work` KiB of memory for a moment."""
    key, salt, nonce = (secrets.token_bytes(size) for size in (_KEY_BYTES, _SALT_BYTES, _NONCE_BYTES))
    wrapped = _cipher(_stretched(passphrase, salt, work)).encrypt(bytes(12), key, None)
    head = VERSION + STANZA + _text(salt) + b" %d\n" % work + _text(wrapped) + b"\n---"
    yield head + b" " + _text(_mac(key, head)) + b"\n" + nonce
    cipher = _cipher(_derived(key, nonce, b"payload"))
    for number, chunk, is_last in _chunks(pieces):
        yield cipher.encrypt(_nonce(number, is_last=is_last), chunk, None)


def decrypted(file: Readable, passphrase: str) -> Iterator[bytes]:
    """What an age file contains, read from its beginning. It takes as much memory as it took to encrypt it.

    Raises:
        BadBackup: it is damaged, or the passphrase is wrong.
    """
    key = _opened_head(file, passphrase)
    nonce = _exactly(file, _NONCE_BYTES)
    cipher = _cipher(_derived(key, nonce, b"payload"))
    for number, chunk, is_last in _chunks(_rest_of(file), _CHUNK + _TAG_BYTES):
        plain = _open(cipher, _nonce(number, is_last=is_last), chunk)
        if plain is None or (number and not plain):
            raise BadBackup(_DAMAGED)
        yield plain


def _opened_head(file: Readable, passphrase: str) -> bytes:
    """The key of the file, which its header keeps."""
    lines = [_line(file) for _ in range(4)]
    version, stanza, wrapped, end = lines
    words = stanza.removeprefix(STANZA).split()
    if version + b"\n" != VERSION or not stanza.startswith(STANZA) or len(words) != 2 or not words[1].isdigit():
        raise BadBackup(_DAMAGED)
    salt, work = _bytes(words[0], _SALT_BYTES), int(words[1])
    if not 0 < work <= MOST_WORK:
        raise BadBackup(f"needs 2^{work} KiB of memory to be decrypted: decrypt it on a larger machine, with `age`")
    key = _open(_cipher(_stretched(passphrase, salt, work)), bytes(12), _bytes(wrapped, _KEY_BYTES + _TAG_BYTES))
    if key is None:
        raise BadBackup("cannot be decrypted, because the passphrase is wrong")
    head = b"\n".join((*lines[:3], b"---"))
    if not hmac.compare_digest(b"--- " + _text(_mac(key, head)), end):
        raise BadBackup(_DAMAGED)
    return key


def _stretched(passphrase: str, salt: bytes, work: int) -> bytes:
    room = 128 * _BLOCK * (2**work + 8)
    try:
        return hashlib.scrypt(passphrase.encode(), salt=_SALT_LABEL + salt, n=2**work, r=_BLOCK, p=1, maxmem=room, dklen=32)
    except (MemoryError, ValueError) as error:
        raise StartError(f"the passphrase needs {room >> 20} MiB of memory, which this machine does not have") from error


def _mac(key: bytes, head: bytes) -> bytes:
    return hmac.digest(_derived(key, b"", b"header"), head, "sha256")


def _derived(key: bytes, salt: bytes, purpose: bytes) -> bytes:
    """HKDF-SHA-256 with one block."""
    return hmac.digest(hmac.digest(salt, key, "sha256"), purpose + b"\x01", "sha256")


def _cipher(key: bytes) -> "ChaCha20Poly1305":
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

    return ChaCha20Poly1305(key)


def _open(cipher: "ChaCha20Poly1305", nonce: bytes, sealed: bytes) -> bytes | None:
    """The plain text; None if it was not sealed with this key and nonce."""
    from cryptography.exceptions import InvalidTag

    try:
        return cipher.decrypt(nonce, sealed, None)
    except InvalidTag:
        return None


def _nonce(number: int, *, is_last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([is_last])


def _chunks(pieces: Iterable[bytes], size: int = _CHUNK) -> Iterator[tuple[int, bytes, bool]]:
    """All of `pieces` in chunks of `size`, numbered; the last one may be shorter, and is empty only if there is no other."""
    number, held = 0, bytearray()
    for piece in pieces:
        held += piece
        while len(held) > size:
            yield number, bytes(held[:size]), False
            del held[:size]
            number += 1
    yield number, bytes(held), True


def _rest_of(file: Readable) -> Iterator[bytes]:
    while piece := file.read(_CHUNK):
        yield piece


def _line(file: Readable) -> bytes:
    """The next line of the header, without its end."""
    line = b""
    while not line.endswith(b"\n"):
        if len(line) > _LONGEST_LINE:
            raise BadBackup(_DAMAGED)
        line += _exactly(file, 1)
    return line[:-1]


def _exactly(file: Readable, size: int) -> bytes:
    content = file.read(size)
    if len(content) < size:
        raise BadBackup(_DAMAGED)
    return content


def _text(content: bytes) -> bytes:
    """Base64 without padding."""
    return b64encode(content).rstrip(b"=")


def _bytes(text: bytes, size: int) -> bytes:
    """What `_text` has made of `size` bytes."""
    try:
        content = b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except ValueError as error:
        raise BadBackup(_DAMAGED) from error
    if len(content) != size:
        raise BadBackup(_DAMAGED)
    return content
