"""The worker processes: started, told which models to load, watched, and started again when they die.

Not thread-safe by itself: its owner, the pipeline, calls it under its lock. It knows models and
processes, but neither runs nor frames; what it learns, it tells its `Listener`.
"""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from inference.catalog import ModelFile
from inference.child import Child
from inference.messages import (
    Claimed,
    Connect,
    Connected,
    Load,
    Loaded,
    LoadFailed,
    Loading,
    ModelInfo,
    Quit,
    Unload,
)

log = logging.getLogger(__name__)

DEATHS_PER_MODEL = 2
"""So many workers may die while they load a model; then it is the model."""
STARTS = 5
"""So many times in a row a worker may die before it takes work; then it is the machine."""


class Listener(Protocol):
    """Who is told what the pool learns."""

    def claimed(self, batch: int, worker: int) -> None:
        """A worker has taken a batch."""

    def worker_connected(self) -> None:
        """One more worker takes work."""

    def worker_died(self, worker: int, how: str) -> None:
        """A worker is dead."""

    def model_changed(self, model: Model) -> None:
        """A model is nearer to being ready, is ready, or has failed."""

    def pool_failed(self, reason: str) -> None:
        """No worker can be started any more."""


@dataclass
class Model:
    """A model that was asked for. `info` is known once it is ready."""

    file: ModelFile
    state: Literal["loading", "ready", "failed"] = "loading"
    info: ModelInfo | None = None
    message: str = ""
    deaths: int = 0
    users: int = 0
    last_used: float = 0.0
    ready_workers: int = 0


@dataclass
class _Worker:
    number: int
    child: Child
    connected: bool = False
    loading: str | None = None
    loaded: dict[str, ModelInfo] = field(default_factory=dict)


class Pool:
    """N workers and the models in them."""

    def __init__(
        self,
        start: Callable[[str], Child],
        n_servers: int,
        max_models: int,
        listener: Listener,
    ) -> None:
        self.n_servers = n_servers
        self.restarts = 0
        self.failure: str | None = None
        self._start = start
        self._max_models = max_models
        self._listener = listener
        self._numbers = itertools.count(1)
        self._workers: dict[int, _Worker] = {}
        self._models: dict[str, Model] = {}
        self._connect: Connect | None = None
        self._early_deaths = 0
        self._restart_at: list[float] = []

    # What others ask -----------------------------------------------------------------------------

    @property
    def connected(self) -> int:
        """How many workers take work."""
        return sum(worker.connected for worker in self._workers.values())

    @property
    def children(self) -> list[Child]:
        """The processes, to wait for news of."""
        return [worker.child for worker in self._workers.values()]

    def loaded_models(self) -> list[str]:
        """Names of the models that are ready."""
        return sorted(model.file.name for model in self._models.values() if model.state == "ready")

    # Orders --------------------------------------------------------------------------------------

    def start(self, models: Iterable[ModelFile]) -> None:
        """Start the workers; these models are loaded before they take work."""
        for file in models:
            self._models[file.key] = Model(file, last_used=time.monotonic())
        for _ in range(self.n_servers):
            self._start_worker()

    def connect(self, order: Connect) -> None:
        """Tell the workers, these and later ones, where work comes from and results go to."""
        self._connect = order
        for worker in self._workers.values():
            worker.child.tell(order)

    def use(self, file: ModelFile) -> Model:
        """Count one more user of a model, and have it loaded if it is not."""
        model = self._models.get(file.key)
        if model is None:
            model = self._models[file.key] = Model(file)
            for worker in self._workers.values():
                worker.child.tell(_load(file))
        model.users += 1
        model.last_used = time.monotonic()
        self._drop_least_used()
        return model

    def release(self, model: Model) -> None:
        """One user less."""
        model.users -= 1
        self._drop_least_used()

    def _drop_least_used(self) -> None:
        kept = [model for model in self._models.values() if model.state != "failed"]
        idle = sorted((model for model in kept if model.users == 0), key=lambda model: model.last_used)
        for model in idle[: max(0, len(kept) - self._max_models)]:
            del self._models[model.file.key]
            for worker in self._workers.values():
                worker.loaded.pop(model.file.key, None)
                worker.child.tell(Unload(model.file.key))

    # News ----------------------------------------------------------------------------------------

    def watch(self) -> None:
        """Act on all news of the workers, and start again those whose time has come."""
        for worker in list(self._workers.values()):
            # Asked first: what a dead worker said before its death is then heard, all of it.
            dead = not worker.child.alive()
            for news in worker.child.news():
                self._hear(worker, news)
            if dead:
                self._bury(worker)
        now = time.monotonic()
        due = [at for at in self._restart_at if at <= now]
        self._restart_at = [at for at in self._restart_at if at > now]
        for _ in due:
            self._start_worker()

    def _hear(self, worker: _Worker, news: Any) -> None:
        match news:
            case Claimed(batch):
                self._listener.claimed(batch, worker.number)
            case Connected():
                worker.connected = True
                self._early_deaths = 0
                self._listener.worker_connected()
                for model in list(self._models.values()):
                    self._check(model)
            case Loading(model):
                worker.loading = model
            case Loaded(key, info):
                worker.loading = None
                if key in self._models:
                    worker.loaded[key] = info
                    self._check(self._models[key])
            case LoadFailed(key, message):
                worker.loading = None
                if key in self._models:
                    self._fail(self._models[key], message)

    def _check(self, model: Model) -> None:
        """A model is ready once every worker that takes work has it: who gets a batch is not known."""
        key = model.file.key
        having = [worker for worker in self._workers.values() if worker.connected and key in worker.loaded]
        if model.state != "loading":
            return
        model.ready_workers = len(having)
        if having and len(having) == self.connected:
            model.state, model.info = "ready", having[0].loaded[key]
        self._listener.model_changed(model)

    def _fail(self, model: Model, message: str) -> None:
        if model.state != "failed":
            model.state, model.message = "failed", message
            self._listener.model_changed(model)

    def _bury(self, worker: _Worker) -> None:
        del self._workers[worker.number]
        how = worker.child.epitaph()
        worker.child.end(0)
        log.error("%s died (%s)", worker.child.name, how)
        self.restarts += 1
        if worker.loading in self._models:
            self._blame(self._models[worker.loading], how)
        elif not worker.connected:
            self._early_deaths += 1
        if self._early_deaths >= STARTS:
            self._give_up(how)
        else:
            delay = 0.0 if self._early_deaths == 0 else min(5.0, 0.1 * 2**self._early_deaths)
            self._restart_at.append(time.monotonic() + delay)
        self._listener.worker_died(worker.number, how)
        for model in list(self._models.values()):
            self._check(model)

    def _blame(self, model: Model, how: str) -> None:
        model.deaths += 1
        if model.deaths >= DEATHS_PER_MODEL:
            self._fail(
                model,
                f"{model.file.name} cannot be loaded: {model.deaths} worker processes died while they "
                f"loaded it ({how}).",
            )

    def _give_up(self, how: str) -> None:
        if self.failure is None:
            self.failure = (
                f"The workers cannot be started: {self._early_deaths} in a row died at their start ({how}). "
                "The log says more; start the program again when that is mended."
            )
            log.critical(self.failure)
            self._listener.pool_failed(self.failure)

    def _start_worker(self) -> None:
        number = next(self._numbers)
        child = self._start(f"worker-{number}")
        self._workers[number] = _Worker(number, child)
        for model in self._models.values():
            if model.state != "failed":
                child.tell(_load(model.file))
        if self._connect is not None:
            child.tell(self._connect)

    def ask_to_end(self) -> None:
        """Tell every worker to quit; `end` then waits for it."""
        for worker in self._workers.values():
            worker.child.tell(Quit())

    def end(self, patience: float) -> None:
        """Have every worker ended, within about `patience` s."""
        deadline = time.monotonic() + patience
        for worker in self._workers.values():
            worker.child.end(max(0.0, deadline - time.monotonic()))


def _load(file: ModelFile) -> Load:
    return Load(file.key, file.kind, str(file.path))
