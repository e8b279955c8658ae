"""A converted model's heads, which stay exact however coarsely the rest is computed.

What heads give is then not rounded to 16 or 8 bits. Of neighbouring cells of a confidence map many would be
equal otherwise, and none of them the greatest: the peak would be lost.
"""

from __future__ import annotations

import pathlib
from typing import Any
from xml.etree import ElementTree

_WEIGHTED = ("Convolution", "ConvolutionBackpropData", "GroupConvolution", "MatMul")


def is_weighted(node: Any) -> bool:
    """Whether a layer is one of those that make a network's cost."""
    return node.get_type_name() in _WEIGHTED


def head_layers(model: Any) -> set[str]:
    """Names of the layers from each output up to, and with, the first that has weights."""
    names = set()
    above = [result.input_value(0).get_node() for result in model.get_results()]
    while above:
        node = above.pop()
        if node.get_type_name() == "Constant" or node.get_friendly_name() in names:
            continue
        names.add(node.get_friendly_name())
        if not is_weighted(node):
            above += [value.get_node() for value in node.input_values()]
    return names


def keep_exact(file: pathlib.Path, layers: set[str]) -> None:
    """Mark layers in a saved model as not to be computed in fewer than 32 bits, whatever is asked for."""
    tree = ElementTree.parse(file)  # noqa: S314 - written here a moment ago
    for layer in tree.iter("layer"):
        if layer.get("name") in layers and layer.get("type") not in ("Parameter", "Result"):
            marks = layer.find("rt_info")
            if marks is None:
                marks = ElementTree.Element("rt_info")
                layer.insert(0 if layer.find("data") is None else 1, marks)
            ElementTree.SubElement(marks, "attribute", name="precise", version="0")
    tree.write(file)
