"""Code inside model files: found without loading them, so that opening a stranger's model runs nothing.

Pure: it is given a configuration or a graph as data. Keras runs a Lambda layer's Python code while it
loads a file (Keras 2 even in its safe mode, from HDF5), and imports whatever module a configuration
names, so the configuration is looked at first. What is known to be harmless passes; all else is refused.
"""

from __future__ import annotations

import builtins
import re
from collections.abc import Iterator
from typing import Any

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
    r"py_|numpy_function|load|save|restore|read|write|file|print|assert|import|session|init_scope|^function$",
    re.IGNORECASE,
)

_IMPURE_OPS = {
    *("PyFunc", "PyFuncStateless", "EagerPyFunc", "ReadFile", "WriteFile", "MatchingFiles"),
    *("WriteRawProtoSummary", "WriteSummary", "DebugIdentityV2", "PrintV2", "LoadLibrary"),
}
"""Graph operations that run Python or touch files, none of which a saved pose model needs."""

_COMPILED = re.compile(r"(4[w-z]|Y[w-z])[A-Za-z0-9+/\n]{40,}=*\n?")
"""Base64 of marshalled bytes that begin with the mark of a code object, c, with or without its flag."""

_KERAS_MODULE = re.compile(
    r"(tensorflow\.(python\.)?|tf_)?keras"
    r"(\.(src|api|_tf_keras|engine|layers|models|initializers|regularizers|constraints|activations|losses"
    r"|metrics|optimizers|mixed_precision|dtype_policies|ops|random|quantizers)(\.[\w.]+)?)?"
)
_KERAS_TOOLBOX = re.compile(r"\.(utils|saving|export|datasets|callbacks|legacy_backend|testing)(\.|$)")


def refuse_in_config(name: str, config: dict[str, Any]) -> None:
    """Raise a ModelError if a Keras configuration holds code, however deep.

    `name` is the model's name for the message. The configuration of its training (losses, metrics) isn't
    looked at: models are loaded without it.
    """
    inner = {key: value for key, value in config.items() if key != "compile_config"}
    for node in _nodes(inner):
        found = _code_in(node) if isinstance(node, dict) else _code_text(node)
        if found:
            _refuse(name, found)


def refuse_in_graph(name: str, graph: bytes) -> None:
    """Raise a ModelError if a SavedModel's graph holds operations that run Python or touch files."""
    for operation in sorted(_IMPURE_OPS):
        # NodeDef.op is field 2, a string: tag, length, text. Enough to find it without TensorFlow
        if b"\x12" + bytes([len(operation)]) + operation.encode() in graph:
            _refuse(name, f"the operation {operation}")


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
    class_name = re.split(r"[>.]", str(node.get("class_name", "")))[-1]
    if class_name in _CODE_CLASSES:
        return _CODE_CLASSES[class_name]
    if node.get("function_type") in ("lambda", "raw"):
        return "a lambda function"
    inner = node.get("config")
    if class_name in _FUNCTION_LAYERS and isinstance(inner, dict):
        function = str(inner.get(_FUNCTION_LAYERS[class_name], ""))
        return None if _is_pure(function) else f"the TensorFlow function {function}"
    if class_name == "TensorFlowOpLayer":
        return _in_operation(inner)
    return _in_module(node, class_name)


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
    """A raw graph operation as a layer (TensorFlow 2.0 to 2.3): its definition is JSON or a text of it."""
    text = str(inner.get("node_def", "") if isinstance(inner, dict) else inner)
    return next((f"the operation {op}" for op in sorted(_IMPURE_OPS) if re.search(rf"\b{op}\b", text)), None)


def _in_module(node: dict[str, Any], class_name: str) -> str | None:
    """A class or function to be imported from somewhere that is not Keras."""
    module, target = node.get("module"), node.get("config") if class_name == "function" else class_name
    if module is None or "class_name" not in node:
        return None
    if module == "builtins" and not hasattr(builtins, str(target)):
        return None  # Keras writes this for its own functions, known by their name alone
    if _KERAS_MODULE.fullmatch(str(module)) and not _KERAS_TOOLBOX.search(str(module)):
        return None
    return f"{target} from the Python module {module}"


def _refuse(name: str, found: str) -> None:
    raise ModelError(
        f"{name} carries code of its own, which would run on this computer: {found}. "
        "If you trust where it comes from, start the app with --allow-model-code."
    )
