"""What a SLEAP model's `training_config.json` says: which kind it is, its skeleton, and its sizes.

Pure: it is given the parsed JSON. Only what inference needs is kept, checked, in a small frozen dataclass.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from inference.errors import ModelError

HEADS = (
    "single_instance",
    "centroid",
    "centered_instance",
    "multi_instance",
    "multi_class_bottomup",
    "multi_class_topdown",
)

_SHOWN = 200
"""Characters of what is wrong that an error repeats."""

_SYMMETRY = 2
"""SLEAP's number for a link that says "these two mirror each other"; 1 is an edge of the body."""


@dataclass(frozen=True)
class SleapConfig:
    """A SLEAP model's kind and sizes.

    `head` is one of HEADS. `nodes` are the keypoints in the order of the confidence map's channels;
    `edges` and `symmetries` are pairs of positions in them, `classes` the names of identities. Strides are in
    input pixels per map cell. `target` is the (height, width) frames are matched to first, `crop_size` the
    side of a square crop; both None where the model has none.
    """

    head: str
    nodes: tuple[str, ...]
    edges: tuple[tuple[int, int], ...]
    symmetries: tuple[tuple[int, int], ...]
    confmap_stride: int
    paf_stride: int | None = None
    class_stride: int | None = None
    classes: tuple[str, ...] = ()
    anchor_part: str | None = None
    input_scaling: float = 1.0
    max_stride: int | None = None
    pad_to_stride: int = 1
    target: tuple[int, int] | None = None
    crop_size: int | None = None


def parse(config: dict[str, Any], name: str) -> SleapConfig:
    """Read a training configuration; `name` is the file's, for the messages of the ModelErrors."""
    try:
        return _parse(config, name)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        detail = f"no {error}" if isinstance(error, KeyError) else str(error)
        detail = detail if len(detail) <= _SHOWN else detail[:_SHOWN] + "…"
        raise ModelError(f"{name} is not SLEAP's, or it is damaged: {detail}.") from error


def _parse(config: dict[str, Any], name: str) -> SleapConfig:
    model, data = config["model"], config["data"]
    head, settings = _head(model["heads"], name)
    confmaps = settings.get("confmaps", settings)
    pafs, classes = settings.get("pafs"), settings.get("class_maps") or settings.get("class_vectors")
    skeletons = (data.get("labels") or {}).get("skeletons") or []
    skeleton = _skeleton(skeletons[0]) if skeletons else _Skeleton((), (), ())
    nodes = _names(confmaps.get("part_names") or skeleton.nodes)
    if head == "centroid":
        nodes = _names([confmaps.get("anchor_part") or "centroid"])
    if not nodes:
        raise ModelError(f"{name} names no nodes: part_names and the skeleton are empty.")
    pre, cropping = data.get("preprocessing") or {}, data.get("instance_cropping") or {}
    return SleapConfig(
        head=head,
        nodes=nodes,
        edges=_positions(nodes, (pafs or {}).get("edges") or skeleton.edges),
        symmetries=_positions(nodes, skeleton.symmetries),
        confmap_stride=_positive(confmaps["output_stride"]),
        paf_stride=_positive(pafs["output_stride"]) if pafs else None,
        class_stride=_positive(classes["output_stride"]) if classes else None,
        classes=_names((classes or {}).get("classes") or ()),
        anchor_part=confmaps.get("anchor_part"),
        input_scaling=_scaling(pre.get("input_scaling")),
        max_stride=_max_stride(model.get("backbone") or {}),
        pad_to_stride=_positive(pre.get("pad_to_stride") or 1),
        target=_target(pre),
        crop_size=_positive(cropping["crop_size"]) if cropping.get("crop_size") else None,
    )


def _head(heads: dict[str, Any], name: str) -> tuple[str, dict[str, Any]]:
    """The one kind of head that is configured, and its settings."""
    chosen = [(head, settings) for head, settings in heads.items() if settings]
    if len(chosen) != 1 or chosen[0][0] not in HEADS:
        found = ", ".join(head for head, _ in chosen) or "none"
        raise ModelError(f"{name} has to configure one head of {', '.join(HEADS)}; it configures {found}.")
    return chosen[0]


def _names(given: Iterable[Any]) -> tuple[str, ...]:
    names = tuple(given)
    if not all(isinstance(name, str) for name in names):
        raise ValueError("a name is no text")
    return names


def _positive(value: Any) -> int:
    number = int(value)
    if number < 1:
        raise ValueError(f"{value} is no stride or size")
    return number


def _scaling(value: Any) -> float:
    scaling = 1.0 if value is None else float(value)
    if not 0 < scaling <= 16:
        raise ValueError(f"input_scaling is {value}")
    return scaling


def _max_stride(backbone: dict[str, Any]) -> int | None:
    """The deepest stride of the configured backbone, where it says so."""
    settings: dict[str, Any] = next((value for value in backbone.values() if value), {})
    return _positive(settings["max_stride"]) if settings.get("max_stride") else None


def _target(preprocessing: dict[str, Any]) -> tuple[int, int] | None:
    height, width = preprocessing.get("target_height"), preprocessing.get("target_width")
    if not preprocessing.get("resize_and_pad_to_target") or not height or not width:
        return None
    return _positive(height), _positive(width)


def _positions(nodes: tuple[str, ...], edges: Iterable[Iterable[str]]) -> tuple[tuple[int, int], ...]:
    """Edges between names as pairs of positions; those of parts the model doesn't predict are left out."""
    place = {node: index for index, node in enumerate(nodes)}
    pairs = [tuple(edge) for edge in edges]
    return tuple((place[a], place[b]) for a, b in pairs if a in place and b in place)


@dataclass(frozen=True)
class _Skeleton:
    nodes: tuple[str, ...]
    edges: tuple[tuple[str, str], ...]
    symmetries: tuple[tuple[str, str], ...]


def _skeleton(skeleton: dict[str, Any]) -> _Skeleton:
    """Node names, body edges and mirrored pairs of a skeleton stored with jsonpickle.

    An object is written out where it first stands, and later only as `py/id`, its number in the order
    of the document. Nodes (`py/object`) and edge types (`py/reduce`) share one count from 1.
    """
    seen: list[Any] = []
    _collect(skeleton, seen)
    edges, mirrored = [], []
    for link in skeleton.get("links") or []:
        pair = (_object(link["source"], seen), _object(link["target"], seen))
        if _object(link.get("type"), seen) != _SYMMETRY:
            edges.append((link.get("edge_insert_idx", 0), pair))
        elif pair[::-1] not in mirrored:  # each pair is written in both directions
            mirrored.append(pair)
    edges.sort(key=lambda edge: edge[0])
    nodes = tuple(_object(node["id"], seen) for node in skeleton.get("nodes") or [])
    return _Skeleton(nodes, tuple(pair for _, pair in edges), tuple(mirrored))


def _collect(value: Any, seen: list[Any]) -> None:
    """All nodes' names and edge types' numbers, in the order of the document."""
    if isinstance(value, dict):
        if "py/object" in value or "py/reduce" in value:
            seen.append(_object(value, seen))
            return
        for child in value.values():
            _collect(child, seen)
    elif isinstance(value, list):
        for child in value:
            _collect(child, seen)


def _object(value: Any, seen: list[Any]) -> Any:
    """A node's name or an edge type's number, written out or referred to."""
    if not isinstance(value, dict):
        return value
    if "py/id" in value:
        return seen[value["py/id"] - 1]
    if "py/reduce" in value:
        return value["py/reduce"][1]["py/tuple"][0]
    state = value.get("py/state", value)
    return state["py/tuple"][0] if "py/tuple" in state else state["name"]
