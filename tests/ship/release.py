"""`packaging/release`: one folder has everything, and its sums are right."""

import subprocess
from pathlib import Path

from edgeclients import __version__

V = __version__
ARCHITECTURES = ("amd64", "arm64", "armhf")
IMAGES = ("amd64", "arm64")


def test_everything_is_there(artefacts: Path) -> None:
    wanted = {
        f"edgeclients-{V}-py3-none-any.whl",
        f"edgeclients-{V}.tar.gz",
        *(f"edgeclients-{V}-linux-{arch}{part}" for arch in ARCHITECTURES for part in ("", ".tar.xz", ".cdx.json", ".sha256")),
        *(f"edgeclients_{V}_{arch}.deb" for arch in ARCHITECTURES),
        *(f"edgeclients-{V}-{arch}.oci.tar" for arch in IMAGES),
        "SHA256SUMS",
    }
    assert wanted <= {path.name for path in artefacts.iterdir()}


def test_the_sums_are_those_of_all_files(artefacts: Path) -> None:
    subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=artefacts, check=True, capture_output=True)
    summed = {line.split()[1] for line in (artefacts / "SHA256SUMS").read_text().splitlines()}
    assert summed == {path.name for path in artefacts.iterdir()} - {"SHA256SUMS"}
