"""One trained network: its file, its engine, its configuration, and how frames become its input.

What every kind of pose model needs before anything special about its kind. This module imports no
inference library: `open_engine` brings one.
"""

from __future__ import annotations

import dataclasses
import pathlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from inference import model_files, sleap_config
from inference.engines import Engine, Outputs
from inference.errors import FrameError, ModelError
from inference.images import Image
from inference.messages import ModelInfo
from inference.model_files import StoredModel
from inference.peaks import Map
from inference.predictors.stages import Stages
from inference.preparation import PlainPreparation, Preparation, SleapPreparation
from inference.sleap_config import SleapConfig

OpenEngine = Callable[..., Engine]

CROP_HEADS = ("centered_instance", "multi_class_topdown")
"""The kinds of SLEAP models that look at crops around animals."""

CONFMAPS = {
    "single_instance": "SingleInstanceConfmapsHead",
    "centroid": "CentroidConfmapsHead",
    "centered_instance": "CenteredInstanceConfmapsHead",
    "multi_instance": "MultiInstanceConfmapsHead",
    "multi_class_bottomup": "MultiInstanceConfmapsHead",
    "multi_class_topdown": "CenteredInstanceConfmapsHead",
}
"""The layer that the confidence maps of each kind come from."""

OFFSETS = "OffsetRefinementHead"
PAFS = "PartAffinityFieldsHead"
CLASS_MAPS = "ClassMapsHead"
CLASS_VECTORS = "ClassVectorsHead"

_NEEDED = {"multi_instance": PAFS, "multi_class_bottomup": CLASS_MAPS, "multi_class_topdown": CLASS_VECTORS}
"""What a kind needs beside its confidence maps."""

_SLEAP_LAYERS = (*CONFMAPS.values(), PAFS, CLASS_MAPS, CLASS_VECTORS)
_PLAIN_CONFMAPS = re.compile(r"conf(idence)?[_-]?maps?", re.IGNORECASE)
_PLAIN_PAFS = re.compile(r"pafs?$|part[_-]?affinity", re.IGNORECASE)
_WARM_SIDE = 256


@dataclass(frozen=True)
class Heads:
    """The names of a network's outputs by what they are; None where it has none."""

    confmaps: str
    offsets: str | None = None
    pafs: str | None = None
    classes: str | None = None


@dataclass(frozen=True)
class FrameOutputs:
    """What a network gives for one image: maps, each (height, width, channels) float32, None where it
    has none.

    `classes` is a map, or of a network that looks at crops one vector, (classes,).
    """

    confmaps: Map
    offsets: Map | None
    pafs: Map | None
    classes: npt.NDArray[np.float32] | None


class Network:
    """A loaded network that has run once, and was found to give what its kind needs."""

    def __init__(
        self, path: pathlib.Path, *, threads: int, allow_model_code: bool, open_engine: OpenEngine
    ) -> None:
        """Load the model at a path and warm it up; ModelError says why that cannot be."""
        model = model_files.inspect(path, allow_model_code=allow_model_code)
        self.name = model.name
        self.config = _read_sleap(model)
        self._engine = open_engine(
            model, threads=threads, any_size=self.config is not None, allow_model_code=allow_model_code
        )
        if self._engine.input_shape[2] not in (1, 3):
            raise ModelError(
                f"{model.name} takes images of {self._engine.input_shape[2]} channels; "
                "it has to take 1 (gray) or 3 (red, green, blue)."
            )
        if self.config is None and model.companion is None:
            _refuse_without_config(model.name, self._engine.output_names)
        self.preparation = _preparation(self._engine, self.config)
        outputs = self._warm()
        self.heads = _heads(model.name, outputs, self.config)
        info = _info(model, self.config, outputs, self.heads)
        self.info = dataclasses.replace(info, engine=self._engine.name)
        if self.config is not None:
            _check_channels(model.name, self.config, outputs, self.heads)

    @property
    def kind(self) -> str | None:
        """The kind of a SLEAP model (see `sleap_config.HEADS`); None for a plain one."""
        return self.config.head if self.config else None

    @property
    def channels(self) -> int:
        """1 (gray) or 3 (red, green, blue)."""
        return self._engine.input_shape[2]

    def run(self, images: Sequence[Image], stages: Stages) -> Iterator[FrameOutputs]:
        """What comes out for each of some prepared images of one size, FrameError if the engine fails.

        Each holds until the next is asked for (see `Engine.run`); the time that it takes is told to `stages`.
        """
        outputs = self._engine.run(images)
        for _ in images:
            with stages("inference"):
                one = next(outputs)
            yield FrameOutputs(
                one[self.heads.confmaps],
                *(
                    None if name is None else one[name]
                    for name in (self.heads.offsets, self.heads.pafs, self.heads.classes)
                ),
            )

    def _warm(self) -> Outputs:
        """Run the model once on a black frame; where its size is free, on a sensible one."""
        height, width, channels = self._engine.input_shape
        side = (self.config.crop_size if self.config else None) or _WARM_SIDE
        black = np.zeros((height or side, width or side, channels), np.uint8)
        try:
            return next(self._engine.run([self.preparation.prepare(black).image]))
        except FrameError as error:
            raise ModelError(f"{self.name} cannot be run: {error}") from error


def _read_sleap(model: StoredModel) -> SleapConfig | None:
    if model.sleap_config is None:
        return None
    name = model.sleap_config.name
    config = sleap_config.parse(model_files.read_json(model.sleap_config), name)
    if config.head in CROP_HEADS and config.crop_size is None:
        raise ModelError(
            f"{name} of {model.name} has no crop_size, which a {config.head} model needs: the side of its "
            "crops in px, in data, instance_cropping."
        )
    return config


def _refuse_without_config(name: str, outputs: Sequence[str]) -> None:
    """A SLEAP model without its configuration would run as a plain one, and give wrong points."""
    found = [output for output in outputs if any(layer in output for layer in _SLEAP_LAYERS)]
    if found:
        raise ModelError(
            f"{name} is a SLEAP model (it has {' and '.join(found)}), "
            "and its training_config.json is missing: "
            "put both into one folder in the models folder."
        )


def _preparation(engine: Engine, config: SleapConfig | None) -> Preparation:
    height, width, channels = engine.input_shape
    if config is None:
        return PlainPreparation(channels, (height, width), engine.max_stride)
    deepest = config.max_stride or engine.max_stride
    pads = {"centroid": config.pad_to_stride, **dict.fromkeys(CROP_HEADS, 1)}
    is_crop = config.head in CROP_HEADS
    return SleapPreparation(
        channels=channels,
        pad_stride=pads.get(config.head, deepest),
        map_stride=config.confmap_stride,
        # crops are cut from the frame after it was matched and scaled
        input_scaling=1.0 if is_crop else config.input_scaling,
        target=None if is_crop else config.target,
    )


def _heads(name: str, outputs: Outputs, config: SleapConfig | None) -> Heads:
    if config is None:
        return _plain_heads(name, outputs)

    def find(layer: str) -> str | None:
        return next((output for output in outputs if layer in output), None)

    wanted = CONFMAPS[config.head]
    confmaps = find(wanted)
    if confmaps is None and config.head == "multi_class_topdown":
        confmaps = find("InstanceConfmapsHead")
    needed = _NEEDED.get(config.head)
    if confmaps is None or (needed is not None and find(needed) is None):
        raise ModelError(
            f"{name}: its training_config.json says {config.head}, so an output named "
            f"{wanted if confmaps is None else needed} is needed; it has {_listed(outputs)}."
        )
    if outputs[confmaps].ndim != 3:
        raise ModelError(_no_maps(name, outputs))
    return Heads(confmaps, find(OFFSETS), find(PAFS), find(CLASS_MAPS) or find(CLASS_VECTORS))


def _plain_heads(name: str, outputs: Outputs) -> Heads:
    maps = [output for output, value in outputs.items() if value.ndim == 3]
    candidates = maps
    if len(maps) > 1:
        candidates = [output for output in maps if _PLAIN_CONFMAPS.search(output)]
    if len(candidates) != 1:
        raise ModelError(_no_maps(name, outputs))
    pafs = [output for output in maps if output not in candidates and _PLAIN_PAFS.search(output)]
    return Heads(candidates[0], pafs=pafs[0] if len(pafs) == 1 else None)


def _no_maps(name: str, outputs: Outputs) -> str:
    return (
        f"{name} gives no confidence map: one output of shape (batch, height, width, channels) is needed, "
        f"or among several one named confmaps; it gives {_listed(outputs)}."
    )


def _listed(outputs: Outputs) -> str:
    shapes = {name: ", ".join(["batch", *map(str, value.shape)]) for name, value in outputs.items()}
    return " and ".join(f"{name} of shape ({shape})" for name, shape in shapes.items())


def _check_channels(name: str, config: SleapConfig, outputs: Outputs, heads: Heads) -> None:
    """Raise a ModelError where the configuration names other numbers of things than the outputs have."""
    for head, said, per_item, items in (
        (heads.offsets, "keypoints", 2, config.nodes),
        (heads.pafs, "edges", 2, config.edges),
        (heads.classes, "classes", 1, config.classes),
    ):
        if head is not None and outputs[head].shape[-1] != per_item * len(items):
            raise ModelError(
                f"{name}: its training_config.json names {len(items)} {said}, so {head} needs "
                f"{per_item * len(items)} channels; it has {outputs[head].shape[-1]}."
            )


def _info(model: StoredModel, config: SleapConfig | None, outputs: Outputs, heads: Heads) -> ModelInfo:
    """Names and edges from wherever they are said; ModelError if their number isn't the map's."""
    channels = outputs[heads.confmaps].shape[2]
    layers = ("confmaps", "pafs") if heads.pafs else ("confmaps",)
    if config is not None:
        many = config.head != "single_instance"
        info = ModelInfo(config.nodes, config.edges, config.symmetries, config.classes, many, layers)
        said = "training_config.json"
    elif model.companion is not None:
        nodes, edges = model_files.read_skeleton(model.companion)
        grouped = heads.pafs is not None and outputs[heads.pafs].shape[2] == 2 * len(edges)
        info = ModelInfo(nodes, edges, many=grouped, layers=layers)
        said = model.companion.name
        if heads.pafs and not grouped:
            raise ModelError(
                f"{said} names {len(edges)} edges, so {heads.pafs} of {model.name} needs {2 * len(edges)} "
                f"channels, x and y of each; it has {outputs[heads.pafs].shape[2]}."
            )
    else:
        return ModelInfo(tuple(str(channel) for channel in range(channels)), layers=layers)
    if len(info.nodes) != channels:
        raise ModelError(
            f"{said} names {len(info.nodes)} nodes ({', '.join(info.nodes)}), but the confidence map of "
            f"{model.name} has {channels} channels: each node needs its own."
        )
    return info
