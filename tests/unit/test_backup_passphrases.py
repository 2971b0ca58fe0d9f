"""Encryption with a passphrase: the age format, in both directions, and nothing that was changed is accepted."""

import io
import subprocess
import sys
from collections.abc import Iterator

import pyrage
import pytest

from edgeclients.ops.backup import passphrases
from edgeclients.ops.backup.manifest import BadBackup

CHUNK = 64 * 1024
SIZES = (0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK + 77)
PASSPHRASE = "correct horse bätterie staple"
LITTLE_WORK = 4


def sealed(content: bytes, *, work: int = LITTLE_WORK) -> bytes:
    return b"".join(passphrases.encrypted(pieces(content), PASSPHRASE, work))


def pieces(content: bytes) -> Iterator[bytes]:
    """In other sizes than those of chunks."""
    for start in range(0, len(content), 10_007):
        yield content[start : start + 10_007]


def opened(sealed: bytes, passphrase: str = PASSPHRASE) -> bytes:
    return b"".join(passphrases.decrypted(io.BytesIO(sealed), passphrase))


def some(size: int) -> bytes:
    return bytes(number * 31 % 251 for number in range(size))


@pytest.mark.parametrize("size", SIZES)
def test_what_this_encrypts_age_decrypts(size: int) -> None:
    assert pyrage.passphrase.decrypt(sealed(some(size)), PASSPHRASE) == some(size)


def test_what_age_encrypts_this_decrypts() -> None:
    """It chooses its work by the speed of the machine, so once is enough."""
    content = some(2 * CHUNK)
    assert opened(pyrage.passphrase.encrypt(content, PASSPHRASE)) == content


@pytest.mark.parametrize("size", SIZES)
def test_both_directions(size: int) -> None:
    assert opened(sealed(some(size))) == some(size)


def test_a_wrong_passphrase() -> None:
    with pytest.raises(BadBackup, match="the passphrase is wrong"):
        opened(sealed(b"text"), "wrong")


@pytest.mark.parametrize("size", [0, 1, CHUNK, CHUNK + 1])
def test_a_file_that_is_cut_short_anywhere(size: int) -> None:
    whole = sealed(some(size))
    body = whole.index(b"\n---") + 49 + 16
    for end in (*range(body), len(whole) - 17, len(whole) - 16, len(whole) - 1):
        with pytest.raises(BadBackup):
            opened(whole[:end])


def test_chunks_cannot_be_left_out_repeated_or_swapped() -> None:
    whole = sealed(some(3 * CHUNK))
    head, body = whole[: -3 * (CHUNK + 16)], whole[-3 * (CHUNK + 16) :]
    first, second, third = (body[place * (CHUNK + 16) :][: CHUNK + 16] for place in range(3))
    for changed in (first + third, second + first + third, first + second + second + third, first + second, body + third):
        with pytest.raises(BadBackup, match="damaged"):
            opened(head + changed)


def test_an_empty_chunk_behind_others_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """The format forbids it, so a content has one form."""
    monkeypatch.setattr(passphrases, "_chunks", lambda _: iter([(0, some(CHUNK), False), (1, b"", True)]))
    whole = sealed(b"")
    monkeypatch.undo()
    with pytest.raises(BadBackup, match="damaged"):
        opened(whole)
    with pytest.raises(pyrage.DecryptError):
        pyrage.passphrase.decrypt(whole, PASSPHRASE)


def test_each_byte_of_the_head_counts() -> None:
    whole = sealed(b"text")
    for place in range(whole.index(b"\n---") + 48 + 16):
        changed = bytearray(whole)
        changed[place] ^= 0x01
        with pytest.raises(BadBackup):
            opened(bytes(changed))


def test_more_work_than_a_machine_has_memory_for_is_refused_before_it_is_done() -> None:
    whole = sealed(b"text").replace(b" 4\n", b" 40\n", 1)
    with pytest.raises(BadBackup, match="needs 2\\^40 KiB of memory"):
        opened(whole)


def test_two_files_of_the_same_content_have_nothing_in_common() -> None:
    one, other = sealed(some(100)), sealed(some(100))
    assert one[-116:] != other[-116:]
    assert one.splitlines()[1] != other.splitlines()[1]


def test_the_work_that_is_done_fits_on_a_small_board() -> None:
    assert f" {passphrases.WORK}\n".encode() in sealed(b"", work=passphrases.WORK)[:60]
    assert 2**passphrases.WORK * 1024 <= 64 * 1024 * 1024


def test_a_machine_without_that_memory_says_so() -> None:
    program = f"""
import resource
from edgeclients.ops.backup import passphrases
passphrases.require()
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + {40 << 20}, used + {40 << 20}))
try:
    list(passphrases.encrypted([], "x"))
except passphrases.StartError as error:
    print(error)
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout == "the passphrase needs 64 MiB of memory, which this machine does not have\n"
