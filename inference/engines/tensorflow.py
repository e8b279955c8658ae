"""The TensorFlow engine: the only module that imports TensorFlow, Keras 3 and tf_keras (Keras 2).

Every format ends as the same thing: one TensorFlow function with its weights frozen into it, from a
float32 batch of any length to named float32 outputs. Keras is only needed on the way there.
"""

from __future__ import annotations

import json
import logging
import os
import pathlib
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

# the other libraries that Keras 3 could run on are not what its models here are made for
os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf
from tensorflow.python.framework import op_def_registry
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2
from tensorflow.python.saved_model import loader_impl

from inference import model_code
from inference.catalog import SAVED_MODEL, is_inside
from inference.engines import Image, Outputs, Shape
from inference.errors import FrameError, ModelError
from inference.model_files import Format, StoredModel

log = logging.getLogger(__name__)

Call = Callable[[Any], dict[str, Any]]

AT_ONCE = 16
"""Images that go through the model together: more would only cost memory."""

_PROBE_SIDES = (1920, 2048, 2016)
"""Sides of an image that common strides divide: 2 to 128 and 3, 5, 6, 10 the first, 7 the last."""

_PROBE_BATCH = 13
"""A batch length that no kernel's size equals, so that images are told from weights."""

_FOLDERS = re.compile(r"(?<![\w.:/<])/(?:[^\s/'\"]+/)+")
"""The folders of an absolute path, which are nobody's business but the log's."""

# Keras keeps global state while it builds, so models are loaded one at a time
_loading = threading.Lock()


class TensorFlowEngine:
    """A model of any format, run by TensorFlow on the GPU it finds, else on the processor."""

    def __init__(
        self, model: StoredModel, *, threads: int, any_size: bool = False, allow_model_code: bool = False
    ) -> None:
        """Load a model; ModelError says why it cannot be.

        `threads` processor threads compute one operation; the first engine of a process decides for all.
        With `any_size` the height and width in the model's own input are not binding.
        """
        with _loading:
            _configure(threads)
            try:
                call, self._spec = _load(model, any_size, safe=not allow_model_code)
                self._function, self._names = _frozen(call, self._spec)
                if not allow_model_code:
                    model_code.refuse_operations(model.name, _operations(self._function.graph.as_graph_def()))
                self._stride = _max_stride(self._function, self._spec)
            except ModelError:
                raise
            except Exception as error:
                log.exception("loading %s failed", model.path)
                raise ModelError(
                    f"{model.name} ({model.format.value}) cannot be loaded: {_line(error, model.path)}"
                ) from error

    @property
    def name(self) -> str:
        """The library and the numbers that it computes with."""
        return f"TensorFlow {tf.__version__}, float32"

    @property
    def input_shape(self) -> Shape:
        """(height, width, channels) of one image; None where any size will do."""
        _, height, width, channels = self._spec.shape
        return height, width, channels

    @property
    def output_names(self) -> tuple[str, ...]:
        """What `run`'s outputs are called."""
        return self._names

    @property
    def max_stride(self) -> int:
        """How often the model halves its input at the deepest, as a factor; 1 if its size is fixed."""
        return self._stride

    def frozen_graph(self) -> tuple[bytes, dict[str, str]]:
        """The model as a serialized GraphDef with its weights in it, and each output's tensor by name."""
        tensors = (tensor.name for tensor in self._function.outputs)
        graph = self._function.graph.as_graph_def()
        return graph.SerializeToString(), dict(zip(self._names, tensors, strict=True))

    def run(self, images: Sequence[Image]) -> Iterator[Outputs]:
        """Each image's raw outputs, computed some images at a time; FrameError if their size cannot be."""
        for start in range(0, len(images), AT_ONCE):
            some = images[start : start + AT_ONCE]
            try:
                outputs = self._function(tf.constant(np.stack(some)))
            except (tf.errors.OpError, ValueError) as error:
                size = f"{some[0].shape[1]} × {some[0].shape[0]} pixels"
                raise FrameError(f"the model cannot be run on {size}: {_line(error)}") from error
            arrays = [output.numpy() for output in outputs]
            for position in range(len(some)):
                yield {name: array[position] for name, array in zip(self._names, arrays, strict=True)}


def sees_gpu() -> bool:
    """Whether TensorFlow finds a GPU that it can use."""
    return bool(tf.config.list_physical_devices("GPU"))


def _configure(threads: int) -> None:
    """Set TensorFlow's threads, which is possible only before it has computed anything."""
    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        for gpu in tf.config.list_physical_devices("GPU"):
            # several workers share a GPU: none may take all of its memory at once
            tf.config.experimental.set_memory_growth(gpu, True)
    except RuntimeError:
        log.debug("TensorFlow has started already: its threads stay as they are")


def _load(model: StoredModel, any_size: bool, *, safe: bool) -> tuple[Call, Any]:
    """The model as a call from a batch to named outputs, and the batch's spec."""
    if model.format is Format.SAVED_MODEL:
        return _load_saved_model(model)
    keras = _keras(model.format)
    if any_size:
        loaded = keras.models.model_from_json(json.dumps(_freed(model.config)))
        loaded.load_weights(str(model.path))
    else:
        loaded = keras.models.load_model(str(model.path), compile=False, safe_mode=safe)
    if len(loaded.inputs) != 1:
        raise ModelError(f"{model.name} takes {len(loaded.inputs)} inputs; it has to take one image.")

    def call(batch: Any) -> dict[str, Any]:
        outputs = loaded(batch, training=False)
        if isinstance(outputs, dict):
            return outputs
        return dict(zip(loaded.output_names, tf.nest.flatten(outputs), strict=True))

    return call, _checked_spec(model.name, loaded.inputs[0])


def _keras(form: Format) -> Any:
    """The Keras that wrote a file; the two live beside each other in one process."""
    if form in (Format.H5_KERAS2, Format.ZIP_KERAS2):
        import tf_keras

        return tf_keras
    import keras

    return keras


def _load_saved_model(model: StoredModel) -> tuple[Call, Any]:
    """A SavedModel's serving signature: a graph, so that none of its Python is needed or run."""
    _check_saved_model(model)
    try:
        loaded = tf.saved_model.load(str(model.path))
    except Exception as error:
        if _weights_can_be_read(model.path / "variables"):
            raise
        log.exception("loading %s failed", model.path)
        raise ModelError(
            f"{model.name} cannot be loaded: its weights, in the folder variables beside it, are damaged or "
            "incomplete. Copy the whole SavedModel."
        ) from error
    signatures = loaded.signatures
    if len(signatures) != 1 and "serving_default" not in signatures:
        found = ", ".join(signatures) or "none"
        raise ModelError(f"{model.name} needs a signature named serving_default; it has {found}.")
    serve = signatures.get("serving_default") or next(iter(signatures.values()))
    inputs = serve.structured_input_signature[1]
    if len(inputs) != 1:
        raise ModelError(f"{model.name} takes {len(inputs)} inputs; it has to take one image.")
    ((key, spec),) = inputs.items()

    def call(batch: Any) -> dict[str, Any]:
        # the signature's variables live as long as what was loaded
        assert loaded is not None  # noqa: S101
        return dict(serve(**{key: batch}))

    return call, _checked_spec(model.name, spec)


def _check_saved_model(model: StoredModel) -> None:
    """Raise a ModelError if a SavedModel is none or incomplete, in plainer words than TensorFlow's."""
    try:
        graphs = loader_impl.parse_saved_model(str(model.path)).meta_graphs
    except OSError:
        graphs = []
    if not graphs:
        empty = (model.path / SAVED_MODEL).stat().st_size == 0
        found = "an empty file" if empty else "something else, or damaged"
        raise ModelError(
            f"{model.name} is no SavedModel: a graph written by TensorFlow is needed, and it is {found}."
        )
    if len(graphs) > 1:
        raise ModelError(f"{model.name} holds {len(graphs)} graphs; it has to hold one.")
    unknown = sorted(one for one in _operations(graphs[0].graph_def) if op_def_registry.get(one) is None)
    if unknown:
        raise ModelError(f"{model.name} needs the operation {unknown[0]}, which TensorFlow does not have.")
    variables = model.path / "variables"
    if graphs[0].HasField("object_graph_def") and not (
        (variables / "variables.index").is_file() and any(variables.glob("variables.data-*"))
    ):
        held = ", ".join(sorted(file.name for file in variables.glob("*"))[:3])
        raise ModelError(
            f"{model.name} is without its weights: beside it, a folder variables with variables.index and "
            f"variables.data-… is needed, and it {f'holds {held}' if held else 'is empty or not there'}. "
            "Copy the whole SavedModel."
        )
    for asset in graphs[0].asset_file_def:
        if not is_inside(model.path / "assets" / asset.filename, model.path.parent):
            raise ModelError(f"{model.name} needs a file {pathlib.PurePath(asset.filename).name} in assets.")


def _operations(graph: Any) -> set[str]:
    """The kinds of operations in a GraphDef and in its functions; a call of one of these is none."""
    functions = graph.library.function
    nodes = [*graph.node, *(node for function in functions for node in function.node_def)]
    return {node.op for node in nodes} - {function.signature.name for function in functions}


def _weights_can_be_read(folder: pathlib.Path) -> bool:
    """Whether a SavedModel's weights are whole, as far as their file's form tells; true if there are none."""
    if not folder.is_dir():
        return True
    try:
        weights = tf.train.load_checkpoint(str(folder / "variables"))
        for name in weights.get_variable_to_shape_map():
            weights.get_tensor(name)
    except (tf.errors.OpError, RuntimeError, ValueError, LookupError):
        return False
    return True


def _freed(config: Any) -> dict[str, Any]:
    """The configuration with every input's height and width left open."""
    freed: dict[str, Any] = json.loads(json.dumps(config))
    for layer in freed["config"]["layers"]:
        if layer["class_name"] == "InputLayer":
            key = next(key for key in ("batch_input_shape", "batch_shape") if key in layer["config"])
            layer["config"][key] = [None, None, None, layer["config"][key][3]]
    return freed


def _checked_spec(name: str, tensor: Any) -> Any:
    """The spec of a batch for a model's input, if that is an image."""
    shape, dtype = tuple(tensor.shape), tf.as_dtype(tensor.dtype)
    if len(shape) != 4 or shape[3] is None or not dtype.is_floating:
        raise ModelError(
            f"{name} takes {dtype.name} of shape {_words(shape)}; it has to take an image, float32 of "
            " shape (batch, height, width, channels)."
        )
    return tf.TensorSpec((None, *shape[1:]), tf.float32)


def _frozen(call: Call, spec: Any) -> tuple[Any, tuple[str, ...]]:
    """The call as one function with its weights as constants, and the names of its outputs in order.

    As fast as the function with variables, and it stands alone: Keras and its model can go, no thread
    of theirs is tied to it, and its graph can be looked at.
    """
    names: list[str] = []

    def flat(batch: Any) -> list[Any]:
        outputs = call(batch)
        names[:] = outputs
        return [tf.cast(output, tf.float32) for output in outputs.values()]

    traced = tf.function(flat, autograph=False).get_concrete_function(spec)
    return convert_variables_to_constants_v2(traced), tuple(names)


def _max_stride(frozen: Any, spec: Any) -> int:
    """The factor between the input's side and the smallest image on the way through the model."""
    _, height, width, channels = spec.shape
    if height is not None and width is not None:
        return 1
    axis = 1 if height is None else 2
    for side in _PROBE_SIDES:
        try:
            sides = _sides(frozen, (_PROBE_BATCH, height or side, width or side, channels), axis)
        except ValueError:
            continue  # a side that the model's own strides do not divide
        return max((round(side / pixels) for pixels in sides), default=1) or 1
    return 1


def _sides(frozen: Any, shape: tuple[int, ...], axis: int) -> list[int]:
    """How high (axis 1) or wide (2) the images inside a graph are, for an input of that shape.

    Nothing is computed: TensorFlow only works the shapes out. What pools to one pixel is left out.
    """
    with tf.Graph().as_default() as graph:
        image = tf.compat.v1.placeholder(tf.float32, shape)
        as_input = {frozen.inputs[0].name: image}
        tf.graph_util.import_graph_def(frozen.graph.as_graph_def(), input_map=as_input, name="probe")
    tensors = [out.shape for op in graph.get_operations() for out in op.outputs if out.shape.rank == 4]
    return [shape[axis] for shape in tensors if shape[0] == _PROBE_BATCH and shape[axis] not in (None, 1)]


def _words(shape: tuple[Any, ...]) -> str:
    return "(" + ", ".join("any" if side is None else str(side) for side in shape) + ")"


def _line(error: Exception, path: pathlib.Path | None = None) -> str:
    """The first line of an error, cut to a sentence's length and without folders: the log has it whole."""
    # Keras wraps an error of a nested layer into one for each layer around it; the innermost says why
    told = str(error).rpartition("Exception encountered: ")[2]
    if isinstance(error, KeyError) and " " not in told:
        told = f"{told} is missing in it"
    lines = [line.strip() for line in told.splitlines() if line.strip()]
    text = lines[0] if lines else type(error).__name__
    if path is not None:
        # by name first: a folder's name may hold blanks, where the pattern stops
        text = text.replace(str(path), path.name).replace(f"{path.parent}{os.sep}", "")
    text = _FOLDERS.sub("", text)
    return text if len(text) <= 200 else text[:200] + "…"
