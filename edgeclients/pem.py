"""Certificates and keys as settings name them: a path, or PEM itself (contract 11)."""

import os
import ssl
from pathlib import Path

from edgeclients.errors import StartError

_BEGIN = "-----BEGIN"


def read(text: str, variable: str) -> bytes:
    """The PEM that `text` is, or names.

    Args:
        text: PEM or a path.
        variable: where it comes from, for the error.

    Raises:
        StartError: the file cannot be read, or is no PEM.
    """
    if _BEGIN in text:
        return text.encode()
    try:
        content = Path(text).read_bytes()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no path"
        raise StartError(f"{variable} cannot be read ({reason}): set a path, or PEM") from error
    if _BEGIN.encode() not in content:
        raise StartError(f"{variable} is not PEM")
    return content


def load_pair(context: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    """Give `context` a certificate with its key, both PEM.

    Raises:
        ssl.SSLError, ValueError, OSError: they are none, do not belong together, or the key is encrypted.
    """
    # Python loads key pairs from files only; these exist in memory.
    with _in_memory(certificate) as first, _in_memory(key) as second:
        context.load_cert_chain(first.path, second.path, password=_no_password)


class _in_memory:  # noqa: N801 - reads as a verb
    def __init__(self, content: bytes) -> None:
        self._descriptor = os.memfd_create("pem", os.MFD_CLOEXEC)
        os.write(self._descriptor, content)
        self.path = f"/proc/self/fd/{self._descriptor}"

    def __enter__(self) -> "_in_memory":
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)


def _no_password() -> str:
    raise ValueError("the key is encrypted")
