"""An inference worker: takes batches, predicts, answers each with its frames' results.

Three threads. One listens to the pool, so that the order to quit is heard whatever else goes on; one
loads models, so that a model being loaded for one run does not hold up the others; the main thread takes
work, and only once it is told to connect, when the models asked for by then are warm. A frame that cannot
be predicted fails alone, never its batch.
"""

from __future__ import annotations

import logging
import queue
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from inference.errors import FrameError, InferenceError, WireError
from inference.jpeg import encode_jpeg
from inference.messages import (
    Answer,
    Batch,
    Claimed,
    Connect,
    Connected,
    Dropped,
    Failed,
    FrameInput,
    FrameResult,
    Input,
    Load,
    Loaded,
    LoadFailed,
    Loading,
    Ping,
    Pong,
    Quit,
    Result,
    TextResult,
    Unload,
)
from inference.predictors import Predictor

log = logging.getLogger(__name__)

SEND_PATIENCE = 0.5


class Pool(Protocol):
    """Where the worker's orders come from and its news go to."""

    def send(self, message: Any) -> None:
        """Tell the pool something."""

    def receive(self) -> Any:
        """Wait for the next order; EOFError when there will be none."""


class Work(Protocol):
    """Where batches come from."""

    def receive(self, timeout: float) -> Any | None:
        """The next batch, or None if none comes within `timeout` s."""


class Results(Protocol):
    """Where results go."""

    def send(self, message: Any, timeout: float) -> bool:
        """Send a result within `timeout` s; False if nobody takes it."""


class Models:
    """The loaded models: filled by one thread, read by another."""

    def __init__(self, open_model: Callable[[Load], Predictor], pool: Pool) -> None:
        self._open = open_model
        self._pool = pool
        self._known: dict[str, Predictor] = {}

    def load(self, order: Load) -> None:
        """Load and warm a model, and tell the pool how it went."""
        self._pool.send(Loading(order.model))
        outcome = self._try(order)
        if isinstance(outcome, str):
            self._pool.send(LoadFailed(order.model, outcome))
        else:
            self._known[order.model] = outcome
            self._pool.send(Loaded(order.model, outcome.info))

    def _try(self, order: Load) -> Predictor | str:
        try:
            return self._open(order)
        except InferenceError as error:
            log.warning("%s cannot be loaded: %s", order.paths, error)
            return str(error)
        except Exception as error:
            log.exception("loading %s failed", order.paths)
            return f"The model could not be loaded ({type(error).__name__}); the log says why."

    def unload(self, model: str) -> None:
        """Forget a model."""
        self._known.pop(model, None)

    def get(self, model: str) -> Predictor | str:
        """The model's predictor; a sentence for batches of runs that are over, whose model was unloaded."""
        return self._known.get(model, "The model is not loaded any more.")


def listen(pool: Pool, orders: queue.SimpleQueue[Any], quit_now: Callable[[], None]) -> None:
    """Pass the pool's orders on until it says quit or is gone; then `quit_now` ends the process."""
    try:
        while not isinstance(order := pool.receive(), Quit):
            if isinstance(order, Ping):
                pool.send(Pong())
            else:
                orders.put(order)
    except (EOFError, OSError):
        log.info("the pipeline is gone")
    except Exception:
        log.exception("the worker cannot follow its orders any more")
    quit_now()


def follow(orders: queue.SimpleQueue[Any], models: Models, connect: Callable[[Connect], None]) -> None:
    """Load and unload models as told, for ever; connect when told, with what was loaded before."""
    while True:
        match orders.get():
            case Load() as order:
                models.load(order)
            case Unload(model):
                models.unload(model)
            case Connect() as order:
                connect(order)


def work(inbox: Work, outbox: Results, pool: Pool, models: Models) -> None:
    """Predict batch after batch, for ever. To be called once connected."""
    pool.send(Connected())
    while True:
        try:
            batch = inbox.receive(timeout=3600)
        except WireError as error:
            log.warning("dropped a message that is no batch: %s", error)
            pool.send(Dropped(1))
            continue
        if isinstance(batch, Batch):
            pool.send(Claimed(batch.batch, len(batch.inputs)))
            second = None if batch.compare is None else models.get(batch.compare)
            answer = Answer(batch.batch, predict(batch, models.get(batch.model), second))
            while not outbox.send(answer, SEND_PATIENCE):
                log.warning("nobody takes results")


def predict(
    batch: Batch, predictor: Predictor | str, second: Predictor | str | None = None
) -> tuple[Result | Failed, ...]:
    """Every input's result, in the batch's order; an input that either predictor fails at has failed."""
    began = time.monotonic()
    failures: dict[int, str] = {}
    stages: dict[str, float] = {}
    outcomes = _outcomes(batch, predictor, failures, stages)
    compared: dict[int, Any] = {}
    if second is not None:
        with _clock(stages, "compare"):
            compared = _outcomes(batch, second, failures, {})
    shares = {stage: ms / len(batch.inputs) for stage, ms in stages.items()}
    return tuple(
        Failed(one.run, one.index, failures[position])
        if position in failures
        else _result(one, outcomes[position], compared.get(position), began, shares)
        for position, one in enumerate(batch.inputs)
    )


def _outcomes(
    batch: Batch, predictor: Predictor | str, failures: dict[int, str], stages: dict[str, float]
) -> dict[int, Any]:
    """One predictor's predictions by position; what fails is added to `failures`, times to `stages`."""
    if isinstance(predictor, str):
        failures.update(dict.fromkeys(range(len(batch.inputs)), predictor))
        return {}
    with _clock(stages, "preprocess"):
        fed = _feed(batch, predictor, failures)
    outcomes = _predict(batch, predictor, fed, failures)
    stages |= predictor.stages
    return outcomes


def _feed(batch: Batch, predictor: Predictor, failures: dict[int, str]) -> dict[int, Any]:
    fed = {}
    for position, one in enumerate(batch.inputs):
        try:
            fed[position] = predictor.feed(one.image if isinstance(one, FrameInput) else one)
        except Exception as error:
            failures[position] = _words(error, one)
    return fed


def _predict(
    batch: Batch, predictor: Predictor, fed: dict[int, Any], failures: dict[int, str]
) -> dict[int, Any]:
    """Predictions by position: all inputs together or, if that fails, each alone to find the bad ones."""
    if not fed:
        return {}
    try:
        return dict(zip(fed, predictor.predict(list(fed.values()), batch.options), strict=True))
    except Exception as error:
        if len(fed) == 1:
            (position,) = fed
            failures[position] = _words(error, batch.inputs[position])
            return {}
        outcomes: dict[int, Any] = {}
        for position, one in fed.items():
            outcomes |= _predict(batch, predictor, {position: one}, failures)
        return outcomes


def _words(error: Exception, one: Input) -> str:
    what = f"Frame {one.index}" if isinstance(one, FrameInput) else "The text"
    if isinstance(error, FrameError):
        return f"{what}: {error}"
    log.error("%s %d failed", type(one).__name__, one.index, exc_info=error)
    return f"{what} could not be predicted ({type(error).__name__}); the log says why."


def _result(one: Input, outcome: Any, second: Any, began: float, shares: dict[str, float]) -> Result:
    timing = {"queue": (began - one.since) * 1000, **shares}
    if not isinstance(one, FrameInput):
        return TextResult(one.run, one.index, outcome, _rounded(timing), one.since)
    timing = {"decode": one.decode_ms} | timing
    image = b""
    if one.image_width != 0:
        with _clock(timing, "jpeg"):
            image = encode_jpeg(one.image, one.image_width)
    return FrameResult(one.run, one.index, outcome, second, image, _rounded(timing), one.since, one.sequence)


def _rounded(timing: dict[str, float]) -> dict[str, float]:
    return {stage: round(ms, 3) for stage, ms in timing.items()}


@contextmanager
def _clock(stages: dict[str, float], stage: str) -> Iterator[None]:
    before = time.monotonic()
    yield
    stages[stage] = (time.monotonic() - before) * 1000
