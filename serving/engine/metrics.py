"""Figures for Prometheus: Triton's, so that its dashboards work, and Andon's own."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from andon.serving.engine.models import Model
from andon.serving.engine.statistics import Counts, Spans

SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)

Figure = tuple[str, Callable[[Counts], float]]

_FIGURES: Mapping[str, Figure] = {
    "nv_inference_request_success": ("Requests answered", lambda counts: counts.successes),
    "nv_inference_request_failure": ("Requests that failed", lambda counts: counts.failures),
    "nv_inference_count": ("Frames or rows judged", lambda counts: counts.frames),
    "nv_inference_exec_count": ("Runs of one or more frames or rows", lambda counts: counts.successes),
    "nv_inference_request_duration_us": (
        "Microseconds from taking a request to its answer, summed",
        lambda counts: counts.success_ns // 1000,
    ),
    "nv_inference_queue_duration_us": (
        "Microseconds waiting for a thread, summed",
        lambda counts: counts.spans.queue // 1000,
    ),
    "nv_inference_compute_infer_duration_us": (
        "Microseconds judging, summed",
        lambda counts: counts.spans.inspect // 1000,
    ),
    "nv_inference_pending_request_count": ("Requests without an answer yet", lambda counts: counts.pending),
}


class _TritonFigures(Collector):
    """Reads the models' statistics under Triton's names.

    The client's own counters would add ``_total`` to those names; a metric of unknown type keeps its name.
    """

    def __init__(self, models: Callable[[], Sequence[Model]]) -> None:
        self._models = models

    def collect(self) -> Iterator[Metric]:
        counted = [({"model": each.name, "version": each.version}, each.statistics.counts) for each in self._models()]
        for name, (documentation, figure) in _FIGURES.items():
            metric = Metric(name, documentation, "unknown")
            for labels, counts in counted:
                metric.add_sample(name, labels, figure(counts))
            yield metric

    def describe(self) -> Iterable[Metric]:
        return [Metric(name, documentation, "unknown") for name, (documentation, _) in _FIGURES.items()]


class Metrics:
    """The figures of one service, in a registry of their own.

    Parameters
    ----------
    models
        Lists the models that serve.
    """

    def __init__(self, models: Callable[[], Sequence[Model]]) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_TritonFigures(models))
        self._decode = self._histogram("andon_decode_seconds", "Reading a request")
        self._inspect = self._histogram("andon_inspect_seconds", "Judging what a request holds")
        self._queue = self._histogram("andon_queue_seconds", "Waiting for a thread")
        self._verdicts = Counter(
            "andon_verdicts", "Frames or rows judged", ("model", "verdict"), registry=self._registry
        )

    def observe(self, model: Model, verdicts: Sequence[str], spans: Spans) -> None:
        """Take in a request that succeeded."""
        self._queue.labels(model.name).observe(spans.queue / 1e9)
        self._decode.labels(model.name).observe(spans.decode / 1e9)
        self._inspect.labels(model.name).observe(spans.inspect / 1e9)
        for verdict in verdicts:
            self._verdicts.labels(model.name, verdict).inc()

    def exposition(self) -> bytes:
        """Write all figures in Prometheus' text format."""
        return generate_latest(self._registry)

    def _histogram(self, name: str, documentation: str) -> Histogram:
        return Histogram(name, documentation, ("model",), buckets=SECONDS, registry=self._registry)
