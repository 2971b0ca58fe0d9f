"""Finds and starts the authenticator that the settings name."""

import contextlib
from collections.abc import Callable
from typing import Protocol, TypeAlias

from edgeclients.auth.standalone import create as standalone
from edgeclients.errors import StartError
from edgeclients.ports import Authenticator, Authorizer, Operators
from edgeclients.settings import Settings
from edgeclients.wiring.context import Context

PLUGINS = "edgeclients.auth"


class AuthPlugin(Authenticator, Authorizer, Protocol):
    """What the factory of an `edgeclients.auth` entry point returns."""


PluginFactory: TypeAlias = Callable[[Settings, Operators], AuthPlugin]


def find(name: str) -> PluginFactory:
    """The factory of the authenticator called `name`.

    Raises:
        StartError: no authenticator of that name is installed.
    """
    if name == "standalone":
        return standalone  # not looked up: the search takes longer than the rest of its start
    from importlib.metadata import entry_points

    found = {entry.name: entry for entry in entry_points(group=PLUGINS)}
    if name not in found:
        raise StartError(
            f"MG_CLIENTS_AUTH_PLUGIN: no authenticator {name!r} is installed (available: {', '.join(sorted(found))})"
        )
    factory: PluginFactory = found[name].load()
    return factory


async def start(context: Context, factory: PluginFactory, operators: Operators) -> AuthPlugin:
    """The started authenticator; an asynchronous context manager is entered, and left when the service ends."""
    plugin = factory(context.settings, operators)
    if isinstance(plugin, contextlib.AbstractAsyncContextManager):
        await context.stack.enter_async_context(plugin)
    return plugin
