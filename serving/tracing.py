"""OpenTelemetry traces, switched on by its own environment variables (OpenTelemetry specification 1.40, SDK configuration).

FastAPI itself makes the span of a request, as a child of the caller's where the request names one (W3C Trace Context).
The stages in it are made here. Where nothing asks for traces, none of the SDK is imported and nothing is done for them.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from importlib.metadata import version
from time import time_ns
from typing import TYPE_CHECKING, Any

from fastapi.telemetry import TelemetryConfig

from andon.serving.engine.engine import Observe
from andon.serving.engine.models import Model
from andon.serving.engine.statistics import Spans

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

logger = logging.getLogger(__name__)

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
MAX_VERDICTS = 32
"""Verdicts that a span names."""

QUIET = frozenset({"/metrics", "/ping", "/health", "/v2/health/live", "/v2/health/ready", "/api/v1/events"})
"""Not traced: probes, which would drown the rest, and a stream, which lasts for hours."""
QUIET_PREFIXES = ("/docs", "/auth/")
"""Not traced either: pages, and logins, since a span names the query and theirs holds a secret."""

OFF = TelemetryConfig(tracing=False, metrics=False, logs=False, auto_configure=False)


@dataclass(frozen=True, slots=True)
class Tracing:
    """What the service needs for traces.

    Parameters
    ----------
    telemetry
        For ``FastAPI(telemetry=...)``.
    observing
        Makes an observer that tells of a request's stages too.
    stage
        A span within that of the request while the block runs.
    close
        Sends what is left, for as long as the exporter's timeout. It blocks.
    """

    telemetry: TelemetryConfig
    observing: Callable[[Observe], Observe]
    stage: Callable[[str], AbstractContextManager[None]]
    close: Callable[[], None]


NO_TRACING = Tracing(OFF, lambda observe: observe, lambda _name: nullcontext(), lambda: None)


def tracing_of(environment: Mapping[str, str]) -> Tracing:
    """Trace where ``environment`` names an endpoint; a wish that cannot be met is logged, and nothing is traced.

    The exporter and the SDK read the rest of their variables themselves.
    """
    if not is_asked_for(environment):
        return NO_TRACING
    if unmet := _unmet(environment):
        logger.warning("traces are not sent", extra={"fields": {"reason": unmet}})
        return NO_TRACING
    return _Stages(_provider(environment)).tracing()


def is_asked_for(environment: Mapping[str, str]) -> bool:
    """Whether ``environment`` asks for traces.

    >>> is_asked_for({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"})
    True
    >>> is_asked_for({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318", "OTEL_TRACES_EXPORTER": "none"})
    False
    """
    has_endpoint = any(environment.get(name) for name in ENDPOINTS)
    is_disabled = environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    exporters = environment.get("OTEL_TRACES_EXPORTER", "").strip().lower() or "otlp"
    return has_endpoint and not is_disabled and "otlp" in exporters.split(",")


def _unmet(environment: Mapping[str, str]) -> str:
    """Why traces cannot be sent as they are asked for; empty where they can."""
    protocol = next((environment[name] for name in PROTOCOLS if environment.get(name)), "http/protobuf")
    if protocol != "http/protobuf":
        return f"found the protocol {protocol}; expected http/protobuf"
    try:
        import opentelemetry.exporter.otlp.proto.http.trace_exporter
        import opentelemetry.sdk.trace.export  # noqa: F401
    except ImportError as error:
        return f"{error.name} is not installed; expected the extra andon[traces]"
    return ""


def _provider(environment: Mapping[str, str]) -> "TracerProvider":
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource.create(_resource(environment)), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


def _resource(environment: Mapping[str, str]) -> dict[str, str]:
    """Name the service, unless the environment does."""
    said = environment.get("OTEL_RESOURCE_ATTRIBUTES", "")
    is_named = environment.get("OTEL_SERVICE_NAME") or any(
        pair.strip().startswith("service.name=") for pair in said.split(",")
    )
    about = {"service.version": version("andon")}
    return about if is_named else {"service.name": "andon", **about}


class _Stages:
    """Makes the spans of stages."""

    def __init__(self, provider: "TracerProvider") -> None:
        from opentelemetry import trace

        self._current = trace.get_current_span
        self._provider = provider
        self._tracer = provider.get_tracer("andon", version("andon"))

    def tracing(self) -> Tracing:
        telemetry = TelemetryConfig(
            tracer_provider=self._provider,
            metrics=False,
            logs=False,
            operation_spans=False,
            auto_configure=False,
            exclude=is_quiet,
        )
        return Tracing(telemetry, self.observing, self.stage, self._provider.shutdown)

    def observing(self, observe: Observe) -> Observe:
        def observe_and_trace(model: Model, verdicts: Sequence[str], spans: Spans) -> None:
            observe(model, verdicts, spans)
            if self._current().is_recording():
                self._trace(model, verdicts, spans)

        return observe_and_trace

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        if not self._current().is_recording():
            yield
            return
        with self._tracer.start_as_current_span(name, record_exception=False):
            yield

    def _trace(self, model: Model, verdicts: Sequence[str], spans: Spans) -> None:
        """Make the spans afterwards, from the durations: the threads that judge know nothing of traces."""
        about = {"andon.model": model.name, "andon.bundle_digest": model.digest}
        judged = {**about, "andon.verdicts": list(verdicts[:MAX_VERDICTS])}
        stages = {"queue": spans.queue, "decode": spans.decode, "judge": spans.inspect, "encode": spans.encode}
        started = time_ns() - sum(stages.values())
        for name, duration_ns in stages.items():
            attributes = judged if name == "judge" else about
            span = self._tracer.start_span(name, start_time=started, attributes=attributes)
            started += duration_ns
            span.end(started)


def is_quiet(scope: MutableMapping[str, Any]) -> bool:
    """Whether a request is not traced."""
    path = scope["path"]
    return path in QUIET or path.startswith(QUIET_PREFIXES)
