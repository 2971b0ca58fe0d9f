"""Write edgeclients/_pb from proto/, or with --check say whether it differs."""

import re
import sys
import tempfile
from pathlib import Path

from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "edgeclients._pb"
TARGET = ROOT.joinpath(*PACKAGE.split("."))


def generate(target: Path) -> None:
    protos = sorted(str(p.relative_to(ROOT / "proto")) for p in (ROOT / "proto").rglob("*.proto"))
    code = protoc.main(
        [
            "",
            f"-I{ROOT / 'proto'}",
            f"--python_out={target}",
            f"--pyi_out={target}",
            f"--grpc_python_out={target}",
            *protos,
        ]
    )
    if code:
        sys.exit(code)
    for path in [*target.rglob("*_pb2.py"), *target.rglob("*_pb2.pyi"), *target.rglob("*_pb2_grpc.py")]:
        text = path.read_text()
        path.write_text(re.sub(r"^from (\w+)\.v1 import", rf"from {PACKAGE}.\1.v1 import", text, flags=re.MULTILINE))
    for folder in {
        target,
        *(p.parent for p in target.rglob("*_pb2.py")),
        *(p.parent.parent for p in target.rglob("*_pb2.py")),
    }:
        (folder / "__init__.py").touch()


def files(folder: Path) -> dict[str, str]:
    return {str(p.relative_to(folder)): p.read_text() for p in folder.rglob("*.py*") if p.suffix in {".py", ".pyi"}}


def main() -> None:
    if sys.argv[1:] == ["--check"]:
        with tempfile.TemporaryDirectory() as scratch:
            generate(Path(scratch))
            wanted, found = files(Path(scratch)), files(TARGET)
        differing = sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))
        if differing:
            sys.exit(f"{PACKAGE} differs from proto/: {', '.join(differing)}; run python .ci/generate_protos.py")
        print(f"{PACKAGE} agrees with proto/")
        return
    TARGET.mkdir(parents=True, exist_ok=True)
    generate(TARGET)


if __name__ == "__main__":
    main()
