"""Tracing: spans of what is done for a caller, in the trace the caller began, sent to a collector (contract 13.3).

Imported only where a collector is named. What a span says is names, ids of requests and domains, and outcomes: no value that
a caller sent, and nothing secret.
"""

import asyncio
import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final

from opentelemetry.context import Context, attach, detach
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import (
    Span,
    SpanKind,
    Status,
    StatusCode,
    format_trace_id,
    get_current_span,
    set_span_in_context,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from edgeclients import __version__
from edgeclients.errors import DomainError, row_of
from edgeclients.ops.spans import SpanQueue
from edgeclients.traces import Trace, within

HEADERS: Final = ("traceparent", "tracestate")
_LONGEST = 512  # characters of either that are looked at
_SERVER_FAULT = 500

_w3c = TraceContextTextMapPropagator()


class Tracing:
    """Makes spans, and says what becomes of them.

    Args:
        url: of the collector.
        ratio: of the traces that begin here, how many are recorded; of others whoever began them has decided.
        instance_id: of this process.
    """

    def __init__(self, url: str, ratio: float, instance_id: str) -> None:
        # It repeats what callers send.
        logging.getLogger("opentelemetry.trace.span").setLevel(logging.CRITICAL)
        self.queue = SpanQueue(url)
        provider = TracerProvider(
            ParentBased(TraceIdRatioBased(ratio)),
            Resource({"service.name": "clients", "service.version": __version__, "host.id": instance_id}),
            shutdown_on_exit=False,
        )
        provider.add_span_processor(self.queue)
        self._tracer = provider.get_tracer("edgeclients", __version__)

    @contextmanager
    def serving(self, name: str, headers: Iterable[tuple[str, str]]) -> Iterator[Span]:
        """What is done meanwhile is done for a caller, in the trace that `headers` name or a new one."""
        span = self._tracer.start_span(name, _parent(headers), SpanKind.SERVER)
        with self._current(span):
            yield span

    @contextmanager
    def part(self, name: str, attributes: dict[str, str]) -> Iterator[None]:
        """What is done meanwhile is asked of somebody else, as a part of what is recorded now; of nothing if nothing is.

        An error that comes of it is noted.
        """
        if not get_current_span().is_recording():
            yield
            return
        span = self._tracer.start_span(name, kind=SpanKind.CLIENT, attributes=attributes)
        with self._current(span):
            try:
                yield
            except Exception as error:
                row = row_of(error) if isinstance(error, DomainError) else None
                span.set_attribute("error.type", row.code if row else type(error).__name__)
                if row is None or row.http >= _SERVER_FAULT:
                    span.set_status(_FAILED)
                raise

    @staticmethod
    def fail(span: Span, kind: str) -> None:
        """Mark what `span` is about as failed, by one word that says how."""
        span.set_attribute("error.type", kind)
        span.set_status(_FAILED)

    async def close(self, seconds: float) -> None:
        """Send what waits, in so many seconds."""
        await asyncio.to_thread(self.queue.close, seconds)

    @contextmanager
    def _current(self, span: Span) -> Iterator[None]:
        """What is done meanwhile belongs to `span`, which ends with it."""
        context = set_span_in_context(span)
        carrier: dict[str, str] = {}
        _w3c.inject(carrier, context)
        token = attach(context)
        try:
            with within(Trace(format_trace_id(span.get_span_context().trace_id), tuple(carrier.items()), self.part)):
                yield
        finally:
            detach(token)
            span.end()


_FAILED: Final = Status(StatusCode.ERROR)


def _parent(headers: Iterable[tuple[str, str]]) -> Context:
    """What a caller says of the trace; an empty context if that is nothing, or nothing that can be (W3C trace context)."""
    carrier: dict[str, list[str]] = {}
    for name, value in headers:
        if name in HEADERS:
            carrier.setdefault(name, []).append(value)
    if len(carrier.get("traceparent", ())) != 1 or sum(map(len, carrier["traceparent"])) > _LONGEST:
        return Context()
    if sum(map(len, carrier.get("tracestate", ()))) > _LONGEST:
        del carrier["tracestate"]
    return _w3c.extract(carrier, Context())
