"""Man pages, completions and the default file: they hold all that the code has, and programs that read them find no fault."""

import argparse
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from edgeclients import settings
from edgeclients.cli.examples import EXAMPLES
from edgeclients.cli.main import parser

ROOT = Path(__file__).resolve().parents[2]
PACKAGING = ROOT / "packaging"
PAGES = sorted((PACKAGING / "man").glob("*.[158]"))
COMPLETIONS = sorted((PACKAGING / "completion").iterdir())
DEFAULTS = (PACKAGING / "debian" / "edgeclients.default").read_text()
FIELDS = list(settings.fields())

REQUESTS = {f".{name}" for name in ("TH", "SH", "SS", "PP", "TP", "B", "I", "BR", "RB", "BI", "IR", "RI", "RS", "RE")}
REQUESTS |= {".nf", ".fi", ".nh", ".ad", '.\\"'}


class Command(NamedTuple):
    """A command, with what can follow it."""

    path: tuple[str, ...]
    children: frozenset[str]
    options: frozenset[str]
    help: str


def _commands(current: argparse.ArgumentParser, path: tuple[str, ...] = (), text: str = "") -> Iterator[Command]:
    shown = [action for action in current._actions if action.help != argparse.SUPPRESS]
    options = frozenset(name for action in shown for name in action.option_strings)
    groups = [action for action in shown if isinstance(action, argparse._SubParsersAction)]
    yield Command(path, frozenset(name for group in groups for name in group.choices), options, text)
    for group in groups:
        helps = {choice.dest: choice.help or "" for choice in group._choices_actions}
        for name, child in group.choices.items():
            yield from _commands(child, (*path, name), helps[name])


COMMANDS = list(_commands(parser()))
LEAVES = [" ".join(command.path) for command in COMMANDS if not command.children and command.path != ("serve",)]


def _plain(page: str) -> str:
    """The text of a man page, without its fonts."""
    text = re.sub(r"\\f[BIRP]|\\&", "", (PACKAGING / "man" / page).read_text())
    return text.replace("\\-", "-").replace("\\(aq", "'").replace("\\e", "\\")


def _sections(page: str) -> dict[str, str]:
    """The text below each subheading."""
    parts = re.split(r"^\.SS (.+)$", _plain(page), flags=re.MULTILINE)
    return {head.strip('"'): text for head, text in zip(parts[1::2], parts[2::2], strict=True)}


def _name(command: Command) -> str:
    return " ".join(("edgeclients", *command.path))


@pytest.mark.parametrize("command", [one for one in COMMANDS if one.path and not one.children], ids=_name)
def test_the_manual_has_every_command_with_its_options(command: Command) -> None:
    found = [
        (head, text) for head, text in _sections("edgeclients.1").items() if re.match(rf"{_name(command)}( [\[{{A-Z-]|$)", head)
    ]
    ((head, text),) = found
    for option in command.options - {"-h", "--help"}:
        assert re.search(rf"[\[{{ |]{option}[\]}} ]", head), option
        assert re.search(rf"^{option}( |$)", text, re.MULTILINE), option


def test_the_manual_has_the_options_of_the_program() -> None:
    page = _plain("edgeclients.1")
    options = page[page.index(".SH OPTIONS") : page.index(".SH COMMANDS")]
    (program,) = (command for command in COMMANDS if not command.path)
    assert set(re.findall(r"--?[a-z]+", options)) == program.options


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.variable.name)
def test_the_manual_has_every_setting(field: settings.Field) -> None:
    tag = re.search(rf"^{field.variable.name} \((.+)\)\n(.+)$", _plain("edgeclients.env.5"), re.MULTILINE)
    assert tag
    kind, _, default = tag[1].partition("; default: ")
    assert default == settings.shown(field, field.default)
    assert ("secret" in kind) == field.variable.secret
    assert all(choice in kind for choice in field.variable.choices)
    assert tag[2][1:] == f"{field.variable.help.replace('`', '')[1:]}."  # the first letter may be a capital


def test_the_manual_has_settings_in_the_order_of_the_readme() -> None:
    listed = re.findall(r"^\| `(MG_\w+)` \| (?:`\S*`)? \| ", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert re.findall(r"^(MG_\w+) \(", _plain("edgeclients.env.5"), re.MULTILINE) == listed


def test_the_default_file_has_every_setting_in_a_comment() -> None:
    assert [line for line in DEFAULTS.splitlines() if line and not line.startswith("#")] == []
    assert sorted(re.findall(r"^#(MG_\w+)=", DEFAULTS, re.MULTILINE)) == sorted(field.variable.name for field in FIELDS)
    for field in FIELDS:
        assert field.variable.help.replace("`", "") in re.sub(r"\n# ", " ", DEFAULTS)


def test_the_default_file_shows_what_holds_without_it() -> None:
    shown = dict(re.findall(r"^#(MG_\w+)=(.*)$", DEFAULTS, re.MULTILINE))
    assert settings.load(shown) == settings.load({"MG_CLIENTS_DATA_DIR": "/var/lib/edgeclients"})


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_a_page_has_only_what_every_reader_of_manuals_knows(page: Path) -> None:
    text = page.read_text()
    assert text.isascii()
    lines = text.splitlines()
    assert {line.split()[0] for line in lines if line.startswith((".", "'"))} <= REQUESTS
    assert [line for line in lines if not line or line != line.rstrip() or "\t" in line] == []
    assert re.findall(r"^\.SH (.+)$", text, re.MULTILINE)[0] == "NAME"


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_groff_has_no_warning(page: Path) -> None:
    """The rules above hold anywhere; where groff is installed, it judges too."""
    if program := shutil.which("groff"):
        done = subprocess.run([program, "-man", "-ww", "-z", "-Tutf8", page], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")


def test_pages_refer_to_pages() -> None:
    ours = {f"{page.name.rpartition('.')[0]}({page.suffix[1:]})" for page in PAGES}
    for page in PAGES:
        cited = {f"{name}({section})" for name, section in re.findall(r"^\.BR (\S+) \((\d)\)", page.read_text(), re.MULTILINE)}
        assert ours - cited <= {f"{page.name.rpartition('.')[0]}({page.suffix[1:]})"}
        assert {name for name in cited if "edgeclients" in name} <= ours
    unit = (ROOT / "systemd" / "edgeclients.service").read_text()
    assert set(re.findall(r"man:(\S+)", unit)) <= ours


@pytest.mark.parametrize("script", COMPLETIONS, ids=lambda path: path.name)
def test_a_completion_has_every_command_and_option(script: Path) -> None:
    text = script.read_text()
    for command in COMMANDS:
        for name in command.children:
            assert re.search(rf"[ '\"(]{name}[ '\":]", text), name
        for option in command.options:
            # As fish writes it, or as the others do.
            assert re.search(rf"(-[ls] {option.lstrip('-')}|[ '\"(]{option})[ '\":\n]", text), option


@pytest.mark.parametrize("command", COMMANDS, ids=_name)
def test_bash_completes_a_command(command: Command) -> None:
    assert _completed(*command.path, "") == command.children | command.options
    assert _completed(*command.path, "--h") == {"--help"}


def test_bash_completes_values(tmp_path: Path) -> None:
    assert _completed("operators", "list", "--output", "") == {"text", "json"}
    assert _completed("operators", "add", "--name", "") == set()
    (tmp_path / "a pepper").touch()
    assert _completed("move", "--pepper", f"{tmp_path}/") == {f"{tmp_path}/a pepper"}
    assert _completed("restore", f"{tmp_path}/") == {f"{tmp_path}/a pepper"}
    assert "--domain" in _completed("operators", "add", "--name", "list", "")


def _completed(*words: str) -> set[str]:
    """What bash offers for the last word."""
    program = """
        source "$0" && compopt() { :; }
        COMP_WORDS=(edgeclients "$@") COMP_CWORD=$# && _edgeclients && printf '%s\\n' "${COMPREPLY[@]}"
    """
    script = PACKAGING / "completion" / "edgeclients.bash"
    done = subprocess.run(["bash", "-c", program, script, *words], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return set(done.stdout.splitlines()) - {""}


def test_every_command_has_an_example() -> None:
    assert sorted(EXAMPLES) == sorted(LEAVES)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_can_be_given(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert callable(parser().parse_args([*name.split(), *shlex.split(EXAMPLES[name])]).run)
    with pytest.raises(SystemExit):
        parser().parse_args([*name.split(), "--help"])
    shown = " ".join(capsys.readouterr().out.split())
    assert f"Example: edgeclients {name} {EXAMPLES[name]}".rstrip() in shown
