"""The pepper files: 32 random bytes each, created once, never replaced by the program."""

import contextlib
import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from edgeclients.errors import StartError
from edgeclients.files import read_small, remedy, write_private

PEPPER_BYTES = 32
CREDENTIAL = "edgeclients.pepper"


def locate(data: Path, configured: Sequence[Path], credentials: Path | None) -> tuple[Path, ...]:
    """The files that hold the peppers, the one for new secrets first.

    Args:
        data: the data directory, whose file `pepper` is the default.
        configured: `MG_CLIENTS_PEPPER_FILE`.
        credentials: systemd's credentials directory, used if it holds `edgeclients.pepper`.
    """
    return given(configured, credentials) or (data / "pepper",)


def given(configured: Sequence[Path], credentials: Path | None) -> tuple[Path, ...]:
    """The files of `locate` without its default; empty if none is configured."""
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
        content = read_small(path)
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
    """The pepper for each of `files`, in their order.

    Raises:
        StartError: there are not as many peppers as files.
    """
    if len(set(files)) != len(peppers):
        raise StartError(
            f"peppers in use: {len(peppers)}, files named for them: {len(files)}: name one file for each pepper, in their order"
        )
    return dict(zip(files, peppers, strict=True))


@contextlib.contextmanager
def handed_over(copies: Mapping[Path, bytes]) -> Iterator[None]:
    """Write each pepper to its file, durably; an error in the body removes the new files, but no file that existed.

    Raises:
        StartError: a file holds something else, or cannot be read or written.
    """
    made: list[Path] = []
    try:
        for path, content in copies.items():
            if _write_copy(path, content):
                made.append(path)
        yield
    except BaseException:
        for path in made:
            with contextlib.suppress(OSError):  # its folder may be root's, and this process runs as another user now
                path.unlink()
        raise


def _write_copy(path: Path, content: bytes) -> bool:
    """Write the file if it is missing; returns whether it was."""
    try:
        if not path.exists():
            write_private(path, content)
            return True
        if read_small(path) != content:
            raise StartError(f"{path} holds something else than the pepper: name another file")
    except OSError as error:
        raise StartError(f"the pepper cannot be written to {path} ({error.strerror}): name another file") from error
    return False


def compare(recorded: Mapping[str, bytes], given: Mapping[str, bytes], missing: Mapping[str, int]) -> None:
    """Return if the given peppers are those that a database needs.

    Args:
        recorded: check value by key id, as in the database.
        given: check value by key id, of the given peppers.
        missing: how many rows need each pepper that is recorded and not given.

    Raises:
        StartError: one that rows need is not given, or is not the one they were made with.
    """
    for key_id, rows in missing.items():
        if rows:
            raise StartError(
                f"{rows} secrets need the pepper with key id {key_id}, which is not the given one: "
                "restore that pepper, or name it in MG_CLIENTS_PEPPER_FILE after the new one"
            )
    for key_id in recorded.keys() & given.keys():
        if recorded[key_id] != given[key_id]:
            raise StartError(f"the pepper with key id {key_id} is not the one secrets were made with: restore that one")


def systemd_credentials() -> Path | None:
    """The folder of this unit's systemd credentials, if there is one."""
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    return Path(folder) if folder else None
