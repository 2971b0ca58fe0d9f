"""Wrappers that record calls of the store and of callouts as spans."""

import inspect
from collections.abc import Awaitable, Callable
from typing import Any, Final

from typing_extensions import override

from edgeclients.model import Question
from edgeclients.ops.tracing import Tracing
from edgeclients.ports import Callout, Unit

_READ: Final = "SELECT"


class TracedStore:
    """A `ports.Store` that wraps another one and records each of its coroutines as a span.

    A read's span is named SELECT and the name of the method. A write's span has the name of its unit of work.

    Args:
        store: the wrapped store.
        system: OpenTelemetry's name of the database system.
        tracing: creates the spans.
    """

    def __init__(self, store: object, system: str, tracing: Tracing) -> None:
        self._store = store
        self._system = system
        self._tracing = tracing

    def __getattr__(self, name: str) -> Any:
        """The store's attribute, wrapped if it is a coroutine function."""
        found = getattr(self._store, name)
        wrapped = self._traced(name, found) if inspect.iscoroutinefunction(found) else found
        setattr(self, name, wrapped)  # cached: the next access does not call this method
        return wrapped

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
    """The name of the function that defines the unit of work, or else the unit's name."""
    return str(getattr(unit, "__qualname__", "unit")).split(".<locals>", maxsplit=1)[0]


class TracedCallout(Callout):
    """A `ports.Callout` that wraps another one and records each question as a span."""

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
