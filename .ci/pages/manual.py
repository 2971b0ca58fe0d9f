"""The parts of the man pages that follow from the code."""

from collections.abc import Iterator

from pages.commands import Command, Option, commands
from pages.roff import bold, escaped, italic, prose, sentence
from pages.settings import default_of, groups, kind_of


def command_sections() -> str:
    """Every command, for edgeclients(1)."""
    described = (command for command in commands() if command.path and (command.description or not command.children))
    return "\n".join(line for command in described for line in _command(command))


def setting_sections() -> str:
    """Every setting, by group, for edgeclients.env(5)."""
    return "\n".join(_settings())


def _settings() -> Iterator[str]:
    for heading, fields in groups():
        yield f".SS {heading}"
        for field in fields:
            default = default_of(field)
            yield ".TP"
            yield f"{bold(field.variable.name)} ({prose(kind_of(field))}{f'; default: {bold(default)}' if default else ''})"
            yield prose(sentence(field.variable.help))


def _command(command: Command) -> Iterator[str]:
    yield f'.SS "{escaped(_synopsis_text(command))}"'
    yield prose(sentence(command.description or command.help))
    for option in (*command.arguments, *command.options):
        if option.help:
            yield ".TP"
            yield _tag(option)
            yield prose(sentence(option.help))


def _synopsis_text(command: Command) -> str:
    """The command as it is typed, such as `edgeclients move {--to URL | --from URL}`."""
    words = ["edgeclients", *command.path, *(["COMMAND"] if command.children else [])]
    grouped = {name for names, _ in command.alternatives for name in names}
    for names, required in command.alternatives:
        ways = " | ".join(_typed(option) for option in command.options if names & {*option.names})
        words.append(f"{{{ways}}}" if required else f"[{ways}]")
    for option in command.options:
        if not grouped & {*option.names}:
            typed = _typed(option)
            words.append(typed if option.required else f"[{typed}]")
    return " ".join([*words, *(one.value if one.required else f"[{one.value}]" for one in command.arguments)])


def _typed(option: Option) -> str:
    typed = f"{option.names[0]} {option.value}" if option.value else option.names[0]
    return f"{typed} ..." if option.repeatable else typed


def _tag(option: Option) -> str:
    if not option.names:
        return italic(option.value)
    names = ", ".join(map(bold, option.names))
    if option.value.startswith("{"):
        return f"{names} {' | '.join(map(bold, option.choices))}"
    return f"{names} {italic(option.value)}" if option.value else names
