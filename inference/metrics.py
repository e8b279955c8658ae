"""What /metrics shows: counters of the pipeline, in a registry of its own."""

from __future__ import annotations

import time
from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily

from inference.messages import Failed, Result, TextResult

BUCKETS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)


class Source(Protocol):
    """Where the figures that are asked for, not counted here, come from."""

    @property
    def active_runs(self) -> int:
        """Number of runs that are not over."""

    @property
    def restarts(self) -> int:
        """Number of workers that had to be replaced."""

    @property
    def producer_restarts(self) -> int:
        """Number of producers that had to be replaced."""

    @property
    def ready_workers(self) -> int:
        """Number of workers that take work."""


class Metrics:
    """The program's metrics in Prometheus' text format."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._registry = CollectorRegistry()
        self._frames = Counter(
            "inference_frames", "Frames that went to a viewer.", ["outcome"], registry=self._registry
        )
        self._characters = Counter(
            "inference_characters", "Characters of text that went to a viewer.", registry=self._registry
        )
        # to look a label up takes longer than to count
        self._predicted, self._failed = self._frames.labels("predicted"), self._frames.labels("failed")
        self._dropped = Counter(
            "inference_messages_dropped", "Messages that were none of ours.", registry=self._registry
        )
        self._refused = Counter(
            "inference_peers_refused",
            "Connections to the pipeline's ports without their key.",
            registry=self._registry,
        )
        self._stages = Histogram(
            "inference_stage_seconds",
            "Time a frame, or a piece of text, spent in each stage of its way.",
            ["stage"],
            buckets=BUCKETS,
            registry=self._registry,
        )
        self._known: dict[str, Histogram] = {}
        runs = Gauge("inference_runs_active", "Runs that are not over.", registry=self._registry)
        runs.set_function(lambda: source.active_runs)
        workers = Gauge("inference_workers_ready", "Workers that take work.", registry=self._registry)
        workers.set_function(lambda: source.ready_workers)
        self._registry.register(self)

    def collect(self) -> list[CounterMetricFamily]:
        """Counters that the pipeline itself keeps (prometheus-client's collector interface)."""
        workers, producers = self._source.restarts, self._source.producer_restarts
        return [
            CounterMetricFamily(
                "inference_worker_restarts", "Workers that had to be replaced.", value=workers
            ),
            CounterMetricFamily(
                "inference_producer_restarts", "Producers that had to be replaced.", value=producers
            ),
        ]

    def item(self, result: Result | Failed) -> None:
        """Count one item that is in order, with the times of its stages."""
        if isinstance(result, Failed):
            self._failed.inc()
            return
        if isinstance(result, TextResult):
            self._characters.inc(len(result.piece.ids))
        else:
            self._predicted.inc()
        for stage, ms in result.timing.items():
            self._stage(stage).observe(ms / 1000)
        self._stage("total").observe(max(0.0, time.monotonic() - result.since))

    def _stage(self, name: str) -> Histogram:
        if name not in self._known:
            self._known[name] = self._stages.labels(name)
        return self._known[name]

    def dropped(self, messages: int = 1) -> None:
        """Count messages that were none of ours."""
        self._dropped.inc(messages)

    def refused(self, peers: int) -> None:
        """Count peers that did not have the key."""
        self._refused.inc(peers)

    def text(self) -> bytes:
        """Everything, as Prometheus reads it."""
        return generate_latest(self._registry)
