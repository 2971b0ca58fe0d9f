"""`packaging/package`: what it says, and what it leaves, when it cannot make a package."""

import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.ship.conftest import ROOT

sys.path.insert(0, str(ROOT / "packaging"))

from builder.architecture import native

NAME = f"edgeclients-1.2.3-linux-{native().name}"
ONE_LINE = re.compile(r"\Apackage: [^\n]+\n\Z")
PROGRAM = Path("/bin/true").read_bytes()
INCOMPRESSIBLE = 2_000_000

Fill = Callable[[tarfile.TarFile], None]


def package(bundle: Path, output: Path, *options: str, before: Sequence[str] = ()) -> "subprocess.CompletedProcess[str]":
    script = [sys.executable, str(ROOT / "packaging" / "package")]
    command = [*before, *script, "--bundle", str(bundle), "--output", str(output), *options]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def add(archive: tarfile.TarFile, name: str, content: bytes = b"", **fields: object) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mtime, entry.mode = len(content), 1_700_000_000, 0o755
    for field, value in fields.items():
        setattr(entry, field, value)
    archive.addfile(entry, io.BytesIO(content))


def bundle_of(folder: Path, fill: Fill, name: str = NAME) -> Path:
    path = folder / f"{name}.tar.xz"
    with tarfile.open(path, "w:xz") as archive:
        fill(archive)
    return path


def through_links(archive: tarfile.TarFile) -> None:
    """Each link stays inside by its text. Together they lead out."""
    add(archive, f"{NAME}/a/b/up", type=tarfile.SYMTYPE, linkname="../..")
    add(archive, f"{NAME}/out", type=tarfile.SYMTYPE, linkname="a/b/up/../..")
    add(archive, f"{NAME}/out/escaped")


def twice(archive: tarfile.TarFile) -> None:
    add(archive, f"{NAME}/edgeclients", PROGRAM)
    add(archive, f"{NAME}/edgeclients", PROGRAM)


def two_folders(archive: tarfile.TarFile) -> None:
    add(archive, f"{NAME}/edgeclients", PROGRAM)
    add(archive, "another/edgeclients", PROGRAM)


def small(archive: tarfile.TarFile) -> None:
    """A program that is not ours, and a library folder with something that no compression makes smaller."""
    add(archive, f"{NAME}/edgeclients", PROGRAM)
    add(archive, f"{NAME}/_internal/noise", os.urandom(INCOMPRESSIBLE))


def refused(done: "subprocess.CompletedProcess[str]", said: str, output: Path) -> None:
    """It failed with one line, and nothing is left."""
    assert (done.returncode, done.stdout) == (1, "")
    assert ONE_LINE.match(done.stderr), done.stderr
    assert re.search(said, done.stderr), done.stderr
    assert not output.exists()


def test_a_small_bundle_becomes_a_package(tmp_path: Path) -> None:
    done = package(bundle_of(tmp_path, small), tmp_path / "new" / "out")
    name = f"edgeclients_1.2.3_{native().name}.deb"
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{tmp_path / 'new' / 'out' / name}\n"
    assert [path.name for path in (tmp_path / "new" / "out").iterdir()] == [name]


def test_source_date_epoch_is_the_time_of_all_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = bundle_of(tmp_path, small)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1600000000")
    first = Path(package(bundle, tmp_path / "first").stdout.strip())
    listed = subprocess.run(["dpkg-deb", "--contents", first], capture_output=True, text=True, check=True, env={"TZ": "UTC"})
    assert set(re.findall(r" (\d{4}-\d\d-\d\d \d\d:\d\d) ", listed.stdout)) == {"2020-09-13 12:26"}
    second = Path(package(bundle, tmp_path / "second").stdout.strip())
    assert first.read_bytes() == second.read_bytes()
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    refused(package(bundle, tmp_path / "third"), "'yesterday': set it to whole seconds since 1970", tmp_path / "third")


def test_there_is_no_bundle(tmp_path: Path) -> None:
    refused(
        package(tmp_path / "none.tar.xz", tmp_path / "out"), "no such bundle: make it with packaging/build", tmp_path / "out"
    )


@pytest.mark.parametrize(
    ("fill", "said"),
    [
        pytest.param(lambda _: None, "it is empty", id="empty"),
        pytest.param(lambda archive: add(archive, "else/edgeclients", PROGRAM), "its folder is 'else'", id="another name"),
        pytest.param(lambda archive: add(archive, f"{NAME}/README"), "it has no program edgeclients", id="no program"),
        pytest.param(lambda archive: add(archive, f"{NAME}/edgeclients", b"#!"), "no program edgeclients", id="a script"),
        pytest.param(
            lambda archive: add(archive, f"{NAME}/edgeclients", PROGRAM[:90]), "no program edgeclients", id="cut short"
        ),
        pytest.param(lambda archive: add(archive, "../escaped"), r"\.\./escaped leads out of it", id="a path out of it"),
        pytest.param(lambda archive: add(archive, "/escaped"), "/escaped leads out of it", id="an absolute path"),
        pytest.param(
            lambda archive: add(archive, f"{NAME}/link", type=tarfile.SYMTYPE, linkname="../../etc"),
            "leads out",
            id="a link out of it",
        ),
        pytest.param(lambda archive: add(archive, f"{NAME}/pipe", type=tarfile.FIFOTYPE), "pipe is no file", id="a pipe"),
        pytest.param(two_folders, "more than one folder", id="two folders"),
        pytest.param(through_links, "out/escaped leads out of it", id="links out of it"),
        pytest.param(twice, "edgeclients stands twice", id="a file twice"),
    ],
)
def test_something_else_than_a_bundle(fill: Fill, said: str, tmp_path: Path) -> None:
    refused(
        package(bundle_of(tmp_path, fill), tmp_path / "out"), f"is not a bundle of packaging/build: .*{said}", tmp_path / "out"
    )
    assert not (tmp_path / "escaped").exists()


def test_a_program_for_another_architecture(tmp_path: Path) -> None:
    other = NAME.replace(native().name, "armhf" if native().name != "armhf" else "amd64")
    bundle = bundle_of(tmp_path, lambda archive: add(archive, f"{other}/edgeclients", PROGRAM), other)
    refused(package(bundle, tmp_path / "out"), "another architecture than", tmp_path / "out")


def test_a_library_that_no_package_is_known_for(tmp_path: Path) -> None:
    program = PROGRAM.replace(b"libc.so.6\0", b"libX.so.6\0")
    bundle = bundle_of(tmp_path, lambda archive: add(archive, f"{NAME}/edgeclients", program))
    refused(package(bundle, tmp_path / "out"), r"edgeclients needs libX\.so\.6, which is not in the bundle", tmp_path / "out")


@pytest.mark.parametrize("size", [0, 100, 100_000])
def test_a_file_that_is_no_archive_or_is_cut_short(size: int, tmp_path: Path) -> None:
    bundle = bundle_of(tmp_path, small)
    bundle.write_bytes(bundle.read_bytes()[:size])
    refused(package(bundle, tmp_path / "out"), "is not a bundle of packaging/build", tmp_path / "out")
    bundle.write_bytes(b"no archive" * (size + 1))
    refused(package(bundle, tmp_path / "out"), "is not a bundle of packaging/build", tmp_path / "out")


def test_a_maintainer_without_an_address(tmp_path: Path) -> None:
    done = package(bundle_of(tmp_path, small), tmp_path / "out", "--maintainer", "Somebody")
    refused(done, "'Somebody' is no maintainer: write 'Name <address>'", tmp_path / "out")


def test_a_file_where_the_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "out").touch()
    done = package(bundle_of(tmp_path, small), tmp_path / "out")
    assert done.stderr == f"package: {tmp_path / 'out'} is not a folder: choose another one with --output\n"
    assert (tmp_path / "out").is_file()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        pytest.param("size=1m", "No space left on device: make room", id="no space for the files"),
        pytest.param("size=3m", "No space left on device: make room", id="no space for the package"),
        pytest.param("ro", "Read-only file system: choose a folder", id="read-only"),
    ],
)
def test_a_folder_that_cannot_hold_the_package(options: str, said: str, tmp_path: Path) -> None:
    """What is left there is listed before the disk goes."""
    disk = tmp_path / "disk"
    disk.mkdir()
    script = f'mount -t tmpfs -o {options} none {disk} && "$@"; code=$?; ls -A {disk}; exit $code'
    before = ["unshare", "--mount", "--propagation", "private", "--", "sh", "-c", script, "sh"]
    refused(package(bundle_of(tmp_path, small), disk / "out", before=before), said, disk / "out")


def test_there_is_no_dpkg(tmp_path: Path) -> None:
    dpkg = shutil.which("dpkg-deb")
    before = ["unshare", "--mount", "--propagation", "private", "--", "sh", "-c"]
    hide = f'mount --bind /dev/null {dpkg} && exec "$@"'
    done = package(bundle_of(tmp_path, small), tmp_path / "out", before=[*before, hide, "sh"])
    refused(done, "the program dpkg-deb is needed: install Debian's package dpkg", tmp_path / "out")
