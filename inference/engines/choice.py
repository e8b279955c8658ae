"""Which engine serves, and how it is opened: the one place where engines are told apart.

An engine's module is imported when it is needed, since each takes seconds or much memory.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from inference.engines import Engine, converted
from inference.engines.converted import Cache, CannotConvert
from inference.model_files import StoredModel

log = logging.getLogger(__name__)

Tell = Callable[[str], None]
"""Hears, in a few words, of work that takes long."""

_GPU_DEVICES = ("nvidia[0-9]*", "kfd", "dxg")
"""What stands in /dev where there is a GPU: of NVIDIA, of AMD, or Windows' own under WSL."""


def preferred(engine: str, precision: str) -> str:
    """The engine meant by --engine and --precision: auto is TensorFlow with a GPU, else OpenVINO."""
    if engine != "auto":
        return engine
    return "tensorflow" if precision == "exact" and _sees_gpu() else "openvino"


def _sees_gpu() -> bool:
    # TensorFlow knows, but takes seconds to import: only where there may be one is it asked
    if not any(True for name in _GPU_DEVICES for _ in Path("/dev").glob(name)):
        return False
    from inference.engines import tensorflow

    return tensorflow.sees_gpu()


def warm(engine: str) -> None:
    """Import an engine's library, so that the first model does not have to wait for it."""
    importlib.import_module(f"inference.engines.{engine}")


def opener(engine: str, cache: Cache, tell: Tell, *, or_tensorflow: bool = False) -> Callable[..., Engine]:
    """What opens a stored model with an engine, exactly.

    It is called with (model, threads=…, any_size=…, allow_model_code=…), and gives an Engine. With
    `or_tensorflow`, TensorFlow runs what OpenVINO cannot.
    """
    if engine == "tensorflow":
        return open_tensorflow
    return partial(_open_or_explain, cache, tell, or_tensorflow)


def open_tensorflow(model: StoredModel, *, threads: int, any_size: bool, allow_model_code: bool) -> Engine:
    """A stored model run by TensorFlow; ModelError if it cannot be loaded."""
    from inference.engines.tensorflow import TensorFlowEngine

    return TensorFlowEngine(model, threads=threads, any_size=any_size, allow_model_code=allow_model_code)


def open_openvino(
    cache: Cache,
    tell: Tell,
    model: StoredModel,
    *,
    threads: int,
    any_size: bool,
    allow_model_code: bool,
    precision: str = "exact",
) -> Engine:
    """A stored model run by OpenVINO, converted if it is not in the cache; ModelError if that cannot be."""
    from inference.engines.openvino import OpenVINOEngine

    return converted.convert(
        cache,
        model,
        any_size=any_size,
        allow_model_code=allow_model_code,
        tell=tell,
        read=partial(OpenVINOEngine, threads=threads, precision=precision),
    )


def _open_or_explain(
    cache: Cache, tell: Tell, or_tensorflow: bool, model: StoredModel, **options: Any
) -> Engine:
    """As `open_openvino`; for what cannot be converted, TensorFlow or a way out."""
    try:
        return open_openvino(cache, tell, model, **options)
    except CannotConvert as error:
        if not or_tensorflow:
            raise CannotConvert(f"{error} Or start with --engine tensorflow --precision exact.") from error
        log.warning("%s TensorFlow runs it.", error)
        return open_tensorflow(model, **options)
