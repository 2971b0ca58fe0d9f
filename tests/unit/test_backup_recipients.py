"""Encryption to recipients, and finding out how a backup is encrypted."""

import io
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyrage
import pytest

from edgeclients.errors import StartError
from edgeclients.ops.backup import encryption, recipients
from edgeclients.ops.backup.encryption import Keys, Seal
from edgeclients.ops.backup.manifest import BadBackup

CONTENT = b"\x1f\x8b" + os.urandom(500_000)


@pytest.fixture
def identity(tmp_path: Path) -> Path:
    """A file as `age-keygen` writes it."""
    made = pyrage.x25519.Identity.generate()
    path = tmp_path / "identity"
    path.write_text(f"# created: 2026-11-26T18:00:00Z\n# public key: {made.to_public()}\n{made}\n")
    return path


def public(identity: Path) -> str:
    return identity.read_text().splitlines()[1].removeprefix("# public key: ")


def sealed(seal: Seal) -> bytes:
    file = io.BytesIO()
    seal.write((CONTENT[start : start + 70_000] for start in range(0, len(CONTENT), 70_000)), file)
    return file.getvalue()


def opened(content: bytes, identity: Path | None = None, passphrase: str = "") -> bytes:
    def ask() -> str:
        raise StartError("asked")

    with encryption.decrypting(io.BufferedReader(io.BytesIO(content)), Keys(passphrase, identity, ask)) as plain:
        found = b""
        while piece := plain.read(100_000):
            found += piece
    return found


def test_any_recipient_can_decrypt_it(identity: Path) -> None:
    other = pyrage.x25519.Identity.generate()
    content = sealed(encryption.seal("", [public(identity), str(other.to_public())]))
    assert opened(content, identity) == CONTENT
    assert pyrage.decrypt(content, [other]) == CONTENT


def test_what_is_clear_needs_no_key(identity: Path) -> None:
    assert sealed(encryption.seal("", [])) == CONTENT
    assert opened(CONTENT) == opened(CONTENT, identity) == opened(CONTENT, passphrase="x") == CONTENT


@pytest.mark.parametrize("end", [0, 1, 30, 150, 200, 300, 100_000, 500_000, -1])
def test_a_file_that_is_cut_short(identity: Path, end: int) -> None:
    content = sealed(encryption.seal("", [public(identity)]))
    with pytest.raises(BadBackup):
        opened(content[:end], identity)


def test_a_file_that_was_changed(identity: Path) -> None:
    content = bytearray(sealed(encryption.seal("", [public(identity)])))
    content[300_000] ^= 1
    with pytest.raises(BadBackup, match="damaged"):
        opened(bytes(content), identity)


def test_the_wrong_kind_of_key_is_named(identity: Path, tmp_path: Path) -> None:
    to_recipient, by_passphrase = sealed(encryption.seal("", [public(identity)])), sealed(encryption.seal("secret", []))
    with pytest.raises(BadBackup, match="--identity-file"):
        opened(to_recipient, passphrase="secret")
    with pytest.raises(BadBackup, match="--passphrase-file"):
        opened(by_passphrase, identity)
    with pytest.raises(StartError, match="asked"):
        opened(by_passphrase)
    other = tmp_path / "other"
    other.write_text(str(pyrage.x25519.Identity.generate()))
    with pytest.raises(BadBackup, match=r"is encrypted to somebody else: .*--identity-file"):
        opened(to_recipient, other)


@pytest.mark.parametrize("text", ["", "age1", "age1qqqq", "ssh-ed25519 AAAA", "AGE-SECRET-KEY-1QQ"])
def test_what_is_no_recipient(text: str) -> None:
    with pytest.raises(StartError, match="is no recipient of age"):
        encryption.seal("", [text])


@pytest.mark.parametrize("content", [b"", b"# nothing\n", b"age1qqqq\n", b"AGE-SECRET-KEY-1QQQQ\n", b"\xff\xfe", None])
def test_what_is_no_identity(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "identity"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(StartError, match=r"holds no identity of age|cannot be read \(No such file"):
        recipients.identities(path)


class Full(io.RawIOBase):
    """A file on a disk that is full."""

    def writable(self) -> bool:
        return True

    def write(self, _: object) -> int:
        raise OSError(28, "No space left on device")


def test_what_cannot_be_written_is_said_as_it_is(identity: Path) -> None:
    for seal in (encryption.seal("", [public(identity)]), encryption.seal("secret", []), encryption.seal("", [])):
        with pytest.raises(OSError, match="No space left"):
            seal.write(iter([CONTENT]), Full())  # type: ignore[arg-type]


def test_what_cannot_be_read_is_said_as_it_is(identity: Path) -> None:
    def pieces() -> Iterator[bytes]:
        yield b"x" * 100_000
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        encryption.seal("", [public(identity)]).write(pieces(), io.BytesIO())


def test_who_reads_only_the_beginning_is_not_kept_waiting(identity: Path) -> None:
    content = sealed(encryption.seal("", [public(identity)]))
    with encryption.decrypting(io.BufferedReader(io.BytesIO(content)), Keys("", identity, str)) as plain:
        assert plain.read(2) == CONTENT[:2]


@pytest.mark.parametrize(("library", "argument"), [("pyrage", '("", ["age1"])'), ("cryptography", '("secret", [])')])
def test_a_library_that_is_missing_is_named(library: str, argument: str) -> None:
    program = f"""
import sys
sys.modules[{library!r}] = None
from edgeclients.ops.backup import encryption
try:
    encryption.seal{argument}
except encryption.passphrases.StartError as error:
    print(error)
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert f"need{'s' * (library != 'pyrage')} {library}, which is not installed: install edgeclients[labels]" in ended.stdout
