"""Certificates and keys in settings: a path, or PEM text (schema/README.md#settings)."""

import os
import re
import ssl
from pathlib import Path

from edgeclients.errors import StartError
from edgeclients.files import read_small
from edgeclients.text import decoded

_BEGIN = "-----BEGIN"
_SOURCE = re.compile(r"^\[\w+\] | \(_ssl\.c.*$")  # what Python adds to OpenSSL's text


def is_pem(text: str) -> bool:
    """Whether `text` is PEM, not a path."""
    return _BEGIN in text


def read(text: str, variable: str) -> bytes:
    """The PEM in `text`, or in the file that it names.

    Args:
        text: PEM or a path.
        variable: the setting, for the error.

    Raises:
        StartError: the file cannot be read, or is not PEM.
    """
    if is_pem(text):
        return text.encode()
    try:
        content = read_small(Path(text))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a path"
        raise StartError(f"{variable} cannot be read ({reason}): set a path, or PEM") from error
    if _BEGIN.encode() not in content:
        raise StartError(f"{variable} is not PEM{_actual_format(content)}")
    return content


def _actual_format(content: bytes) -> str:
    """The actual format, if recognised."""
    if content.startswith(b"\x30"):
        return " but DER: convert it with openssl"
    try:
        decoded(content)
    except ValueError as error:
        return f": {error}"
    return f": there is no {_BEGIN} in it"


def authorities(content: bytes) -> str:
    """CA certificates in PEM for Python's TLS, which rejects non-ASCII text between certificates."""
    return content.decode("ascii", "ignore")


def unusable(variables: str, error: Exception) -> StartError:
    """The error for certificates and keys that Python's TLS rejects."""
    reason = str(error)
    if isinstance(error, ssl.SSLError):
        reason = (error.reason or _SOURCE.sub("", reason)).replace("_", " ").lower()
    return StartError(f"{variables} cannot be used ({reason}): check that they are PEM, unencrypted, and belong together")


def load_pair(context: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    """Load a certificate and its key, both PEM, into `context`.

    Raises:
        ssl.SSLError, ValueError, OSError: they are not valid, do not belong together, or the key is encrypted.
    """
    # Python loads key pairs from files only; these are in memory.
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
