"""What others are asked, as parts of a trace: the store, and callouts."""

import inspect
from collections.abc import Awaitable, Callable
from typing import Any, Final

from typing_extensions import override

from edgeclients.model import Question
from edgeclients.ops.tracing import Tracing
from edgeclients.ports import Callout, Unit

_READ: Final = "SELECT"


class TracedStore:
    """`ports.Store`: another one, each of whose coroutines is a span.

    A read's span has the first word of its SQL and the read's name, a change's the name of its unit of work.

    Args:
        store: which one.
        system: what is behind it, by OpenTelemetry's name.
        tracing: makes the spans.
    """

    def __init__(self, store: object, system: str, tracing: Tracing) -> None:
        self._store = store
        self._system = system
        self._tracing = tracing

    def __getattr__(self, name: str) -> Any:
        """What the store has by this name, as it is unless it is a coroutine of the port."""
        found = getattr(self._store, name)
        made = self._traced(name, found) if inspect.iscoroutinefunction(found) else found
        setattr(self, name, made)  # from here on it is found at once
        return made

    def _traced(self, name: str, method: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        part, system = self._tracing.part, {"db.system.name": self._system}

        async def run(unit: Unit[Any]) -> Any:
            named = unit_name(unit)
            with part(named, {**system, "db.operation.name": named}):
                return await method(unit)

        async def read(*arguments: Any, **named: Any) -> Any:
            with part(f"{_READ} {name}", {**system, "db.operation.name": _READ}):
                return await method(*arguments, **named)

        return run if name == "run" else read


def unit_name(unit: Unit[Any]) -> str:
    """The name of the function a unit of work was made in, or its own."""
    return str(getattr(unit, "__qualname__", "unit")).split(".<locals>", maxsplit=1)[0]


class TracedCallout(Callout):
    """`ports.Callout`: another one, each of whose questions is a span that goes along with it."""

    def __init__(self, callout: Callout, tracing: Tracing) -> None:
        self._tracing = tracing
        self._callout = callout

    @override
    def wants(self, operation: str) -> bool:
        return self._callout.wants(operation)

    @override
    async def ask(self, question: Question) -> None:
        with self._tracing.part("callout", {"edgeclients.operation": question.operation}):
            await self._callout.ask(question)
