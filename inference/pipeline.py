"""The pipeline: the one owner of processes, channels and runs.

It starts the producer, the workers and the collector once; every viewer gets a `Run` of them. Two
threads carry the news here, one of results (the collector), one of everything else (the watcher);
both work under one lock and only move words about: pixels never come through here, JPEGs do.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from multiprocessing import connection
from types import TracebackType
from typing import Any, Literal

from inference.catalog import ModelFile
from inference.channels import Binding, Receiver
from inference.child import Child
from inference.collector import collect
from inference.errors import PipelineError, PortInUse
from inference.ledger import Ledger
from inference.messages import (
    Answer,
    BeginRun,
    Capacity,
    CloseRun,
    Connect,
    Credit,
    EndOfStream,
    Endpoint,
    Failed,
    Finished,
    Opened,
    OpenText,
    OpenVideo,
    Result,
    RunDone,
    RunFailed,
    RunStatus,
    Sent,
    SourceStatus,
    TextOpened,
    TextResult,
    TextState,
)
from inference.metrics import Metrics
from inference.pool import Model, Pool
from inference.production import Production
from inference.reopening import Reopening
from inference.requests import Request
from inference.run import Run
from inference.settings import Settings

log = logging.getLogger(__name__)

TICK = 0.25
"""The watcher looks at clocks this often (s)."""
SLEPT = 1.0
"""If nobody was watched for so much longer (s), this process itself did not run."""
LOST_AFTER = 1.0
"""A batch that nobody claimed for so long (s) while all workers idle was lost on the way."""


@dataclass(frozen=True)
class Health:
    """How the pipeline is: `workers` take work, `models` are ready."""

    status: Literal["ready", "loading", "failed"]
    reason: str
    workers: int
    models: list[str]


class Pipeline:
    """Producer, workers and collector; a context manager that ends them all."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.metrics = Metrics(self)
        self._lock = threading.RLock()
        self._runs: dict[str, Run] = {}
        self._ledger = Ledger()
        self._stop = threading.Event()
        self._wake_out, self._wake_in = connection.Pipe(duplex=False)
        self._threads: list[threading.Thread] = []
        self._reopening = Reopening()
        self._looked = time.monotonic()
        self._results: Receiver | None = None
        self._work: Endpoint | None = None
        self._all_connected = False
        self._failure: str | None = None
        self._production = Production(settings, lambda: self._ledger.next_batch, self)
        self._pool = Pool(
            self._spawn_worker, settings.n_servers, settings.max_models, settings.time_limit, self
        )

    # Lifetime ------------------------------------------------------------------------------------

    def start(self, models: list[ModelFile]) -> None:
        """Start everything; these models are loaded first. Returns once all ports are bound.

        Raises PortInUse, which names the flag, and PipelineError.
        """
        try:
            self._results = Receiver(
                Binding(self.settings.consumer_send_port, refused=lambda peers: self.dropped(0, peers))
            )
        except PortInUse as error:
            raise _named(error, "-consumer_send_port") from error
        try:
            # The producer first: workers keep every core busy at their start.
            self._work = self._production.start()
        except PortInUse as error:
            raise _named(error, "-producer_send_port") from error
        # which video it will be, and so whether a model may be computed less exactly, is not known yet
        known = models if self.settings.precision == "exact" else []
        self._pool.start(known, Connect(self._work, self._results.endpoint))
        for name, target in (("collector", self._collect), ("watcher", self._watch)):
            thread = threading.Thread(target=target, name=name, daemon=True)
            thread.start()
            self._threads.append(thread)

    def _spawn_worker(self, name: str) -> Child:
        return Child(name, "inference.children:worker_main", self.settings)

    def close(self) -> None:
        """End every run, thread and process, within about 3 s."""
        if self._stop.is_set():
            return
        self._stop.set()
        with self._lock:
            for run in list(self._runs.values()):
                self._end_run(run, RunFailed("The program was stopped."))
        self._wake_in.send_bytes(b".")
        for thread in self._threads:
            thread.join(1)
        self._production.ask_to_end()
        self._pool.ask_to_end()
        self._pool.end(1)
        self._production.end(1)
        if self._results is not None:
            self._results.close()

    def __enter__(self) -> Pipeline:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # What viewers do -----------------------------------------------------------------------------

    def run(self, request: Request) -> Run:
        """Begin a run. Its first events tell what it waits for, then that it started, then items in order."""
        run = Run(request, self)
        with self._lock:
            if self._stop.is_set() or self._failure:
                run.put(RunFailed(self._failure or "The program is stopping."))
                return run
            self._runs[run.id] = run
            run.models = [self._pool.use(file) for file in request.files(self.settings.precision == "exact")]
            if self._production.bound and not self._reopening.busy:
                self._production.tell(_opening(run))
            else:
                self._reopening.add(run.id)
            self._look_at_models(run)
        return run

    def credit(self, run: Run, items: int) -> None:
        """A viewer took so many items."""
        with self._lock:
            if run.id in self._runs:
                run.progress.untaken -= items
                self._production.tell(Credit(run.id, items))

    def close_run(self, run: Run) -> None:
        """A viewer is gone, or has seen the end."""
        with self._lock:
            self._forget(run)

    def health(self) -> Health:
        """How the pipeline is."""
        with self._lock:
            connected, models = self._pool.connected, self._pool.loaded_models()
        total = self.settings.n_servers
        if self._failure:
            return Health("failed", self._failure, connected, models)
        if not self._all_connected or not connected:
            return Health("loading", f"{connected} of {total} workers are ready.", connected, models)
        reason = "" if connected == total else f"{connected} of {total} workers are ready; others restart."
        return Health("ready", reason, connected, models)

    @property
    def active_runs(self) -> int:
        """Number of runs that are not over."""
        return len(self._runs)

    @property
    def ready_workers(self) -> int:
        """Number of workers that take work."""
        with self._lock:
            return self._pool.connected

    @property
    def restarts(self) -> int:
        """Number of workers that had to be replaced."""
        return self._pool.restarts

    @property
    def producer_restarts(self) -> int:
        """Number of producers that had to be replaced."""
        return self._production.restarts

    @property
    def known_models(self) -> int:
        """Number of models that are loaded, being loaded, or remembered because they failed."""
        with self._lock:
            return self._pool.known_models

    @property
    def results(self) -> Endpoint:
        """Where the collector takes results."""
        if self._results is None:
            raise PipelineError("The pipeline is not started.")
        return self._results.endpoint

    @property
    def work(self) -> Endpoint:
        """Where the producer deals its batches."""
        if self._work is None:
            raise PipelineError("The pipeline is not started.")
        return self._work

    def processes(self) -> dict[str, int | None]:
        """Process id of every child by its name."""
        with self._lock:
            return {child.name: child.pid for child in self._pool.children + self._production.children}

    # Results: the collector's thread ---------------------------------------------------------------

    def _collect(self) -> None:
        assert self._results is not None  # noqa: S101 - opened by `start`, before this thread
        collect(self._results, self._on_answer, self.metrics.dropped, self._stop)

    def _on_answer(self, answer: Answer) -> None:
        with self._lock:
            items = [(one.run, one.index) for one in answer.items]
            if self._ledger.answered(answer.batch, items, time.monotonic()):
                self._production.tell(Finished(answer.batch, _states(answer)))
            for one in answer.items:
                run = self._runs.get(one.run)
                if run is not None and answer.batch >= run.first_batch:
                    self._deliver(run, one)

    def _deliver(self, run: Run, result: Result | Failed) -> None:
        if run.over:
            return
        if isinstance(result, Failed) and run.request.chained:
            # also of an item that its viewer has already: the next one is made from it
            self._end_run(run, RunFailed(result.message))
            return
        for item in run.ordering.push(result.index, result):
            self.metrics.item(item)
            run.progress.next = item.index + 1
            run.progress.untaken += not run.request.live
            if isinstance(item, Result):
                run.items += 1
                run.request.follow(item, run.progress)
            run.put(item)
            self._reopening.works(run.id)
        self._finish_if_complete(run)

    def _finish_if_complete(self, run: Run) -> None:
        if run.begun and not run.over and run.ordering.complete:
            end = RunDone(run.items) if run.error is None else RunFailed(run.error)
            self._end_run(run, end)

    # Everything else: the watcher's thread ---------------------------------------------------------

    def _watch(self) -> None:
        while not self._stop.is_set():
            with self._lock:
                children = self._pool.children + self._production.children
            waiting: list[Any] = [self._wake_out]
            for child in children:
                waiting += [child.pipe.connection, child.sentinel]
            connection.wait(waiting, timeout=TICK)
            try:
                with self._lock:
                    if not self._stop.is_set():
                        self._look_around()
            except Exception:
                log.exception("the watcher stumbled")
                time.sleep(TICK)

    def _look_around(self) -> None:
        self._excuse_sleep()
        self._production.watch()
        self._pool.watch()
        for worker in self._ledger.overdue(time.monotonic(), self.settings.time_limit):
            self._pool.end_hung(worker)
        self._reopen_next()
        for order in self._ledger.lost(time.monotonic() - LOST_AFTER):
            log.warning("batch %d was lost on the way and is sent again", order.batch)
            self._production.tell(order)

    def _excuse_sleep(self) -> None:
        """Do not count the time in which this process itself was stopped, or the whole machine."""
        now = time.monotonic()
        asleep, self._looked = now - self._looked - TICK, now
        if asleep > SLEPT:
            self._ledger.excuse(asleep)
            self._pool.excuse(asleep)

    def producer_said(self, news: Any) -> None:
        """Act on the producer's news (in the watcher's thread, under the lock)."""
        match news:
            case Sent(batch, items):
                order = self._ledger.sent(batch, items, time.monotonic())
                if order is not None:
                    self._production.tell(order)
                for run in {run for run, _ in items} - self._runs.keys():
                    self._ledger.forget(run)
            case Opened(run) | TextOpened(run):
                if run in self._runs:
                    self._hear_opened(self._runs[run], news)
            case SourceStatus(run, state, message):
                if run in self._runs:
                    self._runs[run].put(RunStatus(state, message))
                    # a source that cannot be opened has done the producer no harm
                    self._reopening.works(run)
            case EndOfStream(run):
                if run in self._runs:
                    self._hear_end(self._runs[run], news)

    def _hear_opened(self, run: Run, news: Opened | TextOpened) -> None:
        run.opened = run.opened or news
        if run.begun:
            self._production.tell(BeginRun(run.id))
        else:
            self._reopening.works(run.id)
            self._begin(run)

    def _hear_end(self, run: Run, news: EndOfStream) -> None:
        run.ordering.finish(news.end)
        run.error = news.error
        if run.opened is None:
            self._end_run(run, RunFailed(news.error or "The video could not be opened."))
        self._finish_if_complete(run)

    def _begin(self, run: Run) -> None:
        """Let the run's items go to the workers, once it is open and its models are ready."""
        infos = [model.info for model in run.models]
        if run.begun or run.over or run.opened is None or not all(infos):
            return
        run.begun = True
        run.put(run.request.started(run.id, run.opened, infos))
        self._production.tell(BeginRun(run.id))
        self._finish_if_complete(run)

    def _end_run(self, run: Run, event: RunDone | RunFailed) -> None:
        """Say a run's last word. Until the viewer closes it, nothing more is done for it."""
        run.over = True
        run.put(event)
        self._forget(run)

    def _forget(self, run: Run) -> None:
        if self._runs.pop(run.id, None) is None:
            return
        run.over = True
        self._ledger.forget(run.id)
        self._reopening.forget(run.id)
        self._production.tell(CloseRun(run.id))
        for model in run.models:
            self._pool.release(model)

    # A new producer (in the watcher's thread, under the lock) ------------------------------------------

    def producer_died(self, how: str) -> None:
        """Forget what it had; its runs are opened again once there is a new one."""
        self._ledger.abandon()
        given_up = self._reopening.died(self._runs)
        if given_up is not None:
            run = self._runs[given_up]
            self._end_run(run, RunFailed(run.request.lost(run.ordering.next, how)))
        message = f"The process that prepares the work died ({how}) and is replaced; it then goes on."
        for run in self._runs.values():
            run.put(RunStatus("restarting", message))
            if run.request.live:
                run.first_batch = self._ledger.next_batch
                run.ordering.drop_early()

    def producer_is_back(self) -> None:
        """Let it work for the workers that there are."""
        self._tell_capacity()

    def _reopen_next(self) -> None:
        """Open runs again, as far as they may be by now."""
        while self._production.bound and (name := self._reopening.next(time.monotonic())) is not None:
            run = self._runs[name]
            if run.replaced:
                sentence = f"{run.request.name} was changed or replaced while it was being read"
                self._end_run(run, RunFailed(f"{sentence}; start again to see it as it is now."))
                continue
            self._production.tell(_opening(run))
            if run.progress.untaken >= run.request.window(self.settings, run.opened):
                # it has to wait for its viewer before it can show that it works
                self._reopening.works(name)

    def production_failed(self, reason: str) -> None:
        """Nothing can be decoded any more."""
        self.pool_failed(reason)

    def _tell_capacity(self) -> None:
        self._production.tell(Capacity(self._pool.connected * self.settings.batches_per_worker))

    # What the pool tells (in the watcher's thread, under the lock) -----------------------------------

    def claimed(self, batch: int, worker: int, items: int) -> None:
        """A worker has taken a batch."""
        self._ledger.claimed(batch, worker, items, time.monotonic())

    def dropped(self, messages: int, peers: int) -> None:
        """Count what came over the sockets and was not ours (in any thread)."""
        self.metrics.dropped(messages)
        self.metrics.refused(peers)

    def worker_connected(self) -> None:
        """One more worker takes work."""
        self._all_connected = self._all_connected or self._pool.connected == self.settings.n_servers
        self._tell_capacity()

    def worker_died(self, worker: int, how: str, hung: bool) -> bool:
        """Have run again what the dead worker held, and give up what kills one worker after another."""
        self._tell_capacity()
        losses = self._ledger.died(worker, time.monotonic(), hung)
        for order in losses.resend:
            self._production.tell(order)
        for name, index in losses.given_up:
            if name in self._runs:
                run = self._runs[name]
                what = run.request.where(index).capitalize()
                why = f"{what} was given up: every worker process that had it died ({how})."
                self._deliver(run, Failed(name, index, why))
        message = f"A worker process died ({how}) and is replaced; what it had is run again."
        for name in losses.runs & self._runs.keys():
            self._runs[name].put(RunStatus("restarting", message))
        return losses.held

    def model_changed(self, model: Model) -> None:
        """Tell the runs which wait for a model how far it is."""
        for run in [run for run in self._runs.values() if model in run.models and not run.over]:
            self._look_at_models(run)

    def _look_at_models(self, run: Run) -> None:
        failed = next((model for model in run.models if model.state == "failed"), None)
        loading = next((model for model in run.models if model.state == "loading"), None)
        if failed is not None:
            self._end_run(run, RunFailed(failed.message))
        elif loading is not None:
            run.put(self._waiting_for(loading))
        else:
            self._begin(run)

    def _waiting_for(self, model: Model) -> RunStatus:
        total, connected = self.settings.n_servers, self._pool.connected
        if model.step:
            return RunStatus("loading", f"Loading {model.file.name}: {model.step}.")
        if connected == 0:
            return RunStatus("starting", f"Starting {_count(total, 'worker')} and loading {model.file.name}.")
        ready = f"{model.ready_workers} of {total} ready" if total > 1 else "a few seconds"
        return RunStatus("loading", f"Loading {model.file.name} into {_count(total, 'worker')} ({ready}).")

    def pool_failed(self, reason: str) -> None:
        """Nothing can be predicted any more: every run ends, and so does every new one."""
        self._failure = reason
        for run in list(self._runs.values()):
            self._end_run(run, RunFailed(reason))


def _opening(run: Run) -> OpenVideo | OpenText:
    """The order to open a run, where it is by now."""
    return run.request.opening(run.id, [model.key for model in run.models], run.progress)


def _states(answer: Answer) -> tuple[tuple[str, TextState], ...]:
    """Where the texts in an answer stand now, by their runs."""
    return tuple((one.run, one.piece.state) for one in answer.items if isinstance(one, TextResult))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _named(error: PortInUse, flag: str) -> PortInUse:
    return PortInUse(f"{flag}: {error}")
