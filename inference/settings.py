"""The checked settings: everything that may be chosen, with its default, in one frozen dataclass.

No command line in here (`commandline.py` fills it) and no behaviour but checks and derived values.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Kind:
    """A kind of model: which files it lives in, what it is fed with, and the dotted path of its predictor.

    The class is named, not imported, so that only a worker ever pays for what it needs. One that
    `has_engine` takes an `open_engine` (see `inference.engines.choice`). Where several kinds have the same
    endings, `marks` tell them apart: a file is of the first kind one of whose marks it holds (see
    `inference.marks`). `takes` is "video" or "text".
    """

    name: str
    suffixes: tuple[str, ...]
    predictor: str
    has_engine: bool = False
    marks: tuple[bytes, ...] = ()
    takes: str = "video"

    @property
    def reads_keras(self) -> bool:
        """Whether its files are Keras' own, which have to be looked at before they are read."""
        return ".h5" in self.suffixes


TAKES = {"video": "/", "text": "/text"}
"""What a model may be fed with, and the page for that."""

KINDS = (
    Kind(
        "text",
        (".h5", ".hdf5", ".keras"),
        "inference.predictors.text:TextPredictor",
        # also those that cannot be run, so that the text page is where one is told so
        marks=tuple(
            f'"{layer}"'.encode()
            for layer in ("LSTM", "GRU", "SimpleRNN", "CuDNNLSTM", "CuDNNGRU", "RNN", "Bidirectional")
        ),
        takes="text",
    ),
    Kind(
        "pose",
        (".h5", ".hdf5", ".keras"),
        "inference.predictors.pose:PosePredictor",
        has_engine=True,
    ),
)


ENGINES = ("auto", "tensorflow", "openvino")
"""What may run a model; auto takes TensorFlow where there is a GPU, else OpenVINO."""

PRECISIONS = ("exact", "fast", "int8")
"""How exactly it is computed: 32 bits, 16 bits where the processor has them, or 8 bits after calibration."""


def available_cores() -> int:
    """Number of processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def default_servers() -> int:
    """Number of workers that suits this machine: one for every core, 4 at most.

    On two cores, two workers of one thread each were a sixth faster than one of two threads; but every
    worker holds its own copy of TensorFlow and of each model in memory, some 600 MB.
    """
    return min(4, available_cores())


@dataclass(frozen=True)
class Source:
    """A live source: what clients call it ("camera:0", "stream:yard"), and what opens it.

    `location` is a camera's number or device, or an address that may hold a password: it is for the
    producer alone, and no text about the source says it.
    """

    name: str
    location: str = field(repr=False)


@dataclass(frozen=True)
class Settings:
    """How the program runs. Ports: None lets the system pick one; sizes in frames unless said."""

    host: str = "127.0.0.1"
    port: int = 5000
    token: str | None = field(default=None, repr=False)
    """What everybody who comes in has to know; None, which only a loopback `host` may have: no login."""
    allow_hosts: tuple[str, ...] = ()
    """Names that the program is served under, beside the machine's own; in lower case."""
    cors_origins: tuple[str, ...] = ()
    """Other sites whose pages may use it, as browsers write them: "https://example.org"."""
    max_streams: int = 64
    """Streams that may be open at once."""
    producer_send_port: int | None = None
    consumer_send_port: int | None = None
    n_servers: int = field(default_factory=default_servers)
    data: Path = HERE / "data"
    models: Path = HERE / "models"
    runs: Path = HERE / "runs"
    runs_bytes: int = 2 * 1024**3
    """Bytes that all recorded runs together may take; the oldest are deleted."""
    cache: Path = HERE / "cache"
    """What is made of models to run them faster, so that it is made once."""
    cache_bytes: int = 2 * 1024**3
    sources: tuple[Source, ...] = ()
    """Cameras and network streams; no other can be asked for."""
    upload_bytes: int = 4 * 1024**3
    """Bytes that an uploaded video may have."""
    log_level: str = "warning"
    allow_model_code: bool = False
    engine: str = "auto"
    """One of ENGINES."""
    precision: str = "exact"
    """One of PRECISIONS."""
    kinds: tuple[Kind, ...] = KINDS
    batch_size: int = 4
    batch_wait: float = 0.02
    """Longest time in s that a decoded frame waits for its batch to fill."""
    batches_per_worker: int = 2
    """One in the worker's hands and one on its way, so that it never waits for the wire."""
    window_bytes: int = 256 * 1024 * 1024
    """Bytes of decoded pixels that a run's window may hold; two batches are always allowed."""
    time_limit: float = 30.0
    """Longest time in s that a worker may take over a frame; then it counts as hung and is replaced."""
    max_models: int = 4
    """Models that a worker keeps loaded; those in use are never dropped."""

    @property
    def window(self) -> int:
        """Most frames of one run between the decoder and the viewer.

        As many as keep every worker busy, and a batch each being decoded and being delivered: more
        would only make the viewer wait longer for a frame that is decoded already.
        """
        return self.batch_size * (self.batches_per_worker * self.n_servers + 2)

    @property
    def threads_per_worker(self) -> int:
        """Threads that one worker's engine may use, so that all workers together fit the cores."""
        return max(1, available_cores() // self.n_servers)
