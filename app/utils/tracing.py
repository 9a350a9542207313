"""Traces through OpenTelemetry, only where a collector is configured.

Without one ``span`` hands out one shared object that does nothing, and the SDK is not even imported. Spans hold
names, counts and durations; never image data, vectors, document text, secrets or messages of exceptions.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from app.utils import metrics
from app.utils.logging import trace_id_var

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

SpanKind = Literal["internal", "server", "client"]
AttributeValue = str | int | float | bool

# A collector that is down must not hold up the service's end for long.
_EXPORT_TIMEOUT_S = 2.0

_NO_SPAN: AbstractContextManager[None] = nullcontext()


@dataclass(slots=True)
class _State:
    tracer: Tracer | None = None


# Process-wide, as the metrics and the log are: whoever makes a span should not have to be handed a tracer.
_state = _State()


@contextmanager
def exporting(*, endpoint: str, service_name: str, version: str) -> Iterator[None]:
    """Send spans to a collector while the block lasts; what is still buffered at its end is sent then.

    Args:
        endpoint: base address of an OTLP/HTTP collector; empty: nothing is traced.
        service_name: how the collector's users know us.
        version: of the service.
    """
    if not endpoint:
        yield
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource.create({"service.name": service_name, "service.version": version}))
    exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces", timeout=_EXPORT_TIMEOUT_S)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    _state.tracer = provider.get_tracer("app")
    try:
        yield
    finally:
        _state.tracer = None
        provider.shutdown()


def span(
    name: str, *, kind: SpanKind = "internal", attributes: Mapping[str, AttributeValue] | None = None
) -> AbstractContextManager[None]:
    """One step of a request, below the step around it; threads of the inference pool know theirs too.

    Outside a request there is none: the background loops ask the backends every second, which nobody wants traced.
    """
    tracer = _state.tracer
    if tracer is None or not trace_id_var.get():
        return _NO_SPAN
    return _recorded(tracer, name, kind=kind, attributes=attributes)


@contextmanager
def _recorded(
    tracer: Tracer,
    name: str,
    *,
    kind: SpanKind,
    attributes: Mapping[str, AttributeValue] | None,
    carrier: Mapping[str, str] | None = None,
) -> Iterator[None]:
    from opentelemetry import trace
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    parent = TraceContextTextMapPropagator().extract(carrier) if carrier else None
    with tracer.start_as_current_span(
        name,
        context=parent,
        kind=trace.SpanKind[kind.upper()],
        attributes=attributes,
        # An exception's message may hold what must not leave the process; its type says enough.
        record_exception=False,
        set_status_on_exception=False,
    ) as current:
        token = trace_id_var.set(trace.format_trace_id(current.get_span_context().trace_id))
        try:
            yield
        except BaseException as error:
            current.set_status(trace.StatusCode.ERROR, type(error).__name__)
            raise
        finally:
            trace_id_var.reset(token)


def request_span(name: str, *, headers: Mapping[str, str]) -> AbstractContextManager[None]:
    """The whole of one HTTP request; continues the caller's trace where ``traceparent`` names one.

    Args:
        name: of the span until ``name_request`` knows the route.
        headers: the request's, names in lower case.
    """
    tracer = _state.tracer
    if tracer is None:
        return _NO_SPAN
    carrier = {key: headers[key] for key in ("traceparent", "tracestate") if key in headers}
    return _recorded(tracer, name, kind="server", attributes=None, carrier=carrier)


def name_request(*, method: str, route: str, status: int) -> None:
    """Give the current request's span what is known only at its end: the route's template and the status."""
    if _state.tracer is None:
        return
    from opentelemetry import trace

    current = trace.get_current_span()
    current.update_name(f"{method} {route}")
    current.set_attributes({"http.request.method": method, "http.route": route, "http.response.status_code": status})
    if status >= 500:
        current.set_status(trace.StatusCode.ERROR)


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Time one stage of a request, such as ``face.detect``: a span, and ``cv_stage_seconds`` under its name."""
    started_at = time.perf_counter()
    with span(name):
        try:
            yield
        finally:
            metrics.stage_duration.labels(name).observe(time.perf_counter() - started_at)
