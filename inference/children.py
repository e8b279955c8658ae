"""What the child processes do: wiring of an actor to its channels, and nothing else.

What an actor needs is imported in its own function: the parent gets the producer's address the sooner.
"""

from __future__ import annotations

import importlib
import logging
import os
import queue
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING

from inference.catalog import key_of
from inference.channels import Pipe, Receiver, Sender
from inference.errors import ModelError, PortInUse
from inference.logs import configure_log
from inference.messages import BindFailed, Bound, Connect, Load
from inference.settings import Settings

if TYPE_CHECKING:
    from inference.predictors import Predictor

log = logging.getLogger(__name__)


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
        from inference.live import Sources
        from inference.producer import Limits, produce

        limits = Limits(
            settings.batch_size,
            settings.batch_wait,
            settings.window,
            settings.window_bytes,
            settings.batches_per_worker,
        )
        produce(pipe, outlet, limits, Sources(settings.sources))


def worker_main(connection: Connection, settings: Settings) -> None:
    """Be a worker process: load models as told, connect when told, then predict until told to quit."""
    from inference.worker import Models, follow, listen, work

    configure_log(settings.log_level)
    pipe = Pipe(connection)
    models = Models(lambda order: _open(order, settings), pipe)
    orders: queue.SimpleQueue[object] = queue.SimpleQueue()
    go: queue.SimpleQueue[Connect] = queue.SimpleQueue()
    # _exit, since a thread in the middle of a prediction cannot be asked to end.
    _thread("listener", listen, pipe, orders, lambda: os._exit(0))
    for kind in settings.kinds:
        if kind.library is not None:
            with _stderr_to_log():
                importlib.import_module(kind.library)
    _thread("loader", follow, orders, models, go.put)
    order = go.get()
    with Receiver(connect=order.work) as inbox, Sender(connect=order.results) as outbox:
        work(inbox, outbox, pipe, models)


def _thread(name: str, target: object, *arguments: object) -> None:
    threading.Thread(target=target, args=arguments, name=name, daemon=True).start()  # type: ignore[arg-type]


@contextmanager
def _stderr_to_log() -> Iterator[None]:
    """Keep what a library's compiled code writes to stderr at import for those who log at debug level."""
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as said:
        os.dup2(said.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            said.seek(0)
            log.debug("said at import: %s", said.read().decode(errors="replace"))


def _open(order: Load, settings: Settings) -> Predictor:
    """The predictor for a model, warm; ModelError if its file is not the one any more that was asked for."""
    paths = [Path(path) for path in order.paths]
    dotted = next(kind.predictor for kind in settings.kinds if kind.name == order.kind)
    module, _, name = dotted.partition(":")
    make = getattr(importlib.import_module(module), name)
    predictor: Predictor = make(
        *paths, threads=settings.threads_per_worker, allow_model_code=settings.allow_model_code
    )
    predictor.setup()
    # After loading, so that a file which is replaced in the middle is noticed too.
    if key_of(paths) != order.file_key:
        raise ModelError(
            f"{' + '.join(path.name for path in paths)} was changed or replaced while it was in use; "
            "start again to use it as it is now."
        )
    return predictor
