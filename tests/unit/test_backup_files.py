"""A backup as a file: what it is made of, and what is not accepted as one."""

import gzip
import hashlib
import io
import json
import os
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgeclients.ops.backup import manifest as manifests
from edgeclients.ops.backup.manifest import BadBackup, Entry, Manifest
from edgeclients.ops.backup.packing import entry, packed
from edgeclients.ops.backup.unpacking import Archive

CREATED = "2026-11-26T18:00:00.5Z"
CONTENTS = {"operator.id": b"someone", "activity.db": b"", "clients.db": os.urandom(700_000)}


def manifest(**fields: Any) -> Manifest:
    made = {
        "format": manifests.FORMAT,
        "edgeclients": "0.1.0",
        "schema": 7,
        "created_at": CREATED,
        "files": tuple(entry(name, content) for name, content in CONTENTS.items()),
    }
    return Manifest(**{**made, **fields})


def made(tmp_path: Path) -> bytes:
    """A backup of files and of content."""
    (tmp_path / "large").write_bytes(CONTENTS["clients.db"])
    return b"".join(packed(manifest(), {**CONTENTS, "clients.db": tmp_path / "large"}))


def extracted(content: bytes, folder: Path) -> dict[str, bytes]:
    folder.mkdir(parents=True)
    Archive(io.BytesIO(content)).extract(folder)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def tar(*members: tuple[str, bytes], change: Callable[[tarfile.TarInfo], None] = lambda _: None, end: bytes = b"") -> bytes:
    """An archive that somebody else has made."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as opened:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            change(info)
            opened.addfile(info, io.BytesIO(content))
        written = file.tell()
    return gzip.compress(file.getvalue()[:written] + bytes(1024) + end)


def described(contents: dict[str, bytes], **fields: Any) -> bytes:
    """The manifest of these files as JSON."""
    shown = [
        {"name": name, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in contents.items()
    ]
    base = {"format": 1, "edgeclients": "0.1.0", "schema": 7, "created_at": CREATED, "files": shown}
    return json.dumps({**base, **fields}).encode()


def test_what_goes_in_comes_out(tmp_path: Path) -> None:
    content = made(tmp_path)
    archive = Archive(io.BytesIO(content))
    assert archive.manifest == manifest()
    assert extracted(content, tmp_path / "out") == CONTENTS
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "out").iterdir()} == {0o600}


def test_any_tar_reads_it(tmp_path: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(made(tmp_path)), mode="r:gz") as opened:
        assert opened.getnames() == ["manifest.json", *CONTENTS]
        found = {name: opened.extractfile(name) for name in CONTENTS}
        assert {name: file.read() for name, file in found.items() if file} == CONTENTS


def test_an_archive_of_another_tar_is_read_too(tmp_path: Path) -> None:
    assert extracted(tar(("manifest.json", described(CONTENTS)), *CONTENTS.items()), tmp_path / "out") == CONTENTS


def test_a_backup_that_is_cut_short_anywhere(tmp_path: Path) -> None:
    content = made(tmp_path)
    ends = (*range(0, 2000, 13), *range(2000, len(content), 25_013), *range(len(content) - 600, len(content)))
    for place, end in enumerate(ends):
        with pytest.raises(BadBackup, match=r"use another backup|name another file"):
            extracted(content[:end], tmp_path / str(place))


def test_a_backup_with_another_byte_anywhere(tmp_path: Path) -> None:
    """It is refused, but where the byte means nothing: in the head of gzip, and in codes that a block does not use."""
    content, refused = made(tmp_path), 0
    places = (*range(1500), *range(1500, len(content), 25_013), *range(len(content) - 30, len(content)))
    for place in places:
        changed = bytearray(content)
        changed[place] ^= 0x10
        try:
            assert extracted(bytes(changed), tmp_path / str(place)) == CONTENTS
        except BadBackup:
            refused += 1
    assert refused > 0.95 * len(places)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "is not a backup"),
        (b"hello", "is not a backup"),
        (gzip.compress(b"hello"), "is not a backup"),
        (gzip.compress(bytes(1024)), "is not a backup"),
        (tar(("clients.db", b"x")), "is not a backup"),
        (tar(("manifest.json", b"{}")), "manifest that cannot be read"),
        (tar(("manifest.json", b"\xff")), "manifest that cannot be read"),
        (tar(("manifest.json", b"x" * 100_000)), "is not a backup"),
        (tar(("manifest.json", described({}))), "other files than those of a backup"),
        (tar(("manifest.json", described(CONTENTS, created_at="yesterday"))), "manifest that cannot be read"),
        (tar(("manifest.json", described(CONTENTS, created_at="2026-11-26T18:00:00"))), "other files"),
        (tar(("manifest.json", described(CONTENTS, format=2))), "was made by a newer edgeclients"),
        (tar(("manifest.json", b'{"format": 99, "else": []}')), "was made by a newer edgeclients"),
    ],
    ids=lambda value: value if isinstance(value, str) else "content",
)
def test_what_is_no_backup(content: bytes, why: str, tmp_path: Path) -> None:
    with pytest.raises(BadBackup, match=why):
        extracted(content, tmp_path / "out")


@pytest.mark.parametrize(
    "name",
    [
        "../escaped",
        "/tmp/escaped",
        "clients.db/x",
        "lock",
        ".restore",
        "clients.db-wal",
        "pepper",
        "pepper.0",
        "pepper.123",
        "",
    ],
)
def test_names_that_no_backup_has(name: str, tmp_path: Path) -> None:
    files = {"clients.db": b"x", name: b"y"}
    with pytest.raises(BadBackup, match="other files than those of a backup"):
        extracted(tar(("manifest.json", described(files)), *files.items()), tmp_path / "in" / "out")
    assert [path.name for path in tmp_path.rglob("*")] == ["in", "out"]


def test_a_name_that_stands_twice(tmp_path: Path) -> None:
    line = {"name": "clients.db", "size": 1, "sha256": hashlib.sha256(b"x").hexdigest()}
    with pytest.raises(BadBackup, match="other files"):
        extracted(tar(("manifest.json", described({}, files=[line, line]))), tmp_path / "out")


def test_files_that_the_manifest_does_not_name(tmp_path: Path) -> None:
    text = described(CONTENTS)
    swapped = dict(reversed(CONTENTS.items()))
    renamed = {("operator.token" if name == "operator.id" else name): content for name, content in CONTENTS.items()}
    for place, files in enumerate((swapped, renamed, {}, {**CONTENTS, "operator.token": b"x"})):
        with pytest.raises(BadBackup, match="damaged"):
            extracted(tar(("manifest.json", text), *files.items()), tmp_path / str(place))


def test_a_file_with_another_content_or_size(tmp_path: Path) -> None:
    text = described(CONTENTS)
    for place, content in enumerate((b"someOne", b"someone else", b"")):
        with pytest.raises(BadBackup, match="damaged"):
            extracted(tar(("manifest.json", text), *{**CONTENTS, "operator.id": content}.items()), tmp_path / str(place))


def test_nothing_may_follow_the_end(tmp_path: Path) -> None:
    content = tar(("manifest.json", described(CONTENTS)), *CONTENTS.items(), end=b"x" * 512)
    with pytest.raises(BadBackup, match="damaged"):
        extracted(content, tmp_path / "out")


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE, tarfile.GNUTYPE_LONGNAME]
)
def test_a_member_that_is_no_file(kind: bytes, tmp_path: Path) -> None:
    def change(info: tarfile.TarInfo) -> None:
        if info.name == "clients.db":
            info.type, info.linkname = kind, "/etc/passwd"

    content = tar(("manifest.json", described({"clients.db": b""})), ("clients.db", b""), change=change)
    with pytest.raises(BadBackup, match="damaged"):
        extracted(content, tmp_path / "out")


def test_small_files_are_small(tmp_path: Path) -> None:
    """A manifest cannot name a pepper of many gigabytes, which would be read as a whole."""
    lines = [Entry("clients.db", 0, ""), Entry("pepper.1", 2**40, "")]
    text = described({}, files=[{"name": one.name, "size": one.size, "sha256": one.sha256} for one in lines])
    with pytest.raises(BadBackup, match="other files"):
        extracted(tar(("manifest.json", text)), tmp_path / "out")


def test_what_expands_without_end_is_not_expanded(tmp_path: Path) -> None:
    """No more is read than the manifest says."""

    class Counting(io.BytesIO):
        taken = 0

        def read(self, size: int | None = -1, /) -> bytes:
            found = super().read(size)
            self.taken += len(found)
            return found

    file = Counting(tar(("manifest.json", described({"clients.db": b"x"})), ("clients.db", bytes(200_000_000))))
    (tmp_path / "out").mkdir()
    with pytest.raises(BadBackup, match="damaged"):
        Archive(file).extract(tmp_path / "out")
    assert file.taken < len(file.getvalue()) / 2
    assert list((tmp_path / "out").iterdir()) == []
