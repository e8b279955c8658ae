"""What the child processes do: wiring of an actor to its channels, and nothing else."""

from __future__ import annotations

import importlib
import os
import queue
import threading
from multiprocessing.connection import Connection
from pathlib import Path

from inference.channels import Pipe, Receiver, Sender
from inference.errors import PortInUse
from inference.logs import configure_log
from inference.messages import BindFailed, Bound, Connect, Load
from inference.predictors import Predictor
from inference.producer import Limits, produce
from inference.settings import Settings
from inference.worker import Models, listen, work


def producer_main(connection: Connection, settings: Settings) -> None:
    """Be the producer process: bind, tell the address, produce."""
    configure_log(settings.log_level)
    pipe = Pipe(connection)
    try:
        outlet = Sender(port=settings.producer_send_port)
    except PortInUse as error:
        pipe.send(BindFailed(str(error)))
        return
    with outlet:
        pipe.send(Bound(outlet.address))
        limits = Limits(settings.batch_size, settings.batch_wait, settings.window, settings.window_bytes)
        produce(pipe, outlet, limits)


def worker_main(connection: Connection, settings: Settings) -> None:
    """Be a worker process: load models as told, connect when told, then predict until told to quit."""
    configure_log(settings.log_level)
    pipe = Pipe(connection)
    models = Models(lambda order: _make(order, settings), pipe)
    go: queue.SimpleQueue[Connect] = queue.SimpleQueue()
    # _exit, since a thread in the middle of a prediction cannot be asked to end.
    listener = threading.Thread(
        target=listen, args=(pipe, models, go.put, lambda: os._exit(0)), name="orders", daemon=True
    )
    listener.start()
    order = go.get()
    with Receiver(connect=order.work) as inbox, Sender(connect=order.results) as outbox:
        work(inbox, outbox, pipe, models)


def _make(order: Load, settings: Settings) -> Predictor:
    dotted = next(kind.predictor for kind in settings.kinds if kind.name == order.kind)
    module, _, name = dotted.partition(":")
    make = getattr(importlib.import_module(module), name)
    predictor: Predictor = make(
        Path(order.path), threads=settings.threads_per_worker, allow_model_code=settings.allow_model_code
    )
    return predictor
