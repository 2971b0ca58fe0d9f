"""The command line as data."""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from edgeclients.cli.main import parser


class Option(NamedTuple):
    """An option, or a positional argument if it has no names."""

    names: tuple[str, ...]
    value: str  # what the user writes there: a name of it, or `{a,b}` for one of few; empty if it takes none
    choices: tuple[str, ...]
    help: str
    required: bool
    repeatable: bool
    is_path: bool


class Alternatives(NamedTuple):
    """The names of options of which one is given, or may be."""

    names: frozenset[str]
    required: bool


class Command(NamedTuple):
    """A command, or a group of commands."""

    path: tuple[str, ...]
    help: str
    description: str
    options: tuple[Option, ...]  # without --help, which every command has
    arguments: tuple[Option, ...]
    alternatives: tuple[Alternatives, ...]
    children: tuple[str, ...]

    @property
    def name(self) -> str:
        return " ".join(self.path)


def commands() -> list[Command]:
    """All commands, each group before its members; the program itself, without a path, is the first."""
    return list(_walk(parser(), (), ""))


def _walk(current: argparse.ArgumentParser, path: tuple[str, ...], text: str) -> Iterator[Command]:
    actions = [action for action in current._actions if action.help != argparse.SUPPRESS]
    subparsers = next((action for action in actions if isinstance(action, argparse._SubParsersAction)), None)
    plain = [_option(action) for action in actions if action is not subparsers and not isinstance(action, argparse._HelpAction)]
    yield Command(
        path,
        text,
        current.description or "",
        tuple(option for option in plain if option.names),
        tuple(option for option in plain if not option.names),
        tuple(
            Alternatives(frozenset(name for action in group._group_actions for name in action.option_strings), group.required)
            for group in current._mutually_exclusive_groups
        ),
        tuple(subparsers.choices) if subparsers else (),
    )
    if subparsers:
        helps = {choice.dest: choice.help or "" for choice in subparsers._choices_actions}
        for name, child in subparsers.choices.items():
            yield from _walk(child, (*path, name), helps[name])


def _option(action: argparse.Action) -> Option:
    choices = tuple(map(str, action.choices or ()))
    return Option(
        tuple(action.option_strings),
        "" if action.nargs == 0 else _value(action),
        choices,
        action.help or "",
        action.required,
        isinstance(action, argparse._AppendAction),
        action.type is Path,
    )


def _value(action: argparse.Action) -> str:
    if action.choices and not action.metavar:
        return f"{{{','.join(map(str, action.choices))}}}"
    return str(action.metavar or action.dest.upper())
