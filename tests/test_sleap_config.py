"""SLEAP's training_config.json: kinds, skeletons stored with jsonpickle, sizes, and what is no config."""

from __future__ import annotations

import json

import pytest

from inference import sleap_config
from inference.errors import ModelError

NODE, EDGE_TYPE = "sleap.skeleton.Node", "sleap.skeleton.EdgeType"


def node(name: str) -> dict:
    return {"py/object": NODE, "py/state": {"py/tuple": [name, 1.0]}}


def edge_type(number: int) -> dict:
    return {"py/reduce": [{"py/type": EDGE_TYPE}, {"py/tuple": [number]}]}


def ref(number: int) -> dict:
    return {"py/id": number}


# head, thorax, left and right: two edges of the body written out of order, and a symmetry
SKELETON = {
    "links": [
        {
            "edge_insert_idx": 1,
            "key": 0,
            "source": node("thorax"),
            "target": node("left"),
            "type": edge_type(1),
        },
        {"edge_insert_idx": 0, "key": 0, "source": ref(1), "target": node("head"), "type": ref(3)},
        {"key": 0, "source": ref(2), "target": node("right"), "type": edge_type(2)},
        {"edge_insert_idx": 2, "key": 0, "source": ref(1), "target": ref(5), "type": ref(3)},
    ],
    "nodes": [{"id": ref(4)}, {"id": ref(1)}, {"id": ref(2)}, {"id": ref(5)}],
}
NAMES = ["head", "thorax", "left", "right"]


def config(heads=None, *, skeletons=(SKELETON,), backbone=None, **preprocessing) -> dict:
    heads = heads or {"single_instance": {"part_names": NAMES, "output_stride": 4}}
    return {
        "data": {"labels": {"skeletons": list(skeletons)}, "preprocessing": preprocessing},
        "model": {
            "heads": {"single_instance": None, "centroid": None} | heads,
            "backbone": {"leap": None, "unet": {"max_stride": 16}} if backbone is None else backbone,
        },
    }


def parse(content: dict):
    return sleap_config.parse(json.loads(json.dumps(content)), "training_config.json")


def test_nodes_edges_and_sizes():
    parsed = parse(config(input_scaling=0.5, pad_to_stride=16))
    assert parsed.head == "single_instance"
    assert parsed.nodes == tuple(NAMES)
    assert parsed.edges == ((1, 0), (1, 2), (1, 3))
    assert parsed.symmetries == ((2, 3),)
    assert (parsed.input_scaling, parsed.pad_to_stride, parsed.max_stride) == (0.5, 16, 16)
    assert (parsed.confmap_stride, parsed.target, parsed.crop_size) == (4, None, None)


def test_a_model_of_some_parts_keeps_the_edges_between_them():
    parsed = parse(config({"single_instance": {"part_names": ["right", "thorax"], "output_stride": 2}}))
    assert parsed.edges == ((1, 0),)


def test_nodes_come_from_the_skeleton_where_part_names_are_missing():
    assert parse(config({"single_instance": {"part_names": None, "output_stride": 2}})).nodes == tuple(NAMES)


def test_a_single_node_stored_by_name():
    lone = {"links": [], "nodes": [{"id": {"py/object": NODE, "py/state": {"name": "fly", "weight": 1.0}}}]}
    parsed = parse(config({"single_instance": {"output_stride": 2}}, skeletons=[lone]))
    assert (parsed.nodes, parsed.edges) == (("fly",), ())


def test_no_skeleton_means_no_edges():
    assert parse(config(skeletons=())).edges == ()


def test_bottom_up_edges_are_those_of_the_fields():
    heads = {
        "multi_instance": {
            "confmaps": {"part_names": NAMES, "output_stride": 2},
            "pafs": {"edges": [["head", "left"], ["head", "right"]], "output_stride": 8},
        }
    }
    parsed = parse(config(heads))
    assert parsed.edges == ((0, 2), (0, 3))
    assert (parsed.confmap_stride, parsed.paf_stride) == (2, 8)


def test_classes():
    heads = {
        "multi_class_bottomup": {
            "confmaps": {"part_names": NAMES, "output_stride": 2},
            "class_maps": {"classes": ["f", "m"], "output_stride": 4},
        }
    }
    parsed = parse(config(heads))
    assert (parsed.classes, parsed.class_stride, parsed.head) == (("f", "m"), 4, "multi_class_bottomup")


@pytest.mark.parametrize(("anchor", "nodes"), [(None, ("centroid",)), ("thorax", ("thorax",))])
def test_a_centroid_is_named_for_its_anchor(anchor, nodes):
    parsed = parse(config({"centroid": {"anchor_part": anchor, "output_stride": 4}}))
    assert (parsed.nodes, parsed.edges, parsed.anchor_part) == (nodes, (), anchor)


@pytest.mark.parametrize(
    ("preprocessing", "target"),
    [
        ({"resize_and_pad_to_target": True, "target_height": 100, "target_width": 200}, (100, 200)),
        ({"resize_and_pad_to_target": False, "target_height": 100, "target_width": 200}, None),
        ({"resize_and_pad_to_target": True, "target_height": None, "target_width": None}, None),
    ],
)
def test_a_target_size_counts_only_where_it_is_asked_for(preprocessing, target):
    assert parse(config(**preprocessing)).target == target


def test_a_backbone_that_does_not_say_its_stride():
    assert parse(config(backbone={"pretrained_encoder": {"encoder": "x"}})).max_stride is None


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ({}, "no 'model'"),
        ({"model": [], "data": {}}, "damaged"),
        (config({"single_instance": {"part_names": NAMES}}), "no 'output_stride'"),
        (config({"single_instance": {"part_names": NAMES, "output_stride": 0}}), "0 is no stride"),
        (config(input_scaling=-1), "input_scaling is -1"),
        (config({"centroid": {"output_stride": 2}, "single_instance": {"output_stride": 2}}), "one head"),
        (config({"brand_new": {"output_stride": 2}}), "it configures brand_new"),
        (config({"single_instance": {"output_stride": 2}}, skeletons=()), "names no nodes"),
        (config(skeletons=[{"links": [{"source": ref(9), "target": ref(9)}], "nodes": []}]), "damaged"),
    ],
)
def test_what_is_no_configuration(content, says):
    with pytest.raises(ModelError, match=r"training_config\.json") as caught:
        parse(content)
    assert says in str(caught.value)


def test_real_configurations(shared_data):
    parsed = {
        path.parent.name: sleap_config.parse(json.loads(path.read_text()), path.name)
        for path in sorted((shared_data / "sleap" / "models").glob("*/training_config.json"))
    }
    assert {name: one.head for name, one in parsed.items()} == {
        "min_tracks_2node.UNet.bottomup_multiclass": "multi_class_bottomup",
        "min_tracks_2node.UNet.topdown_multiclass": "multi_class_topdown",
        "minimal_instance.UNet.bottomup": "multi_instance",
        "minimal_instance.UNet.centered_instance": "centered_instance",
        "minimal_instance.UNet.centroid": "centroid",
        "minimal_robot.UNet.single_instance": "single_instance",
    }
    multiclass = parsed["min_tracks_2node.UNet.topdown_multiclass"]
    assert (multiclass.nodes, multiclass.edges) == (("head", "thorax"), ((1, 0),))
    assert (multiclass.crop_size, multiclass.anchor_part) == (128, "thorax")
