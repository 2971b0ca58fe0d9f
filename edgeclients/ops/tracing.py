"""Tracing: records the work for a caller as spans of the caller's trace, and sends them to a collector.

Imported only if a collector is configured. Spans hold names, ids of requests and domains, and outcomes. They hold no other
values of callers and no secrets.

See schema/README.md#spans.
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
_LONGEST = 512  # characters accepted in each header
_SERVER_FAULT = 500

_w3c = TraceContextTextMapPropagator()


class Tracing:
    """Creates spans, and sends them to the collector.

    Args:
        url: the collector's URL.
        ratio: the fraction recorded of traces that start here; callers decide about the traces that they start.
        instance_id: the instance id of this process.
    """

    def __init__(self, url: str, ratio: float, instance_id: str) -> None:
        # This logger repeats values of callers.
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
        """Record the body as a span for a caller, in the trace that `headers` name or in a new trace."""
        span = self._tracer.start_span(name, _parent(headers), SpanKind.SERVER)
        with self._current(span):
            yield span

    @contextmanager
    def part(self, name: str, attributes: dict[str, str]) -> Iterator[None]:
        """Record the body as a call to another service, in the current span; record nothing outside of spans.

        The span records an error that the body raises.
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
        """Mark `span` as failed; `kind` is a one-word error type."""
        span.set_attribute("error.type", kind)
        span.set_status(_FAILED)

    async def close(self, seconds: float) -> None:
        """Send queued spans for at most `seconds`, then drop the rest."""
        await asyncio.to_thread(self.queue.close, seconds)

    @contextmanager
    def _current(self, span: Span) -> Iterator[None]:
        """Make `span` current for the body, and end it afterwards."""
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
    """The caller's trace context (W3C); an empty context if it is missing or malformed."""
    carrier: dict[str, list[str]] = {}
    for name, value in headers:
        if name in HEADERS:
            carrier.setdefault(name, []).append(value)
    if len(carrier.get("traceparent", ())) != 1 or sum(map(len, carrier["traceparent"])) > _LONGEST:
        return Context()
    if sum(map(len, carrier.get("tracestate", ()))) > _LONGEST:
        del carrier["tracestate"]
    return _w3c.extract(carrier, Context())
