"""Pose models: confidence maps of body parts, and the peaks in them.

What is special about a model (SLEAP's or a plain one) is settled in `setup`; a frame's way through
`feed` and `predict` is the same for all. This module imports no inference library before `setup`.
"""

from __future__ import annotations

import pathlib
import re
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from inference import model_files, peaks, sleap_config
from inference.engines import Engine
from inference.errors import FrameError, ModelError
from inference.messages import Frame, ModelInfo, PoseOptions, PosePrediction
from inference.model_files import StoredModel
from inference.preparation import PlainPreparation, Preparation, Prepared, SleapPreparation
from inference.sleap_config import SleapConfig

Outputs = dict[str, npt.NDArray[np.float32]]

_MAP_HEADS = {
    "single_instance": "SingleInstanceConfmapsHead",
    "centroid": "CentroidConfmapsHead",
    "multi_instance": "MultiInstanceConfmapsHead",
    "multi_class_bottomup": "MultiInstanceConfmapsHead",
}
"""The heads of SLEAP models that look at whole frames, and the layer each one's maps come from."""

_OFFSET_HEAD = "OffsetRefinementHead"
_LIKE_CONFMAPS = re.compile(r"conf(idence)?[_-]?maps?", re.IGNORECASE)
_WARM_SIDE = 256


class PosePredictor:
    """A model whose confidence maps' peaks are keypoints, from frames to points in the video's pixels.

    After each `predict`, `stages` says in ms what its parts took for the whole batch.
    """

    def __init__(
        self,
        path: pathlib.Path,
        *,
        threads: int,
        allow_model_code: bool,
        open_engine: Callable[..., Engine] | None = None,
    ) -> None:
        """Name a model file or a folder that holds one; nothing is read yet.

        `open_engine(model, threads=…, any_size=…, allow_model_code=…)` gives the engine that runs it:
        TensorFlow's, unless another is named.
        """
        self._path = path
        self._open_engine = open_engine or _open_tensorflow
        self._threads = threads
        self._allow_model_code = allow_model_code
        self.stages: dict[str, float] = {}

    def setup(self) -> None:
        """Load the model, run it once, and check that it gives what is needed; else ModelError."""
        model = model_files.inspect(self._path, allow_model_code=self._allow_model_code)
        config = _read_sleap(model)
        self._engine = self._open_engine(
            model,
            threads=self._threads,
            any_size=config is not None,
            allow_model_code=self._allow_model_code,
        )
        channels = self._engine.input_shape[2]
        if channels not in (1, 3):
            raise ModelError(
                f"{model.name} takes images of {channels} channels; "
                "it has to take 1 (gray) or 3 (red, green, blue)."
            )
        self._preparation = _preparation(self._engine, config)
        outputs = self._warm(channels)
        self._maps, self._offsets = _choose_outputs(model.name, outputs, config)
        self._one_per_node = config is not None and config.head == "single_instance"
        self._info = _info(model, config, outputs[self._maps].shape[3])

    @property
    def info(self) -> ModelInfo:
        """Node names in the order of the map's channels, and edges; after `setup`."""
        return self._info

    def feed(self, raw: Frame) -> Prepared:
        """One frame, (height, width, 1 or 3) uint8, as the model's input; FrameError if it is none."""
        if raw.dtype != np.uint8 or raw.ndim != 3 or raw.shape[2] not in (1, 3) or raw.size == 0:
            raise FrameError(
                f"a frame has to be uint8 of shape (height, width, 1 or 3), "
                f"and is {raw.dtype} of shape {raw.shape}"
            )
        return self._preparation.prepare(raw)

    def predict(self, batch: Sequence[Prepared], options: PoseOptions) -> list[PosePrediction]:
        """The peaks of some fed frames of one video, in their order; FrameError if the model fails."""
        before = time.perf_counter()
        first = batch[0].image[np.newaxis]
        outputs = self._engine.run(first if len(batch) == 1 else np.stack([fed.image for fed in batch]))
        between = time.perf_counter()
        maps, offsets = outputs[self._maps], outputs[self._offsets] if self._offsets else None
        predictions = [
            self._prediction(fed, maps[i], None if offsets is None else offsets[i], options)
            for i, fed in enumerate(batch)
        ]
        after = time.perf_counter()
        self.stages = {"inference": (between - before) * 1000, "peaks": (after - between) * 1000}
        return predictions

    def _warm(self, channels: int) -> Outputs:
        """Run the model once on a black frame; where its size is free, on a sensible one."""
        height, width, _ = self._engine.input_shape
        black = np.zeros((height or _WARM_SIDE, width or _WARM_SIDE, channels), np.uint8)
        try:
            return self._engine.run(self._preparation.prepare(black).image[np.newaxis])
        except FrameError as error:
            raise ModelError(f"{self._path.name} cannot be run: {error}") from error

    def _prediction(
        self, fed: Prepared, maps: peaks.Map, offsets: peaks.Map | None, options: PoseOptions
    ) -> PosePrediction:
        find = peaks.global_peaks if self._one_per_node else peaks.local_peaks
        found = peaks.strongest(find(maps, min(options.floor, options.threshold)), options.threshold)
        if offsets is None:
            points = peaks.refine_integral(maps, found)
        else:
            points = peaks.refine_offsets(offsets, found)
        geometry = self._preparation.geometry(fed, maps.shape[:2])
        return PosePrediction(geometry.to_frame(points), found.values.astype(np.float64), found.channels)


def _open_tensorflow(model: StoredModel, **options: Any) -> Engine:
    # imported here: a process that loads no model needs no TensorFlow
    from inference.engines.tensorflow import TensorFlowEngine

    return TensorFlowEngine(model, **options)


def _read_sleap(model: StoredModel) -> SleapConfig | None:
    """The model's SLEAP configuration, if it has one; ModelError if it is of a kind that isn't run alone."""
    if model.sleap_config is None:
        return None
    name = model.sleap_config.name
    config = sleap_config.parse(model_files.read_json(model.sleap_config), name)
    if config.head not in _MAP_HEADS:
        raise ModelError(
            f"{model.name} is a SLEAP model of the kind {config.head}, which looks at crops around animals: "
            "it needs its centroid model to find them, and cannot be run alone. "
            "Running the two together is not possible yet."
        )
    return config


def _preparation(engine: Engine, config: SleapConfig | None) -> Preparation:
    height, width, channels = engine.input_shape
    if config is None:
        return PlainPreparation(channels, (height, width), engine.max_stride)
    deepest = config.max_stride or engine.max_stride
    return SleapPreparation(
        channels=channels,
        pad_stride=config.pad_to_stride if config.head == "centroid" else deepest,
        map_stride=config.confmap_stride,
        input_scaling=config.input_scaling,
        target=config.target,
    )


def _choose_outputs(name: str, outputs: Outputs, config: SleapConfig | None) -> tuple[str, str | None]:
    """The names of the confidence map and of its offsets (None: there are none)."""
    if config is None:
        return _plain_maps(name, outputs), None
    wanted = _MAP_HEADS[config.head]
    maps = next((output for output in outputs if wanted in output), None)
    if maps is None:
        raise ModelError(
            f"{name}: its training_config.json says {config.head}, so an output named {wanted} is needed; "
            f"it has {_listed(outputs)}."
        )
    if outputs[maps].ndim != 4:
        raise ModelError(_no_maps(name, outputs))
    return maps, next((output for output in outputs if _OFFSET_HEAD in output), None)


def _plain_maps(name: str, outputs: Outputs) -> str:
    candidates = [output for output, value in outputs.items() if value.ndim == 4]
    if len(candidates) > 1:
        candidates = [output for output in candidates if _LIKE_CONFMAPS.search(output)]
    if len(candidates) != 1:
        raise ModelError(_no_maps(name, outputs))
    return candidates[0]


def _no_maps(name: str, outputs: Outputs) -> str:
    return (
        f"{name} gives no confidence map: one output of shape (batch, height, width, channels) is needed, "
        f"or among several one named confmaps; it gives {_listed(outputs)}."
    )


def _listed(outputs: Outputs) -> str:
    shapes = {name: ", ".join(["batch", *map(str, value.shape[1:])]) for name, value in outputs.items()}
    return " and ".join(f"{name} of shape ({shape})" for name, shape in shapes.items())


def _info(model: StoredModel, config: SleapConfig | None, channels: int) -> ModelInfo:
    """Names and edges from wherever they are said; ModelError if their number isn't the map's."""
    if config is not None:
        said, nodes, edges = "training_config.json", config.nodes, config.edges
    elif model.skeleton is not None:
        said = model.skeleton.name
        nodes, edges = model_files.read_skeleton(model.skeleton)
    else:
        return ModelInfo(tuple(str(channel) for channel in range(channels)))
    if len(nodes) != channels:
        raise ModelError(
            f"{said} names {len(nodes)} nodes ({', '.join(nodes)}), but the confidence map of {model.name} "
            f"has {channels} channels: each node needs its own."
        )
    return ModelInfo(nodes, edges)
