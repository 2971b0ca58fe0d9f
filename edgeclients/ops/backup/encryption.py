"""How a backup is encrypted, and how one that is read is decrypted."""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, NamedTuple

from edgeclients.ops.backup import passphrases, recipients
from edgeclients.ops.backup.manifest import BadBackup
from edgeclients.ops.backup.streams import Readable, Stream

if TYPE_CHECKING:
    from pyrage import x25519

_HEAD_BYTES = 512
_GZIP: Final = b"\x1f\x8b"


class Seal(NamedTuple):
    """What a backup is encrypted with: a passphrase, or recipients; neither leaves it in clear."""

    passphrase: str = ""
    recipients: "Sequence[x25519.Recipient]" = ()

    @property
    def is_encrypted(self) -> bool:
        """Whether it is encrypted."""
        return bool(self.passphrase or self.recipients)

    def write(self, pieces: Iterable[bytes], file: BinaryIO) -> None:
        """Write `pieces` to `file`, encrypted.

        Raises:
            OSError: they cannot be written.
        """
        if self.recipients:
            recipients.encrypt(pieces, file, self.recipients)
            return
        file.writelines(passphrases.encrypted(pieces, self.passphrase) if self.passphrase else pieces)


class Keys(NamedTuple):
    """What a backup may be decrypted with; `ask` gets a passphrase from the user if it is needed and not given."""

    passphrase: str
    identity_file: Path | None
    ask: Callable[[], str]


@contextlib.contextmanager
def decrypting(file: BufferedReader, keys: Keys) -> Iterator[Readable]:
    """What the backup `file` contains, as a stream. It is read from its beginning.

    Raises:
        BadBackup: it is no backup, or cannot be decrypted with these keys; also on leaving.
        StartError: the keys cannot be used.
    """
    head = file.peek(_HEAD_BYTES)
    if head.startswith(_GZIP):
        yield file
    elif not head.startswith(passphrases.VERSION):
        raise BadBackup("is not a backup of edgeclients: name another file")
    elif head.startswith(passphrases.VERSION + passphrases.STANZA):
        if keys.identity_file is not None:
            raise BadBackup("is encrypted with a passphrase: name its file with --passphrase-file")
        passphrases.require()
        yield Stream(passphrases.decrypted(file, keys.passphrase or keys.ask()))
    elif keys.identity_file is None:
        raise BadBackup("is encrypted to a recipient: name the file of the identity with --identity-file")
    else:
        with recipients.decrypting(file, recipients.identities(keys.identity_file)) as plain:
            yield plain


def seal(passphrase: str, public_keys: Sequence[str]) -> Seal:
    """The seal of a passphrase or of recipients, or none.

    Raises:
        StartError: a recipient is none, or a library is not installed.
    """
    if passphrase:
        passphrases.require()
    return Seal(passphrase, [recipients.recipient(text) for text in public_keys])
