"""What the child processes do: wiring of an actor to its channels, and nothing else.

What an actor needs is imported in its own function: the parent gets the producer's address the sooner.
"""

from __future__ import annotations

import importlib
import logging
import os
import queue
import socket
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING

from inference import looking
from inference.catalog import key_of
from inference.channels import Binding, Keys, Pipe, Receiver, Sender
from inference.engines import Engine, choice
from inference.engines.converted import Cache
from inference.errors import ModelError
from inference.logs import configure_log, stderr_to_log
from inference.messages import Bound, Connect, Dropped, Load, Loading
from inference.settings import Settings

if TYPE_CHECKING:
    from inference.predictors import Predictor

log = logging.getLogger(__name__)


def producer_main(
    connection: Connection, settings: Settings, port: socket.socket, keys: Keys, first_batch: int
) -> None:
    """Be the producer process: bind, tell where, produce. Batches are numbered from `first_batch`."""
    configure_log(settings.log_level)
    pipe = Pipe(connection)
    with Sender(Binding(port, keys, lambda peers: pipe.send(Dropped(0, peers)))) as outlet:
        pipe.send(Bound(outlet.endpoint))
        from inference.live import Sources
        from inference.producer import produce
        from inference.supply import Limits

        limits = Limits(
            settings.batch_size,
            settings.batch_wait,
            settings.window,
            settings.window_bytes,
            settings.batches_per_worker,
        )
        produce(pipe, outlet, limits, Sources(settings.sources), first_batch)


def worker_main(connection: Connection, settings: Settings) -> None:
    """Be a worker process: load models as told, connect when told, then predict until told to quit."""
    import cv2

    from inference.worker import Models, follow, listen, work

    configure_log(settings.log_level)
    # the engine has the cores: OpenCV would start a thread for each
    cv2.setNumThreads(1)
    pipe = Pipe(connection)
    engine = ""
    models = Models(lambda order: _open(order, settings, engine, pipe), pipe)
    orders: queue.SimpleQueue[object] = queue.SimpleQueue()
    go: queue.SimpleQueue[Connect] = queue.SimpleQueue()
    # _exit, since a thread in the middle of a prediction cannot be asked to end.
    _thread("listener", listen, pipe, orders, lambda: os._exit(0))
    if any(kind.has_engine for kind in settings.kinds):
        with stderr_to_log():
            engine = choice.preferred(settings.engine, settings.precision)
            choice.warm(engine)
    _thread("loader", follow, orders, models, go.put)
    order = go.get()
    with Receiver(order.work) as inbox, Sender(order.results) as outbox:
        work(inbox, outbox, pipe, models)


def _thread(name: str, target: object, *arguments: object) -> None:
    threading.Thread(target=target, args=arguments, name=name, daemon=True).start()  # type: ignore[arg-type]


def _cache(settings: Settings) -> Cache:
    return Cache(settings.cache, settings.cache_bytes)


def _opener(order: Load, settings: Settings, engine: str, pipe: Pipe) -> Callable[..., Engine]:
    """What opens a stored model with the engine, as exactly as asked for; ModelError if that is refused."""
    cache = _cache(settings)

    def tell(step: str) -> None:
        pipe.send(Loading(order.model, step))

    if order.video is None:
        return choice.opener(engine, cache, tell, or_tensorflow=settings.engine == "auto")
    from inference import vetting

    folder = vetting.vet(
        [Path(path) for path in order.paths],
        Path(order.video),
        settings.precision,
        cache=cache,
        allow_model_code=settings.allow_model_code,
        tell=tell,
    )
    return vetting.open_calibrated(cache, folder, settings.precision)


def _open(order: Load, settings: Settings, engine: str, pipe: Pipe) -> Predictor:
    """The predictor for a model, warm; ModelError if its file is not the one any more that was asked for."""
    paths = [Path(path) for path in order.paths]
    kind = next(kind for kind in settings.kinds if kind.name == order.kind)
    module, _, name = kind.predictor.partition(":")
    make = getattr(importlib.import_module(module), name)
    extra = {}
    if kind.reads_keras:
        looking.look(_cache(settings), paths, allow_model_code=settings.allow_model_code)
    if kind.has_engine:
        extra["open_engine"] = _opener(order, settings, engine, pipe)
    predictor: Predictor = make(
        *paths, threads=settings.threads_per_worker, allow_model_code=settings.allow_model_code, **extra
    )
    predictor.setup()
    # After loading, so that a file which is replaced in the middle is noticed too.
    if key_of(paths) != order.file_key:
        raise ModelError(
            f"{' + '.join(path.name for path in paths)} was changed or replaced while it was in use; "
            "start again to use it as it is now."
        )
    return predictor
