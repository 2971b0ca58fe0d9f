"""The quick starts of the README with the bundle and with a container, as printed, up to an authenticated device."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgeclients import __version__
from tests.ship.pages import each_root_block, first_steps, root_blocks
from tests.support.newcomer import Newcomer, outside, ports, serving
from tests.support.pages import ROOT

BUNDLE = f"edgeclients-{__version__}-linux-amd64"
ARCHIVE = f"edgeclients-{__version__}-amd64.oci.tar"
HEALTHY = "until podman exec edgeclients edgeclients health; do sleep 1; done\n"

# podman on the host's network and with few rights, as it works without a bridge and inside a container.
CONTAINERS = """
[containers]
netns = "host"
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]

[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
lock_type = "file"
"""
STORAGE = """
[storage]
driver = "vfs"
graphroot = "{0}/storage"
runroot = "{0}/run"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where somebody has put the files of a release."""
    made = tmp_path / "downloads"
    made.mkdir()
    return made


@pytest.fixture
def administrator(folder: Path, tmp_path: Path) -> Newcomer:
    """Root with an `/opt` of its own, which is gone at the end."""
    (tmp_path / "opt").mkdir()
    mount = f'mount --bind {tmp_path / "opt"} /opt && exec "$@"'
    return Newcomer(folder, outside(), ("unshare", "--mount", "--propagation", "private", "sh", "-c", mount, "sh"))


def test_with_the_bundle(artefacts: Path, administrator: Newcomer) -> None:
    for file in artefacts.glob(f"{BUNDLE}*"):
        shutil.copy(file, administrator.folder)
    unpack, serve, token = each_root_block("README.md", "With the bundle")
    assert administrator.type(root_blocks("packaging/operations/install.md", "Check the files")).count(": OK\n") == 3
    administrator.run(unpack)
    with serving(administrator, serve.text):
        _assert_first_steps(administrator.type(token.text + first_steps()))


@pytest.fixture
def contained(folder: Path, tmp_path: Path) -> Iterator[Newcomer]:
    """Root with a podman whose images, containers and volumes are gone at the end."""
    (tmp_path / "containers.conf").write_text(CONTAINERS)
    (tmp_path / "storage.conf").write_text(STORAGE.format(tmp_path))
    places = {"CONTAINERS_CONF": tmp_path / "containers.conf", "CONTAINERS_STORAGE_CONF": tmp_path / "storage.conf"}
    env = outside(**{name: str(path) for name, path in places.items()}, TMPDIR=str(tmp_path))
    try:
        with ports():
            yield Newcomer(folder, env)
    finally:
        for what in (
            ("rm", "--all", "--force", "--time", "20"),
            ("volume", "rm", "--all", "--force"),
            ("rmi", "--all", "--force"),
        ):
            subprocess.run(["podman", *what], env=env, check=False, capture_output=True)


def test_with_a_container(artefacts: Path, contained: Newcomer) -> None:
    """Then the image is upgraded, and the clients are still there."""
    _image(artefacts, contained.folder)
    _assert_first_steps(contained.type(root_blocks("README.md", "With a container") + first_steps()))
    contained.type(root_blocks("packaging/operations/upgrade.md", "Container") + HEALTHY)
    (token,) = contained.folder.glob("operator.token")
    asked = f'curl -sSf "localhost:9006/plant-7/clients?status=all" -H "Authorization: Bearer {token.read_text()}"'
    assert '"total":1' in contained.type(asked)


def _image(artefacts: Path, folder: Path) -> None:
    """Put the archive of the image into a folder: the one that is there, or one that is made of the bundle."""
    if (artefacts / ARCHIVE).exists():
        shutil.copy(artefacts / ARCHIVE, folder)
    else:
        bundle = artefacts / f"{BUNDLE}.tar.xz"
        subprocess.run([ROOT / "packaging" / "image", "--bundle", bundle, "--output", folder], check=True)


def _assert_first_steps(printed: str) -> None:
    _, created, after = printed.partition('"status":"enabled"}\n')
    assert created
    assert f'"id":"{after.splitlines()[0]}"' in printed, "it was authenticated"
    assert '"status":"disabled"' in after
