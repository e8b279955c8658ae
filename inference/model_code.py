"""Code inside model files: found without loading them, so that opening a stranger's model runs nothing.

Pure: it is given a configuration or a graph as data. Keras runs a Lambda layer's Python code while it
loads a file (Keras 2 even in its safe mode, from HDF5), and imports whatever module a configuration
names, so the configuration is looked at first. What is known to be harmless passes; all else is refused.
"""

from __future__ import annotations

import builtins
import re
from collections.abc import Iterable, Iterator
from typing import Any

from inference import saved_graph
from inference.errors import ModelError

_CODE_CLASSES = {
    "Lambda": "a Lambda layer",
    "__lambda__": "a lambda function",
    "TFSMLayer": "a layer that loads another model (TFSMLayer)",
    "TorchModuleWrapper": "a layer of pickled code (TorchModuleWrapper)",
    "JaxLayer": "a layer of stored code (JaxLayer)",
    "FlaxLayer": "a layer of stored code (FlaxLayer)",
}

_FUNCTION_LAYERS = {"TFOpLambda": "function", "SlicingOpLambda": "function", "ClassMethod": "cls_symbol"}
"""Keras 2 layers that call a TensorFlow function by name, and where the name stands."""

_PURE_NAMESPACES = {"__operators__", "bitwise", "dtypes", "image", "linalg", "math", "nn", "random", "signal"}
_PURE_NAMESPACES |= {"keras.activations", "keras.backend", "RaggedTensor", "Tensor", "sparse", "strings"}
_IMPURE_FUNCTION = re.compile(
    r"py_|numpy_function|load|save|restore|read|write|file|print|assert|import|session|init_scope|^function$"
    r"|(^|\.)(enable|disable|set|reset)_",
    re.IGNORECASE,
)

_IMPURE_OPERATION = re.compile(
    # private to TensorFlow; Python; what a process prints, or dies of
    r"^_|Py[Ff]unc|Print|Abort|Heartbeat"
    # files: some have the path as an attribute
    r"|File|Reader|Dataset|Iterator|RecordInput|LMDB|Event|Summary|MemoryCache|Stats|ThreadPool"
    r"|Save|Restore|Checkpoint|^Load|Remap|^FixedUnigram|^ImmutableConst$|^(De|En)codeProto"
    # the debugger's, which write what they see to files and sockets
    r"|Debug|^Copy(Host)?$"
    # other processes, other devices, code of another compiler's
    r"|Send|Recv|Collective|Nccl|Remote|Session|Distributed|Infeed|Outfeed|T[Pp][Uu]|Xla|Mlir|Minibatch"
)
"""Graph operations that reach beyond the graph, none of which a saved pose model needs to give points."""

_SAVER_OPERATIONS = {"SaveV2", "RestoreV2", "MergeV2Checkpoints", "ShardedFilename"}
"""Every SavedModel has them, in functions that save and restore its weights and that nothing here calls."""

_COMPILED = re.compile(r"(4[w-z]|Y[w-z])[A-Za-z0-9+/\n]{40,}=*\n?")
"""Base64 of marshalled bytes that begin with the mark of a code object, c, with or without its flag."""

_KERAS_MODULE = re.compile(
    r"(tensorflow\.(python\.)?|tf_)?keras"
    r"(\.(src|api|_tf_keras|engine|layers|models|initializers|regularizers|constraints|activations|losses"
    r"|metrics|optimizers|mixed_precision|dtype_policies|ops|random|quantizers)(\.[\w.]+)?)?"
)
_KERAS_TOOLBOX = re.compile(r"\.(utils|saving|export|datasets|callbacks|legacy_backend|testing)(\.|$)")


def refuse_in_config(name: str, config: dict[str, Any]) -> None:
    """Raise a ModelError if a Keras configuration holds code, however deep; `name` is the model's."""
    for node in _nodes(config):
        found = _code_in(node) if isinstance(node, dict) else _code_text(node)
        if found:
            _refuse(name, found)


def refuse_in_saved_model(name: str, content: bytes) -> None:
    """Raise a ModelError if a SavedModel's operations reach beyond it, or if nobody can say what they are."""
    try:
        found = saved_graph.operations(content)
    except ValueError as error:
        raise ModelError(
            f"{name} is no SavedModel, or is damaged: a graph written by TensorFlow is needed ({error})."
        ) from error
    refuse_operations(name, (one.name for one in found if one.runs or one.name not in _SAVER_OPERATIONS))


def refuse_operations(name: str, operations: Iterable[str]) -> None:
    """Raise a ModelError if one of the operations that a model runs reaches beyond its graph."""
    for operation in sorted(operations):
        if reaches_out(operation):
            _refuse(name, f"the operation {operation}")


def reaches_out(operation: str) -> bool:
    """Whether a TensorFlow operation does more than compute from its inputs, judged by its name."""
    return _IMPURE_OPERATION.search(operation) is not None


def _nodes(config: Any) -> Iterator[dict[str, Any] | str]:
    """Every JSON object and text in a configuration, in no order; with a stack, as nesting may be deep."""
    stack = [config]
    while stack:
        node = stack.pop()
        if isinstance(node, str):
            yield node
        elif isinstance(node, dict):
            yield node
            stack.extend(node.values())
        elif isinstance(node, list):
            stack.extend(node)


def _code_in(node: dict[str, Any]) -> str | None:
    """What code this one object stands for, in words, or None."""
    # Keras 2 finds a class by either name
    names = [re.split(r"[>.]", str(node.get(key, "")))[-1] for key in ("class_name", "registered_name")]
    for name in names:
        if name in _CODE_CLASSES:
            return _CODE_CLASSES[name]
    if any(value in ("lambda", "raw") for key, value in node.items() if key.endswith("_type")):
        return "a lambda function"
    if isinstance(node.get("vocabulary"), str):
        return "a layer that reads its vocabulary from another file"
    for name in names:
        found = _in_function_layer(name, node.get("config"))
        if found:
            return found
    return _in_module(node)


def _in_function_layer(name: str, inner: Any) -> str | None:
    """What one of Keras 2's layers that call TensorFlow would call, if that is not known to be harmless."""
    config = inner if isinstance(inner, dict) else {}
    if name in _FUNCTION_LAYERS:
        function = str(config.get(_FUNCTION_LAYERS[name], ""))
        return None if _is_pure(function) else f"the TensorFlow function {function}"
    if name in ("InstanceMethod", "InstanceProperty") and str(config.get("attr_name", "_")).startswith("_"):
        return f"the Python attribute {config.get('attr_name')}"
    return _in_operation(inner) if name == "TensorFlowOpLayer" else None


def _code_text(text: str) -> str | None:
    """A lambda function is stored as compiled Python in base64, in some places with no other mark."""
    return "a lambda function" if _COMPILED.fullmatch(text) else None


def _is_pure(function: str) -> bool:
    """Whether a TensorFlow function computes from its arguments alone, judged by its public name."""
    function = re.sub(r"^(tf\.)?(compat\.v[12]\.)?", "", function)
    namespace = function.rpartition(".")[0]
    known = not namespace or namespace in _PURE_NAMESPACES or namespace.split(".")[0] in _PURE_NAMESPACES
    return known and not _IMPURE_FUNCTION.search(function)


def _in_operation(inner: Any) -> str | None:
    """A raw graph operation as a layer (TensorFlow 2.0 to 2.3): its definition as an object."""
    definition = inner.get("node_def") if isinstance(inner, dict) else None
    operation = definition.get("op") if isinstance(definition, dict) else None
    if not isinstance(operation, str):
        return "an operation that cannot be read"
    return f"the operation {operation}" if reaches_out(operation) else None


def _in_module(node: dict[str, Any]) -> str | None:
    """A class or function to be imported from somewhere that is not Keras."""
    module = node.get("module")
    if module is None or "class_name" not in node:
        return None
    target = str(node.get("config") if node["class_name"] == "function" else node["class_name"])
    if module == "builtins" and not hasattr(builtins, target):
        return None  # Keras writes this for its own functions, known by their name alone
    # a name with dots would lead out of the module that was looked at
    if "." not in target and _KERAS_MODULE.fullmatch(str(module)) and not _KERAS_TOOLBOX.search(str(module)):
        return None
    return f"{target} from the Python module {module}"


def _refuse(name: str, found: str) -> None:
    raise ModelError(
        f"{name} carries code of its own, which would run on this computer: {found}. "
        "If you trust where it comes from, start the app with --allow-model-code."
    )
