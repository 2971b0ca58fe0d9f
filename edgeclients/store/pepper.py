"""The pepper's files: 32 random bytes each, made once, never replaced by the program."""

import contextlib
import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from edgeclients.errors import StartError
from edgeclients.files import remedy, write_private

PEPPER_BYTES = 32
CREDENTIAL = "edgeclients.pepper"


def locate(data: Path, configured: Sequence[Path], credentials: Path | None) -> tuple[Path, ...]:
    """The files that hold the peppers, the one for new secrets first.

    Args:
        data: the data directory, whose file `pepper` is used when nothing else is named.
        configured: `MG_CLIENTS_PEPPER_FILE`.
        credentials: systemd's credentials directory, used if it holds `edgeclients.pepper`.
    """
    return given(configured, credentials) or (data / "pepper",)


def given(configured: Sequence[Path], credentials: Path | None) -> tuple[Path, ...]:
    """Those of `locate` that were named by somebody; empty if none were."""
    if configured:
        return tuple(configured)
    if credentials is not None and (credentials / CREDENTIAL).exists():
        return (credentials / CREDENTIAL,)
    return ()


def read(path: Path) -> bytes:
    """The pepper in `path`.

    Raises:
        StartError: it is missing, unreadable, or not 32 bytes long.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise StartError(
            f"pepper {path} cannot be read ({error.strerror}): restore it from the backup, no secret works without it"
        ) from error
    if len(content) != PEPPER_BYTES:
        raise StartError(f"pepper {path} has {len(content)} bytes, not {PEPPER_BYTES}: restore it from the backup")
    return content


def make(path: Path) -> None:
    """Write a new random pepper, durable when this returns.

    Raises:
        StartError: it cannot be written.
    """
    try:
        write_private(path, secrets.token_bytes(PEPPER_BYTES))
    except OSError as error:
        raise StartError(
            f"pepper {path} cannot be written ({error.strerror}): {remedy(error, 'make its folder writable')}"
        ) from error


def assign(peppers: Sequence[bytes], files: Sequence[Path]) -> dict[Path, bytes]:
    """Which pepper each of `files` is for, in their order.

    Raises:
        StartError: there is not one for each.
    """
    if len(set(files)) != len(peppers):
        raise StartError(
            f"peppers in use: {len(peppers)}, files named for them: {len(files)}: name one for each, in their order"
        )
    return dict(zip(files, peppers, strict=True))


@contextlib.contextmanager
def handed_over(copies: Mapping[Path, bytes]) -> Iterator[None]:
    """Each pepper in its file, durable, and not there any more if it goes wrong; a file that holds it already stays.

    Raises:
        StartError: one holds something else, or cannot be read or written.
    """
    made: list[Path] = []
    try:
        for path, content in copies.items():
            if _write_copy(path, content):
                made.append(path)
        yield
    except BaseException:
        for path in made:
            with contextlib.suppress(OSError):  # its folder may be root's, who this was
                path.unlink()
        raise


def _write_copy(path: Path, content: bytes) -> bool:
    """Whether that had to be done."""
    try:
        if not path.exists():
            write_private(path, content)
            return True
        if path.read_bytes() != content:
            raise StartError(f"{path} holds something else than the pepper: name another file")
    except OSError as error:
        raise StartError(f"the pepper cannot be written to {path} ({error.strerror}): name another file") from error
    return False


def compare(recorded: Mapping[str, bytes], given: Mapping[str, bytes], left: Mapping[str, int]) -> None:
    """Return if the peppers given are those a database needs.

    Args:
        recorded: what it has seen, check value by key id.
        given: likewise.
        left: how many rows need each of those recorded and not given.

    Raises:
        StartError: one that rows need is not given, or is not the one they were made with.
    """
    for key_id, rows in left.items():
        if rows:
            raise StartError(
                f"{rows} secrets need the pepper with key id {key_id}, which is not the one given: "
                "restore that pepper, or name it in MG_CLIENTS_PEPPER_FILE behind the new one"
            )
    for key_id in recorded.keys() & given.keys():
        if recorded[key_id] != given[key_id]:
            raise StartError(f"the pepper with key id {key_id} is not the one secrets were made with: restore that one")


def systemd_credentials() -> Path | None:
    """Where systemd put this unit's credentials, if it did."""
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    return Path(folder) if folder else None
