"""The OpenVINO engine: the only module that imports OpenVINO, but for those that make what it runs.

It runs what `converted.py` keeps, on the processor, an image at a time: on processors, batches were no
faster, and a size that is fixed is a tenth faster than one left open. So each image size is compiled when
it first comes, which takes some 50 ms.
"""

from __future__ import annotations

import json
import logging
import pathlib
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from importlib import metadata
from typing import Any

import numpy as np
import openvino
from openvino import properties
from openvino.properties import hint

from inference.engines import Image, Outputs, Shape
from inference.errors import FrameError, ModelError

log = logging.getLogger(__name__)

MODEL, INFO = "model.xml", "info.json"
"""The files of a converted model: OpenVINO's own (with a .bin beside it), and what it cannot hold."""

_VERSION = metadata.version("openvino")

_WORDS = {"f32": "float32", "bf16": "bfloat16", "f16": "float16"}

SIZES = 6
"""Image sizes that stay compiled; each holds its own intermediate images in memory."""

_SHORT = {"BF16": openvino.Type.bf16, "FP16": openvino.Type.f16}
"""What OpenVINO says of a processor that computes with numbers of 16 bits."""


def abilities() -> list[str]:
    """What the processor computes with, in OpenVINO's words: FP32, BF16, INT8 and the like."""
    able: list[str] = openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return able


class OpenVINOEngine:
    """A converted model, run by OpenVINO on the processor."""

    def __init__(self, folder: pathlib.Path, *, threads: int, precision: str = "exact") -> None:
        """Open a converted model's folder; ModelError if this processor has no numbers for `fast`.

        If not `exact`, layers compute in 16 bits where the processor can, but for those that were marked to
        stay exact, and those that the folder's model has in 8. Raises RuntimeError or OSError if the folder's
        files are damaged.
        """
        info = json.loads((folder / INFO).read_text())
        self._shape: Shape = tuple(info["input_shape"])
        self._stride: int = info["max_stride"]
        self._tensors: dict[str, str] = info["outputs"]
        self.folder = folder
        self._core = openvino.Core()
        self._model = self._core.read_model(folder / MODEL)
        number = openvino.Type.f32 if precision == "exact" else self._short()
        if precision == "fast" and number == openvino.Type.f32:
            raise ModelError(
                "This processor computes neither with bfloat16 nor with float16 numbers: fast would be no "
                "faster than exact. Start with --precision exact or int8."
            )
        self._name = (
            f"OpenVINO {_VERSION}, {'int8' if precision == 'int8' else _WORDS[number.get_type_name()]}"
        )
        self._settings = {
            hint.inference_precision(): number,
            properties.inference_num_threads(): threads,
            properties.num_streams(): 1,
            # several workers, each of which would pin its threads to the same cores
            hint.enable_cpu_pinning(): False,
        }
        self._compiled: OrderedDict[tuple[int, ...], Any] = OrderedDict()

    @property
    def name(self) -> str:
        """The library and the numbers that it computes with."""
        return self._name

    @property
    def input_shape(self) -> Shape:
        """(height, width, channels) of one image; None where any size will do."""
        return self._shape

    @property
    def output_names(self) -> tuple[str, ...]:
        """What `run`'s outputs are called."""
        return tuple(self._tensors)

    @property
    def max_stride(self) -> int:
        """What a free height or width has to be a multiple of, in pixels."""
        return self._stride

    def run(self, images: Sequence[Image]) -> Iterator[Outputs]:
        """Each image's raw outputs, which hold until the next's; FrameError if its size cannot be."""
        for image in images:
            try:
                request = self._request((1, *image.shape))
                request.infer({0: image[np.newaxis]}, share_inputs=True, share_outputs=True)
            except RuntimeError as error:
                log.debug("OpenVINO said: %s", error)
                size = f"{image.shape[1]} × {image.shape[0]} pixels"
                raise FrameError(f"the model cannot be run on {size}.") from error
            yield {name: request.get_tensor(tensor).data[0] for name, tensor in self._tensors.items()}

    def _request(self, shape: tuple[int, ...]) -> Any:
        """The model compiled for one shape, the least recently used given up for it."""
        if shape not in self._compiled:
            model = self._model.clone()
            model.reshape(list(shape))
            compiled = self._core.compile_model(model, "CPU", self._settings)
            self._compiled[shape] = compiled.create_infer_request()
            if len(self._compiled) > SIZES:
                self._compiled.popitem(last=False)
        self._compiled.move_to_end(shape)
        return self._compiled[shape]

    def _short(self) -> openvino.Type:
        """Numbers of 16 bits if the processor computes with them, else of 32."""
        able = abilities()
        return next((number for name, number in _SHORT.items() if name in able), openvino.Type.f32)
