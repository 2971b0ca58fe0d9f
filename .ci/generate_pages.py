"""Write man pages, the default file and completions from the code, or with --check say which of them differ."""

import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from pages import completion, manual, settings

ROOT = Path(__file__).resolve().parent.parent
PACKAGING = ROOT / "packaging"
MAN = PACKAGING / "man"
SECTIONS = {"@COMMANDS@\n": manual.command_sections, "@SETTINGS@\n": manual.setting_sections}


def generate() -> Iterator[tuple[Path, str]]:
    """Each generated file, with its content."""
    for source in sorted(MAN.glob("*.in")):
        text = source.read_text()
        for mark, sections in SECTIONS.items():
            if mark in text:
                text = text.replace(mark, sections() + "\n")
        yield source.with_suffix(""), text
    yield PACKAGING / "debian" / "edgeclients.default", settings.default_file()
    yield PACKAGING / "completion" / "edgeclients.bash", completion.bash()
    yield PACKAGING / "completion" / "edgeclients.zsh", completion.zsh()
    yield PACKAGING / "completion" / "edgeclients.fish", completion.fish()


def main() -> None:
    try:
        pages = dict(generate())
    except settings.UngroupedError as error:
        sys.exit(f"generate_pages: {error}")
    if sys.argv[1:] != ["--check"]:
        for path, text in pages.items():
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        return
    differing = [path for path, text in pages.items() if not path.exists() or path.read_text() != text]
    if differing:
        names = ", ".join(str(path.relative_to(ROOT)) for path in differing)
        sys.exit(f"{names}: not as the code says; run python .ci/generate_pages.py")
    print("man pages, default file and completions agree with the code")


if __name__ == "__main__":
    main()
