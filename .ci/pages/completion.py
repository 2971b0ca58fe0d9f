"""Completion of the command line for bash, zsh and fish.

Each script first finds the command among the words before the cursor. Then it offers values, if the last word is an option that
takes one, or else commands and options.
"""

import textwrap
from collections.abc import Iterator

from pages.commands import Command, Option, commands

_HELP = ("-h", "--help")
_WIDTH = 120
_GAP = "\x00"  # a space that is not wrapped
_WRITTEN = "# Written by .ci/generate_pages.py."


def bash() -> str:
    """The script for bash."""
    return f"""{_WRITTEN}

_edgeclients() {{
    local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD - 1]}} command="" word
    for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
        case "$command $word" in
        {_alternatives(_steps(), 8)}) command="${{command:+$command }}$word" ;;
        esac
    done
    COMPREPLY=()
    case "$command $previous" in
{_cases(_bash_values())}
    esac
    local words=""
    case "$command" in
{_cases(_bash_words())}
    esac
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
    case "$command" in
    {_alternatives(_of_files(), 4)})
        [[ ! $current || $current == -* ]] && return
        compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
    esac
}}

complete -F _edgeclients edgeclients
"""


def zsh() -> str:
    """The script for zsh."""
    return f"""#compdef edgeclients
{_WRITTEN}

_edgeclients() {{
    local command="" word previous=$words[CURRENT-1]
    local -a found
    for word in "${{(@)words[2,CURRENT-1]}}"; do
        case "$command $word" in
        {_alternatives(_steps(), 8)}) command="${{command:+$command }}$word" ;;
        esac
    done
    case "$command $previous" in
{_cases(_zsh_values())}
    esac
    case "$command" in
{_cases(_zsh_words())}
    esac
    _describe -o 'edgeclients' found
    case "$command" in
    {_alternatives(_of_files(), 4)}) _files ;;
    esac
}}

_edgeclients "$@"
"""


def fish() -> str:
    """The script for fish."""
    return f"""{_WRITTEN}

function __edgeclients_at
    set -l command ""
    for word in (commandline -opc)[2..]
        switch "$command $word"
            case {_alternatives(_steps(), 16).replace(" | ", " ").replace(" |", "")}
                set command (string trim "$command $word")
        end
    end
    test "$command" = "$argv[1]"
end

complete -c edgeclients -f
{chr(10).join(_fish_lines())}
"""


def _steps() -> list[str]:
    """Each command, as the group that it belongs to and its own name."""
    return [f"{' '.join(command.path[:-1])} {command.path[-1]}" for command in commands() if command.path]


def _of_files() -> list[str]:
    """The commands that take the path of a file."""
    return [command.name for command in commands() if any(argument.is_path for argument in command.arguments)]


def _alternatives(texts: list[str], indent: int) -> str:
    """A pattern of `case`, on as many lines as it needs."""
    joined = " | ".join(_quoted(text).replace(" ", _GAP) for text in texts)
    lines = textwrap.wrap(joined, _WIDTH - indent, break_long_words=False, break_on_hyphens=False)
    return f" \\\n{' ' * indent}".join(lines).replace(_GAP, " ")


def _cases(cases: Iterator[tuple[str, str]]) -> str:
    """Lines of a `case`, with the patterns of the same result together."""
    patterns: dict[str, list[str]] = {}
    for pattern, result in cases:
        patterns.setdefault(result, []).append(pattern)
    return "\n".join(f"    {_alternatives(texts, 4)}) {result} ;;" for result, texts in patterns.items())


def _values() -> Iterator[tuple[str, Option]]:
    """Each command and option of it that takes a value, as they stand before the cursor."""
    for command in commands():
        for option in command.options:
            yield from ((f"{command.name} {name}", option) for name in option.names if option.value)


def _bash_values() -> Iterator[tuple[str, str]]:
    for words, option in _values():
        if option.choices:
            yield words, f'mapfile -t COMPREPLY < <(compgen -W "{" ".join(option.choices)}" -- "$current"); return'
        elif option.is_path:
            yield words, 'compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return'
        else:
            yield words, "return"


def _bash_words() -> Iterator[tuple[str, str]]:
    for command in commands():
        yield command.name, f'words="{" ".join((*command.children, *_names(command)))}"'


def _zsh_values() -> Iterator[tuple[str, str]]:
    for words, option in _values():
        if option.choices:
            yield words, f"compadd {' '.join(option.choices)}; return"
        else:
            yield words, "_files; return" if option.is_path else f"_message {_quoted(option.value)}; return"


def _zsh_words() -> Iterator[tuple[str, str]]:
    for command in commands():
        shown = [*_described(command), *((name, "show the help") for name in _HELP)]
        found = " ".join(_quoted(f"{name}:{text}".removesuffix(":")) for name, text in shown)
        yield command.name, f"found=({found})"


def _described(command: Command) -> Iterator[tuple[str, str]]:
    """What can follow the command, and what it is for."""
    helps = {other.path: other.help for other in commands()}
    yield from ((child, _plain(helps[*command.path, child])) for child in command.children)
    yield from ((name, _plain(option.help)) for option in command.options for name in option.names)


def _fish_lines() -> Iterator[str]:
    for command in commands():
        at = f"complete -c edgeclients -n '__edgeclients_at \"{command.name}\"'"
        helps = dict(_described(command))
        yield from (f"{at} -a {child} -d {_quoted(helps[child])}" for child in command.children)
        for option in command.options:
            names = " ".join(f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in option.names)
            values = f" -a {_quoted(' '.join(option.choices))}" if option.choices else ""
            taken = (" -r -F" if option.is_path else f" -x{values}") if option.value else ""
            described = f" -d {_quoted(_plain(option.help))}" if option.help else ""
            yield f"{at} {names}{taken}{described}"
        if command.name in _of_files():
            yield f"{at} -F"
        yield f"{at} -s h -l help -d 'show the help'"


def _names(command: Command) -> list[str]:
    return [*(name for option in command.options for name in option.names), *_HELP]


def _plain(text: str) -> str:
    return text.replace("`", "").partition(";")[0]


def _quoted(text: str) -> str:
    """`text` as one word of any of the three shells."""
    return "'" + text.replace("'", r"'\''") + "'"
