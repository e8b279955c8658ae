"""`python -m inference.engines.conversion FOLDER`: makes of a model's file what OpenVINO runs.

A program of its own, so that whoever needs it (`converted.py`) keeps none of TensorFlow's memory, and a
crash in there is an exit status. The folder holds the order; OpenVINO's files and `info.json` are written
beside it.

TensorFlow's frozen graph goes through a file: OpenVINO reads that by itself, without TensorFlow's Python.
"""

from __future__ import annotations

import json
import pathlib
import sys
import traceback
from typing import Any

import numpy as np
import openvino

from inference.engines import Image, Outputs
from inference.engines.converted import CannotConvert, ordered
from inference.engines.heads import head_layers, keep_exact
from inference.engines.openvino import INFO, MODEL, OpenVINOEngine
from inference.engines.tensorflow import TensorFlowEngine
from inference.errors import FrameError
from inference.model_files import Format, StoredModel

_GRAPH = "graph.pb"
_SIDE = 160
"""Side (px) of the image that both engines are tried on, where any will do."""
_TOLERANCE = 1e-3


def main(folder: pathlib.Path) -> int:
    """Convert as the order in a folder says, into that folder; gives the exit status."""
    with ordered(folder) as order:
        follow(order, folder)
    return 0


def follow(order: dict[str, Any], folder: pathlib.Path) -> None:
    """Do as an order says."""
    path, form = pathlib.Path(order["path"]), Format[order["format"]]
    model = StoredModel(path, order["name"], form, order["config"])
    convert(model, folder, any_size=order["any_size"], allow_model_code=order["allow_model_code"])


def convert(stored: StoredModel, folder: pathlib.Path, *, any_size: bool, allow_model_code: bool) -> None:
    """Write a model as OpenVINO's into a folder.

    ModelError if it cannot be loaded, CannotConvert if OpenVINO cannot run it. Both engines then run it
    on the same noise: OpenVINO's has to give what TensorFlow's does.
    """
    engine = TensorFlowEngine(stored, threads=1, any_size=any_size, allow_model_code=allow_model_code)
    graph, tensors = engine.frozen_graph()
    (folder / _GRAPH).write_bytes(graph)
    try:
        model = openvino.convert_model(folder / _GRAPH)
    except Exception as error:
        traceback.print_exc()
        raise CannotConvert(f"{stored.name} cannot be converted for OpenVINO.") from error
    openvino.save_model(model, folder / MODEL, compress_to_fp16=False)
    (folder / _GRAPH).unlink()
    keep_exact(folder / MODEL, head_layers(model))
    info = {"input_shape": engine.input_shape, "max_stride": engine.max_stride, "outputs": tensors}
    (folder / INFO).write_text(json.dumps(info))
    noise = _noise(engine)
    try:
        converted = OpenVINOEngine(folder, threads=1)
        difference = _difference(next(engine.run([noise])), next(converted.run([noise])))
    except FrameError:
        traceback.print_exc()
        difference = float("inf")
    if not difference < _TOLERANCE:
        raise CannotConvert(
            f"{stored.name} cannot be run by OpenVINO: it computes something else than TensorFlow "
            f"(by {difference:.2g} of the largest value)."
        )


def _noise(engine: TensorFlowEngine) -> Image:
    height, width, channels = engine.input_shape
    side = -(-_SIDE // engine.max_stride) * engine.max_stride
    return np.random.default_rng(0).random((height or side, width or side, channels), np.float32)


def _difference(first: Outputs, second: Outputs) -> float:
    """The largest difference as a share of the largest value of that output."""
    return max(
        float(
            np.abs(first[name] - second[name]).max(initial=0) / max(np.abs(first[name]).max(initial=0), 1e-6)
        )
        for name in first
    )


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1])))
