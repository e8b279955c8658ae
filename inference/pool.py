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
from inference.child import RETRY, Child, pause_after
from inference.messages import (
    Claimed,
    Connect,
    Connected,
    Dropped,
    Load,
    Loaded,
    LoadFailed,
    Loading,
    ModelInfo,
    Quit,
    TextInfo,
    Unload,
)

log = logging.getLogger(__name__)

LOADING_LIMITS = 20
"""A worker may take so many time limits for loading a model: it may have to be converted and tried before."""
DEATHS_PER_MODEL = 3
"""So many times in a row workers may die while they load a model; then it is the model."""
DEATHS_PER_PROVEN_MODEL = 10
"""The same for a model that a worker has loaded before."""
DEADLY_FOR = 60.0
"""A model that killed workers is not tried again for so long (s), however often it is asked for."""
STARTS = 5
"""So many times in a row a worker may die before it takes work; then it is the machine."""
BAD_LUCK = 30.0
"""Workers that are killed, not ending by themselves, are started again for so long (s) in any case."""


class Listener(Protocol):
    """Who is told what the pool learns."""

    def claimed(self, batch: int, worker: int, items: int) -> None:
        """A worker has taken a batch of so many items."""

    def dropped(self, messages: int, peers: int) -> None:
        """A worker got messages that were no work, or refused peers."""

    def worker_connected(self) -> None:
        """One more worker takes work."""

    def worker_died(self, worker: int, how: str, hung: bool) -> bool:
        """A worker is dead, or `hung` and was ended.

        Says whether it held work, which then is what killed it, if anything did.
        """

    def model_changed(self, model: Model) -> None:
        """A model is nearer to being ready, is ready, or has failed."""

    def pool_failed(self, reason: str) -> None:
        """No worker can be started any more."""


@dataclass
class Model:
    """A model that was asked for; `info` is known once it is ready.

    `key` is its own: late news of a model that was forgotten meanwhile are not taken for it.
    """

    key: str
    file: ModelFile
    state: Literal["loading", "ready", "failed"] = "loading"
    info: ModelInfo | TextInfo | None = None
    message: str = ""
    deaths: int = 0
    last_death: float = float("-inf")
    users: int = 0
    last_used: float = 0.0
    ready_workers: int = 0
    step: str = ""
    """What a worker does for it that takes long, in a few words."""


@dataclass
class _Worker:
    number: int
    child: Child
    invited: bool = False
    connected: bool = False
    hung: bool = False
    stuck: bool = False
    """Ended in the middle of loading, since it did not get on with that."""
    loading: str | None = None
    loading_since: float = 0.0
    loaded: dict[str, ModelInfo | TextInfo] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)


class Pool:
    """N workers and the models in them."""

    def __init__(
        self,
        start: Callable[[str], Child],
        n_servers: int,
        max_models: int,
        time_limit: float,
        listener: Listener,
    ) -> None:
        """`time_limit` (s): how long a worker may be silent; how long over a frame, the listener knows."""
        self.n_servers = n_servers
        self.restarts = 0
        self.failure: str | None = None
        self._start = start
        self._max_models = max_models
        self._time_limit = time_limit
        self._listener = listener
        self._numbers = itertools.count(1)
        self._workers: dict[int, _Worker] = {}
        self._models: dict[str, Model] = {}
        self._connect: Connect | None = None
        self._early_deaths = 0
        self._starting_since = 0.0
        self._ending = False
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

    @property
    def known_models(self) -> int:
        """How many models are loaded, being loaded, or remembered because they failed."""
        return len(self._models)

    def loaded_models(self) -> list[str]:
        """Names of the models that are ready."""
        return sorted(model.file.name for model in self._models.values() if model.state == "ready")

    # Orders --------------------------------------------------------------------------------------

    def start(self, models: Iterable[ModelFile], connect: Connect) -> None:
        """Start the workers; these models are loaded before they take work, as `connect` says."""
        self._connect = connect
        for file in models:
            self._add(file)
        for _ in range(self.n_servers):
            self._start_worker()

    def use(self, file: ModelFile) -> Model:
        """Count one more user of a model, and have it loaded if it is not."""
        model = next((model for model in self._models.values() if model.file == file), None)
        if model is None:
            model = self._add(file)
        model.users += 1
        model.last_used = time.monotonic()
        self._forget_some()
        return model

    def _add(self, file: ModelFile) -> Model:
        key = f"{file.key}#{next(self._numbers)}"
        model = self._models[key] = Model(key, file, last_used=time.monotonic())
        for worker in self._workers.values():
            worker.child.tell(_load(model))
        return model

    def release(self, model: Model) -> None:
        """One user less."""
        model.users -= 1
        self._forget_some()
        self._invite()

    def _forget_some(self) -> None:
        """Forget failed models, that they be tried again, and the least recently used of too many others."""
        now = time.monotonic()
        idle = [model for model in self._models.values() if model.users == 0]
        for model in idle:
            held_back = any(model.key in worker.refused for worker in self._workers.values())
            if held_back or (model.state == "failed" and now - model.last_death > DEADLY_FOR):
                self._forget(model)
        kept = [model for model in self._models.values() if model.state != "failed"]
        idle = sorted((model for model in kept if model.users == 0), key=lambda model: model.last_used)
        for model in idle[: max(0, len(kept) - self._max_models)]:
            self._forget(model)

    def _forget(self, model: Model) -> None:
        key = model.key
        del self._models[key]
        for worker in self._workers.values():
            worker.loaded.pop(key, None)
            worker.refused.pop(key, None)
            worker.child.tell(Unload(key))

    # News ----------------------------------------------------------------------------------------

    def watch(self) -> None:
        """Act on all news of the workers, and start again those whose time has come."""
        if self._ending:
            return
        for worker in list(self._workers.values()):
            # Asked first: what a dead worker said before its death is then heard, all of it.
            dead = not worker.child.alive()
            for news in worker.child.news():
                self._hear(worker, news)
            if dead:
                self._bury(worker)
            else:
                self._check_time(worker)
        now = time.monotonic()
        due = [at for at in self._restart_at if at <= now]
        self._restart_at = [at for at in self._restart_at if at > now]
        for at in due:
            try:
                self._start_worker()
            except OSError as error:
                log.error("a worker cannot be started: %s", error)
                self._restart_at.append(at + RETRY)

    def _check_time(self, worker: _Worker) -> None:
        worker.child.check(2 * self._time_limit)
        limit = LOADING_LIMITS * self._time_limit
        if worker.loading is not None and time.monotonic() - worker.loading_since > limit:
            worker.stuck = True
            worker.child.kill(f"it did not get on with loading a model for {limit:.0f} s")

    def excuse(self, seconds: float) -> None:
        """Nobody was watched for so long: nobody is blamed for that."""
        for worker in self._workers.values():
            worker.loading_since += seconds

    def end_hung(self, number: int) -> None:
        """End a worker that is overdue with its frames; what it held is then seen to as at a death."""
        if number in self._workers and not self._workers[number].hung:
            self._workers[number].hung = True
            self._workers[number].child.kill("it took longer for a frame than the time limit (--time-limit)")

    def _hear(self, worker: _Worker, news: Any) -> None:
        match news:
            case Claimed(batch, frames):
                self._listener.claimed(batch, worker.number, frames)
            case Dropped(messages, peers):
                self._listener.dropped(messages, peers)
            case Connected():
                worker.connected = True
                self._early_deaths = 0
                self._listener.worker_connected()
                self._check_all()
            case Loading(key, step):
                worker.loading, worker.loading_since = key, time.monotonic()
                if step and key in self._models:
                    self._models[key].step = step
                    self._check(self._models[key])
            case Loaded(key, info):
                worker.loading = None
                if key in self._models:
                    worker.loaded[key] = info
                    self._models[key].deaths = 0
                    self._check(self._models[key])
                self._invite()
            case LoadFailed(key, message):
                worker.loading = None
                if key in self._models:
                    worker.refused[key] = message
                    self._judge(self._models[key])
                self._forget_some()
                self._invite()

    def _invite(self) -> None:
        """Let workers take work that have every model in use: who gets a batch is not known before."""
        wanted = {key for key, model in self._models.items() if model.state != "failed"}
        for worker in self._workers.values():
            if self._connect is not None and not worker.invited and wanted <= worker.loaded.keys():
                worker.invited = True
                worker.child.tell(self._connect)

    def _judge(self, model: Model) -> None:
        """A model that a worker refuses has failed, unless others that take work have it already.

        Then its file was changed since: its runs go on without the new worker, which waits for their end.
        """
        key = model.key
        having = [worker for worker in self._workers.values() if worker.invited and key in worker.loaded]
        refusals = [worker.refused[key] for worker in self._workers.values() if key in worker.refused]
        if refusals and not (having and model.state == "ready"):
            self._fail(model, refusals[0])

    def _check_all(self) -> None:
        for model in list(self._models.values()):
            self._judge(model)
            self._check(model)

    def _check(self, model: Model) -> None:
        """A model is ready once every worker that was invited to take work has it."""
        if model.state != "loading":
            return
        key = model.key
        invited = [worker for worker in self._workers.values() if worker.invited]
        model.ready_workers = sum(key in worker.loaded for worker in self._workers.values())
        if self.connected and all(key in worker.loaded for worker in invited):
            model.state, model.info = "ready", invited[0].loaded[key]
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
        held_work = self._listener.worker_died(worker.number, how, worker.hung)
        if worker.loading in self._models:
            if not held_work:
                self._blame(self._models[worker.loading], worker, how)
        elif not worker.connected:
            self._early_deaths += 1
        now = time.monotonic()
        if self._early_deaths == 1:
            self._starting_since = now
        luck = worker.child.was_killed and now - self._starting_since < BAD_LUCK
        if self._early_deaths >= STARTS and not luck:
            self._give_up(how)
        else:
            delay = 0.0 if self._early_deaths == 0 else pause_after(self._early_deaths)
            self._restart_at.append(now + delay)
        self._check_all()
        self._invite()

    def _blame(self, model: Model, worker: _Worker, how: str) -> None:
        """Count a death in the middle of loading a model; deaths at the same time count once."""
        if worker.loading_since < model.last_death:
            return
        model.last_death = time.monotonic()
        model.deaths += 1
        most = DEATHS_PER_MODEL if model.info is None else DEATHS_PER_PROVEN_MODEL
        if model.deaths >= most or worker.stuck:
            self._fail(model, f"{model.file.name} cannot be loaded: the worker process died at that ({how}).")

    def _give_up(self, how: str) -> None:
        if self.failure is None:
            self.failure = (
                f"The workers cannot be started: one after the other died at its start ({how}). "
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
                child.tell(_load(model))
        self._invite()

    def ask_to_end(self) -> None:
        """Tell every worker to quit; `end` then waits for it."""
        self._ending = True
        for worker in self._workers.values():
            worker.child.tell(Quit())

    def end(self, patience: float) -> None:
        """Have every worker ended, within about `patience` s."""
        deadline = time.monotonic() + patience
        for worker in self._workers.values():
            worker.child.end(max(0.0, deadline - time.monotonic()))


def _load(model: Model) -> Load:
    file = model.file
    video = None if file.video is None else str(file.video)
    return Load(model.key, file.kind, tuple(map(str, file.paths)), file.key, video)
