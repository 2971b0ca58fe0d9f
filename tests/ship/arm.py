"""The executables for ARM, in qemu and a Debian system of their architecture: the first steps in the README, and more."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from edgeclients import __version__
from tests.ship.conftest import ROOT, checkout
from tests.ship.pages import first_steps, root_blocks
from tests.support import asking
from tests.support.labels import texts
from tests.support.program import unpacked
from tests.support.waiting import wait_until

sys.path.insert(0, str(ROOT / "packaging"))

from builder.architecture import ARCHITECTURES
from builder.glibc import needed
from builder.root import Root, debian_root

ARM = ("arm64", "armhf")
DEBIAN_12 = (2, 36)
HEALTH = "http://localhost:9006/health"


@pytest.fixture(scope="module", params=ARM)
def arch(request: pytest.FixtureRequest, artefacts: Path) -> str:
    name: str = request.param
    bundle = artefacts / f"edgeclients-{__version__}-linux-{name}.tar.xz"
    assert bundle.exists(), f"make it with packaging/build --arch {name} --output {artefacts}"
    return name


@pytest.fixture(scope="module")
def root(arch: str, artefacts: Path) -> Iterator[Root]:
    """A minimal system without Python, with both executables in `/opt`."""
    bundle = f"edgeclients-{__version__}-linux-{arch}"
    with debian_root(arch) as made:
        unpacked(artefacts / f"{bundle}.tar.xz", made.path / "opt").rename(made.path / "opt" / "one-dir")
        one_file = made.path / "opt" / "one-file"
        one_file.write_bytes((artefacts / bundle).read_bytes())
        one_file.chmod(0o755)
        yield made


@pytest.fixture(params=["one-dir/edgeclients", "one-file"])
def program(request: pytest.FixtureRequest) -> str:
    return f"/opt/{request.param}"


@contextlib.contextmanager
def serving(root: Root, program: str, data: str) -> Iterator[None]:
    """The service on the ports that the README prints."""
    command = root.command([program, "serve"], env={"MG_CLIENTS_DATA_DIR": data})
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            wait_until(lambda: _answers() or process.poll() is not None, "an answer, or its end")
            assert process.poll() is None, process.communicate()[0]
            yield
        finally:
            process.kill()  # unshare, which takes everything in its namespace along


def _answers() -> bool:
    with contextlib.suppress(httpx.TransportError):
        return asking.get(HEALTH).status_code == httpx.codes.OK
    return False


def test_the_first_steps(root: Root, arch: str, program: str) -> None:
    data = f"/data-{Path(program).name}"
    with serving(root, program, data):
        token = (root.path / data.lstrip("/") / "operator.token").read_text().strip()
        script = f"set -euo pipefail\nTOKEN={token}\n{first_steps()}"
        done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert '"name":"boiler"' in done.stdout


def test_labels(root: Root, program: str) -> None:
    (root.path / "secrets.csv").write_text("id,secret\none,two\n")
    for suffix in (".pdf", ".png"):
        name = f"{Path(program).name}{suffix}"
        root.run([program, "labels", "/secrets.csv", "--out", f"/{name}", "--template", "{secret}"])
        assert texts(root.path / name) == ["two"]


def test_the_page_builds_one(artefacts: Path, tmp_path: Path) -> None:
    """The commands of the page, and two builds are the same bytes here, too."""
    folder = checkout(tmp_path / "edgeclients")
    script = root_blocks("packaging/README.md", "Another architecture")
    subprocess.run(["bash", "-c", f"set -euo pipefail\n{script}"], cwd=folder, check=True)
    for made in (folder / "dist").glob(f"*{__version__}-linux-arm64*"):
        if not made.name.endswith(".sha256"):
            assert made.read_bytes() == (artefacts / made.name).read_bytes(), made.name


def test_the_version(root: Root, program: str) -> None:
    assert root.run([program, "version"]).stdout == f"{__version__}\n"


def test_it_is_of_its_architecture_and_needs_the_c_library_of_debian_12(root: Root, arch: str) -> None:
    files = [path for path in (root.path / "opt" / "one-dir").rglob("*") if path.is_file()]
    assert (0, 0) < needed(files) <= DEBIAN_12
    machines = {path.read_bytes()[18] for path in files if path.read_bytes()[:4] == b"\x7fELF"}
    assert machines == {ARCHITECTURES[arch].elf}
