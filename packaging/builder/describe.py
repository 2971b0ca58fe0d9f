"""Writes the licence texts and the bill of materials of a bundle: `python -m builder.describe`, inside its environment."""

import argparse
import json
import shutil
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

from builder.components import Component, components
from builder.problem import end_with
from builder.sbom import bill


def main() -> None:
    """Read which files were bundled, and write what they are of."""
    parser = argparse.ArgumentParser()
    parser.add_argument("bundled", type=Path, help="the list that the spec wrote")
    parser.add_argument("output", type=Path, help="gets `LICENSES/` and `sbom.json`")
    parser.add_argument("--arch", required=True)
    parser.add_argument("--moment", type=int, required=True)
    given = parser.parse_args()
    found = components(Path(path) for path in json.loads(given.bundled.read_text()))
    _copy_licences(found, given.output / "LICENSES")
    (given.output / "sbom.json").write_text(bill(version("edgeclients"), given.arch, found, given.moment))


def _copy_licences(found: Iterable[Component], folder: Path) -> None:
    for one in found:
        place = folder / f"{one.name}-{one.version}".replace(":", "_")
        place.mkdir(parents=True)
        for number, text in enumerate(sorted(one.texts)):
            name = text.name if not (place / text.name).exists() else f"{number}-{text.name}"
            shutil.copyfile(text.resolve(), place / name)


if __name__ == "__main__":
    end_with("build", main)
