"""`packaging/build`: what it makes, that it makes it twice alike, and what it says when it cannot."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from edgeclients import __version__
from tests.ship.conftest import ROOT, checkout
from tests.ship.pages import root_blocks
from tests.support.program import unpacked as unpacked_in

NAME = f"edgeclients-{__version__}-linux-amd64"
PATIENCE = 3600  # seconds: two builds on a busy machine
ONE_LINE = re.compile(r"\Abuild: [^\n]+\n\Z")


def build(*arguments: str | Path, root: Path = ROOT, before: Sequence[str] = ()) -> "subprocess.CompletedProcess[str]":
    command = [*before, sys.executable, str(root / "packaging" / "build"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)


def in_own_mounts(script: str) -> list[str]:
    """What to put before a command, so that the mounts of `script` are there for it alone."""
    return ["unshare", "--mount", "--propagation", "private", "--", "sh", "-c", f'{script} && exec "$@"', "sh"]


def sums_of(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder with a fresh build for this machine."""
    folder = tmp_path_factory.mktemp("built") / "first"
    done = build("--output", folder)
    assert done.returncode == 0, done.stderr
    print(done.stdout)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def unpacked(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle, unpacked."""
    return unpacked_in(built / f"{NAME}.tar.xz", tmp_path_factory.mktemp("unpacked"))


def test_there_is_what_there_should_be(built: Path) -> None:
    assert {path.name for path in built.iterdir()} == {NAME, f"{NAME}.tar.xz", f"{NAME}.cdx.json", f"{NAME}.sha256"}
    subprocess.run(["sha256sum", "--check", "--strict", f"{NAME}.sha256"], cwd=built, check=True, capture_output=True)


def test_two_builds_are_the_same_bytes(built: Path, tmp_path: Path) -> None:
    """The second one by the commands of the page, elsewhere."""
    folder = checkout(tmp_path / "edgeclients")
    script = root_blocks("packaging/README.md", "Build")
    subprocess.run(["bash", "-c", f"set -euo pipefail\n{script}"], cwd=folder, check=True)
    assert sums_of(folder / "dist") == sums_of(built)


def test_both_executables_say_the_version(built: Path, unpacked: Path) -> None:
    for program in (built / NAME, unpacked / "edgeclients"):
        assert subprocess.run([program, "version"], capture_output=True, text=True, check=True).stdout == f"{__version__}\n"


def test_each_component_has_its_licence_inside(built: Path, unpacked: Path) -> None:
    bill = json.loads((built / f"{NAME}.cdx.json").read_text())
    assert (bill["bomFormat"], bill["metadata"]["component"]["version"]) == ("CycloneDX", __version__)
    named = {f"{one['name']}-{one['version']}".replace(":", "_") for one in bill["components"]}
    assert named == {folder.name for folder in (unpacked / "LICENSES").iterdir()}
    for folder in (unpacked / "LICENSES").iterdir():
        assert sum(text.stat().st_size for text in folder.iterdir()) > 0, folder
    kinds = {one["purl"].partition("/")[0] for one in bill["components"]}
    assert {"pkg:pypi", "pkg:npm", "pkg:deb"} <= kinds


def test_every_library_is_of_a_component(built: Path, unpacked: Path) -> None:
    """Each shared library is of Python, of a distribution, or of a Debian package that the bill names."""
    bill = json.loads((built / f"{NAME}.cdx.json").read_text())
    names = {one["name"] for one in bill["components"]}
    libraries = [path.name for path in (unpacked / "_internal").glob("lib*.so*") if not path.name.startswith("libpython")]
    packages = {
        "libcrypto": "libssl3",
        "libssl": "libssl3",
        "libz": "zlib1g",
        "libsqlite3": "libsqlite3-0",
        "libffi": "libffi8",
    }
    for library in libraries:
        stem = library.partition(".so")[0]
        wanted = packages.get(stem, stem)
        assert any(name.startswith(wanted.replace("libstdc++", "libstdc++6").replace("_", "-")) for name in names), library


def test_nothing_of_developers_is_inside(unpacked: Path) -> None:
    inside = "\n".join(str(path.relative_to(unpacked)) for path in unpacked.rglob("*"))
    noted = ("direct_url.json", "RECORD")
    for name in ("pytest", "hatchling", "PyInstaller", "tkinter", "_codecs_jp", "readline", "pygments", *noted):
        assert name not in inside.replace("LICENSES/pyinstaller", "")


@pytest.mark.parametrize(
    ("mount", "line"),
    [
        pytest.param("mount -t tmpfs -o size=100m none {place}", r"has \d+ MB left, and \d+ MB are needed", id="no space"),
        pytest.param("mount -t tmpfs -o ro none {place}", "Read-only file system: choose a folder", id="read-only"),
    ],
)
def test_a_folder_that_cannot_hold_the_results(mount: str, line: str, tmp_path: Path) -> None:
    done = build("--output", tmp_path / "out", before=in_own_mounts(mount.format(place=tmp_path)))
    assert (done.returncode, done.stdout) == (1, "")
    assert ONE_LINE.match(done.stderr)
    assert re.search(line, done.stderr)


def test_a_file_where_the_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "out").touch()
    done = build("--output", tmp_path / "out")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"build: {tmp_path / 'out'} is not a folder: choose another one with --output\n"


def test_another_architecture_without_qemu(tmp_path: Path) -> None:
    hide = "for one in /usr/bin/qemu-aarch64-static; do [ ! -e $one ] || mount --bind /dev/null $one; done"
    done = build("--arch", "arm64", "--output", tmp_path / "out", before=in_own_mounts(hide))
    assert done.returncode == 1
    assert done.stderr == "build: the program qemu-aarch64-static is needed: install Debian's package qemu-user-static\n"
    assert not (tmp_path / "out").exists()


def test_an_architecture_that_nobody_knows() -> None:
    done = build("--arch", "vax")
    assert done.returncode == 2
    assert "invalid choice: 'vax'" in done.stderr


@pytest.fixture
def another(tmp_path: Path) -> Path:
    """A copy of the sources, to be spoilt."""
    ours = shutil.ignore_patterns(".venv", ".git", ".*_cache", ".hypothesis", "data", "build/", "dist", "__pycache__")
    shutil.copytree(ROOT, tmp_path / "another", ignore=ours)
    return tmp_path / "another"


def test_a_version_that_nobody_has(another: Path, tmp_path: Path) -> None:
    lock = another / "packaging" / "requirements.lock"
    lock.write_text(re.sub(r"^aiosqlite==\S+", "aiosqlite==99.0", lock.read_text(), flags=re.MULTILINE))
    done = build("--output", tmp_path / "out", root=another)
    assert done.returncode == 1
    assert ONE_LINE.match(done.stderr)
    assert "there is no wheel of aiosqlite==99.0 for" in done.stderr
    assert not (tmp_path / "out").exists()


def test_something_else_than_what_was_locked(another: Path, tmp_path: Path) -> None:
    lock = another / "packaging" / "requirements.lock"
    lock.write_text(re.sub(r"(?<=sha256:)[0-9a-f]{4}", "0000", lock.read_text()))
    done = build("--output", tmp_path / "out", root=another)
    assert done.returncode == 1
    assert ONE_LINE.match(done.stderr)
    assert "another checksum than the locked one" in done.stderr
    assert not (tmp_path / "out").exists()


def test_no_network(tmp_path: Path) -> None:
    done = build("--output", tmp_path / "out", before=["unshare", "--net", "--"])
    assert done.returncode == 1
    assert ONE_LINE.match(done.stderr)
    assert done.stderr == "build: pip reached no package index: check the network, or pip's settings\n"
    assert not (tmp_path / "out").exists()


def test_an_interruption_leaves_nothing(tmp_path: Path) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    command = [sys.executable, str(ROOT / "packaging" / "build"), "--output", str(tmp_path / "out")]
    env = {**os.environ, "TMPDIR": str(temporary)}
    with subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True) as process:
        while not list(temporary.rglob("pyvenv.cfg")):
            assert process.poll() is None
        process.terminate()
        assert process.stderr
        assert process.stderr.read() == "build: interrupted\n"
        assert process.wait(PATIENCE) == 130
    assert not (tmp_path / "out").exists()
    assert list(temporary.iterdir()) == []
