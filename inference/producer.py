"""The producer: makes the runs' inputs and deals batches of them to the workers.

One thread per run decodes a file, one per live source grabs, one takes orders, and the main thread does
everything else: it alone owns the books and the sockets. Forward only; two credits bound what is under
way: a run's window (given back when its viewer took an item) and the workers' capacity (given back when
a batch's results are in). A batch's inputs are kept until then, so that they can be sent again.

A run of a live source has no window: its frame is taken, the newest there is, when it can be sent at once.
While there is such a run, nothing waits at a worker: every batch, a file's or a text's too, has one input,
and no more are under way than there are workers.

A text has one piece under way; its state comes back with the results and is the next piece's input. Texts
of one model that can go on at the same time share a batch. Of such batches, too, no more are under way than
there are workers, and of a crowd only one: who has to wait then has company in the next one. Those that are
to be exact gain nothing by company, and have none.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from dataclasses import dataclass, replace
from typing import Any, Protocol

from inference.decoding import Decoder
from inference.live import Feed, Fresh, Sources
from inference.messages import (
    Batch,
    BeginRun,
    Capacity,
    CloseRun,
    Credit,
    EndOfStream,
    Finished,
    FrameInput,
    Input,
    Opened,
    OpenText,
    OpenVideo,
    Ping,
    Pong,
    Prompt,
    Quit,
    Resend,
    Sent,
    SourceStatus,
    TextOpened,
)
from inference.supply import FileSupply, Limits, LiveSupply, Supply, TextSupply

log = logging.getLogger(__name__)

CROWD = 4
"""So many texts are written faster in one batch than in two on as many cores, which share their memory."""
CLOSING = 0.3
"""Seconds that live sources have, at the program's end, to be let go of in good order."""


class Orders(Protocol):
    """Where the producer's orders come from and its news go to."""

    def send(self, message: Any) -> None:
        """Tell the pipeline something."""

    def receive(self) -> Any:
        """Wait for the next order; EOFError when there will be none."""


class Outlet(Protocol):
    """Where batches go."""

    def send(self, message: Any, timeout: float) -> bool:
        """Send a batch within `timeout` s; False if no worker takes it."""


@dataclass(frozen=True)
class _UnderWay:
    inputs: list[Input]
    shared: str | None
    """The model of texts that share it."""

    @property
    def of_text(self) -> bool:
        """Whether it is of texts."""
        return isinstance(self.inputs[0], Prompt)


class Producer:
    """The books of the producer: runs in turn, batches under way, credit."""

    def __init__(
        self, orders: Orders, outlet: Outlet, limits: Limits, sources: Sources, first_batch: int
    ) -> None:
        self._orders = orders
        self._outlet = outlet
        self._full_limits = limits
        self._live_limits = replace(limits, batch_size=1, texts=1)
        self._sources = sources
        self._inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._runs: dict[str, Supply] = {}
        self._under_way: dict[int, _UnderWay] = {}
        self._capacity = 0
        self._next_batch = first_batch
        self._quit = False

    def loop(self) -> None:
        """Work until told to quit or until the pipeline is gone."""
        threading.Thread(target=self._take_orders, name="orders", daemon=True).start()
        while not self._quit:
            self._handle_all(self._patience())
            while self._send_one():
                self._handle_all(0)
        for run in self._runs.values():
            run.close()
        self._sources.wait(CLOSING)

    def _take_orders(self) -> None:
        try:
            while True:
                order = self._orders.receive()
                if isinstance(order, Ping):
                    self._orders.send(Pong())
                else:
                    self._inbox.put(order)
        except (EOFError, OSError):
            self._inbox.put(Quit())

    @property
    def _live(self) -> bool:
        return any(run.begun and isinstance(run, LiveSupply) for run in self._runs.values())

    @property
    def _limits(self) -> Limits:
        return self._live_limits if self._live else self._full_limits

    @property
    def _room(self) -> int:
        """How many batches more may be sent."""
        return (self._workers if self._live else self._capacity) - len(self._under_way)

    @property
    def _workers(self) -> int:
        return self._capacity // self._limits.batches_per_worker

    def _patience(self) -> float | None:
        """How long nothing can be done unless something comes in (s; None: for ever)."""
        since = [run.waits_since() for run in self._runs.values()]
        waiting = [at for at in since if at is not None]
        if not waiting or self._room <= 0:
            return None
        return max(0.0, min(waiting) + self._limits.batch_wait - time.monotonic())

    def _handle_all(self, patience: float | None) -> None:
        try:
            self._handle(self._inbox.get(timeout=patience) if patience != 0 else self._inbox.get_nowait())
            while True:
                self._handle(self._inbox.get_nowait())
        except queue.Empty:
            pass

    def _handle(self, item: Any) -> None:
        match item:
            case FrameInput(name):
                if isinstance(run := self._runs.get(name), FileSupply):
                    run.fresh.append(item)
            case Fresh():
                pass  # it has woken the loop, which looks for itself
            case Credit(name, items):
                if name in self._runs:
                    self._runs[name].credit(items)
            case Finished(batch, states):
                self._under_way.pop(batch, None)
                for name, state in states:
                    if isinstance(run := self._runs.get(name), TextSupply):
                        run.go_on(state)
            case Capacity(batches):
                self._capacity = batches
            case Opened() | SourceStatus():
                self._orders.send(item)
            case EndOfStream(name):
                if name in self._runs:
                    self._runs[name].ended = True
                self._orders.send(item)
            case OpenVideo(name):
                self._runs[name] = self._open_live(item) if item.live else self._open_file(item)
            case OpenText(name):
                self._runs[name] = TextSupply.of(item, self._full_limits)
                self._orders.send(TextOpened(name))
            case BeginRun(name):
                if name in self._runs:
                    self._runs[name].begun = True
            case CloseRun(name):
                if name in self._runs:
                    self._runs.pop(name).close()
            case Resend():
                self._run_again(item)
            case Quit():
                self._quit = True

    def _open_file(self, order: OpenVideo) -> Supply:
        decoder = Decoder(order, self._full_limits.slots, self._inbox)
        decoder.start()
        names = (order.run, order.model)
        return FileSupply(*names, compare=order.compare, options=order.options, decoder=decoder)

    def _open_live(self, order: OpenVideo) -> Supply:
        feed = Feed(order.run, self._inbox.put)
        leave = self._sources.watch(order.path, feed)
        return LiveSupply(
            order.run,
            order.model,
            compare=order.compare,
            options=order.options,
            order=order,
            feed=feed,
            leave=leave,
            next=order.start,
        )

    def _run_again(self, order: Resend) -> None:
        lost = self._under_way.pop(order.batch, None)
        inputs = [] if lost is None else [one for one in lost.inputs if (one.run, one.index) in order.items]
        for name in dict.fromkeys(one.run for one in inputs):
            if name in self._runs:
                again = [one for one in inputs if one.run == name]
                self._runs[name].again.extend([[one] for one in again] if order.alone else [again])

    def _send_one(self) -> bool:
        """Send one batch of the run whose turn it is; False if there is nothing to send or no room."""
        if self._quit or self._room <= 0:
            return False
        limits, now = self._limits, time.monotonic()
        name = next((name for name, run in self._runs.items() if self._may_send(run, limits, now)), None)
        if name is None:
            return False
        run = self._take_turn(name)
        shared = run.model if isinstance(run, TextSupply) and run.shares else None
        inputs = run.take(limits)
        if shared is not None:
            inputs += self._company(shared, limits, now)
        batch, self._next_batch = self._next_batch, self._next_batch + 1
        self._under_way[batch] = _UnderWay(inputs, shared)
        self._orders.send(Sent(batch, tuple((one.run, one.index) for one in inputs)))
        message = Batch(batch, run.model, run.compare, run.options, tuple(inputs))
        while not self._outlet.send(message, timeout=0.05):
            # No worker takes anything at the moment; the order to quit must still be heard.
            self._handle_all(0)
            if not self._wanted(batch):
                self._under_way.pop(batch, None)
                return False
        return True

    def _may_send(self, run: Supply, limits: Limits, now: float) -> bool:
        if not run.ripe(limits, now):
            return False
        return not isinstance(run, TextSupply) or (
            self._texts_under_way < self._workers and not self._waits(run)
        )

    def _waits(self, run: TextSupply) -> bool:
        """Whether a text is better off in the next batch that its model's texts share than in its own."""
        if not run.shares or all(batch.shared != run.model for batch in self._under_way.values()):
            return False
        others = (other for other in self._runs.values() if isinstance(other, TextSupply))
        return sum(other.model == run.model and other.shares for other in others) >= CROWD

    @property
    def _texts_under_way(self) -> int:
        return sum(batch.of_text for batch in self._under_way.values())

    def _take_turn(self, name: str) -> Supply:
        """The run, which then is last in line: one batch each, in turn."""
        run = self._runs[name] = self._runs.pop(name)
        return run

    def _company(self, model: str, limits: Limits, now: float) -> list[Input]:
        """Pieces of other texts of a model that can be written together with a first one."""
        company: list[Input] = []
        for name, run in list(self._runs.items()):
            if len(company) + 1 == limits.texts:
                break
            if isinstance(run, TextSupply) and run.model == model and run.shares and run.ripe(limits, now):
                company += self._take_turn(name).take(limits)
        return company

    def _wanted(self, batch: int) -> bool:
        runs = {one.run for one in self._under_way[batch].inputs} if batch in self._under_way else set()
        return not self._quit and not runs.isdisjoint(self._runs)


def produce(orders: Orders, outlet: Outlet, limits: Limits, sources: Sources, first_batch: int) -> None:
    """Be the producer until told to quit; batches are numbered from `first_batch`."""
    Producer(orders, outlet, limits, sources, first_batch).loop()
