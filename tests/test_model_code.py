"""Models that would run something: nothing of it runs, and what TensorFlow would find is not overlooked."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference import model_code, model_files, saved_graph
from inference.engines.choice import open_tensorflow
from inference.errors import ModelError
from inference.model_files import Format
from inference.settings import HERE

LOOKED_AT = HERE / "tests" / "kit" / "tensorflow_operations.txt"
SAVER = {"SaveV2", "RestoreV2", "MergeV2Checkpoints", "ShardedFilename"}


@pytest.fixture(scope="session")
def kit():
    from tests.kit import keras_models

    return keras_models


def load(path: Path, allow: bool = False):
    model = model_files.inspect(path, allow_model_code=allow)
    return open_tensorflow(model, threads=1, any_size=False, allow_model_code=allow)


def writing(tf, where: Path):
    """Two ways to write a file: as TensorFlow writes text, and as it writes weights."""

    def text(image=0.0):
        with tf.control_dependencies([tf.io.write_file(str(where), "it ran")]):
            return tf.identity(image)

    def weights(image=0.0):
        save = tf.raw_ops.SaveV2(
            prefix=str(where), tensor_names=["a"], shape_and_slices=[""], tensors=[tf.constant(1.0)]
        )
        with tf.control_dependencies([save]):
            return tf.identity(image)

    return {"WriteFile": text, "SaveV2": weights}


@pytest.mark.parametrize(
    ("moment", "operation"), [("serves", "WriteFile"), ("serves", "SaveV2"), ("begins", "WriteFile")]
)
def test_a_saved_model_that_writes_is_refused_and_never_runs(kit, tmp_path, moment, operation):
    (tmp_path / "written").mkdir()
    writes = writing(kit.tf, tmp_path / "written" / "it")[operation]
    path = kit.saved_model(tmp_path, **{moment: writes})
    with pytest.raises(ModelError, match=rf"the operation {operation}\..*--allow-model-code"):
        load(path)
    assert not list((tmp_path / "written").iterdir())
    engine = load(path, allow=True)
    list(engine.run([kit.np.zeros((8, 8, 1), kit.np.float32)]))
    assert list((tmp_path / "written").iterdir())


def test_a_saved_model_that_only_computes_is_loaded(kit, tmp_path):
    path = kit.saved_model(tmp_path, begins=lambda: 0.0)
    assert model_files.inspect(path).format is Format.SAVED_MODEL
    assert load(path).output_names == ("confmaps",)
    found = saved_graph.operations((path / "saved_model.pb").read_bytes())
    assert {one.name for one in found if not one.runs} >= SAVER
    assert not {one.name for one in found if one.runs} & SAVER


def test_an_operation_that_tensorflow_does_not_have(kit, tmp_path):
    path = kit.saved_model(tmp_path)
    file = path / "saved_model.pb"
    graph = messages(kit).SavedModel.FromString(file.read_bytes())
    for function in graph.meta_graphs[0].graph_def.library.function:
        for node in function.node_def:
            node.op = "PoseOfLab" if node.op == "Mul" else node.op
    file.write_bytes(graph.SerializeToString())
    with pytest.raises(ModelError, match="needs the operation PoseOfLab, which TensorFlow does not have"):
        load(path)


# What runs, and what does not --------------------------------------------------------------------


def messages(kit):
    from tensorflow.core.protobuf import saved_model_pb2

    return saved_model_pb2


def model_of(kit, *, objects: bool = True):
    """A SavedModel with a function that is served and a hidden one that saves."""
    model = messages(kit).SavedModel()
    meta = model.meta_graphs.add()
    for name, operation in (("served", "Mul"), ("hidden", "SaveV2")):
        function = meta.graph_def.library.function.add()
        function.signature.name = name
        function.node_def.add(name="node", op=operation)
    if objects:
        meta.object_graph_def.concrete_functions["served"].SetInParent()
    return model, *meta.graph_def.library.function


def runs(model) -> set[str]:
    return {one.name for one in saved_graph.operations(model.SerializeToString()) if one.runs}


def test_what_nobody_calls_does_not_run(kit):
    assert runs(model_of(kit)[0]) == {"Mul"}


def by_its_name(served, hidden):
    served.node_def.add(name="call", op="hidden")


def by_an_attribute(served, hidden):
    served.node_def.add(name="call", op="If").attr["then_branch"].func.name = "hidden"


def by_a_list(served, hidden):
    served.node_def.add(name="call", op="Case").attr["branches"].list.func.add(name="hidden")


def by_an_attribute_of_an_attribute(served, hidden):
    outer = served.node_def.add(name="call", op="While").attr["body"].func
    outer.attr["f"].func.name = "hidden"


def by_an_attribute_of_the_function(served, hidden):
    served.attr["f"].func.name = "hidden"


def as_another_implementation(served, hidden):
    hidden.attr["api_implements"].s = b"served"


@pytest.mark.parametrize(
    "called",
    [
        *(by_its_name, by_an_attribute, by_a_list, by_an_attribute_of_an_attribute),
        *(by_an_attribute_of_the_function, as_another_implementation),
    ],
)
def test_what_can_be_called_runs(kit, called):
    model, served, hidden = model_of(kit)
    called(served, hidden)
    assert "SaveV2" in runs(model)


def test_without_objects_everything_runs(kit):
    assert runs(model_of(kit, objects=False)[0]) == {"Mul", "SaveV2"}


# Reading ------------------------------------------------------------------------------------------


def test_the_fields_are_where_tensorflow_has_them(kit):
    from tensorflow.core.framework import attr_value_pb2, function_pb2, graph_pb2, node_def_pb2, op_def_pb2
    from tensorflow.core.protobuf import meta_graph_pb2, saved_object_graph_pb2

    value = attr_value_pb2.AttrValue
    for number, message, field in (
        (saved_graph.SAVED_MODEL_META_GRAPHS, messages(kit).SavedModel, "meta_graphs"),
        (saved_graph.META_GRAPH_GRAPH, meta_graph_pb2.MetaGraphDef, "graph_def"),
        (saved_graph.META_GRAPH_OBJECTS, meta_graph_pb2.MetaGraphDef, "object_graph_def"),
        (saved_graph.GRAPH_NODE, graph_pb2.GraphDef, "node"),
        (saved_graph.GRAPH_LIBRARY, graph_pb2.GraphDef, "library"),
        (saved_graph.LIBRARY_FUNCTION, function_pb2.FunctionDefLibrary, "function"),
        (saved_graph.FUNCTION_SIGNATURE, function_pb2.FunctionDef, "signature"),
        (saved_graph.FUNCTION_NODE, function_pb2.FunctionDef, "node_def"),
        (saved_graph.FUNCTION_ATTR, function_pb2.FunctionDef, "attr"),
        (saved_graph.SIGNATURE_NAME, op_def_pb2.OpDef, "name"),
        (saved_graph.NODE_OP, node_def_pb2.NodeDef, "op"),
        (saved_graph.NODE_ATTR, node_def_pb2.NodeDef, "attr"),
        (saved_graph.ENTRY_KEY, node_def_pb2.NodeDef.AttrEntry, "key"),
        (saved_graph.ENTRY_VALUE, node_def_pb2.NodeDef.AttrEntry, "value"),
        (saved_graph.ATTR_LIST, value, "list"),
        (saved_graph.ATTR_FUNCTION, value, "func"),
        (saved_graph.LIST_FUNCTION, value.ListValue, "func"),
        (saved_graph.CALLED_NAME, attr_value_pb2.NameAttrList, "name"),
        (saved_graph.CALLED_ATTR, attr_value_pb2.NameAttrList, "attr"),
        (saved_graph.OBJECTS_FUNCTIONS, saved_object_graph_pb2.SavedObjectGraph, "concrete_functions"),
    ):
        assert message.DESCRIPTOR.fields_by_name[field].number == number, field


def part(number: int, content: bytes, spare: int = 0) -> bytes:
    """A field of bytes whose length has so many bytes more than it needs."""
    length = len(content)
    digits: list[int] = []
    while length or not digits:
        digits.append(length & 0x7F)
        length >>= 7
    digits += [0] * spare
    return bytes([number << 3 | 2, *(digit | 0x80 for digit in digits[:-1]), digits[-1]]) + content


@pytest.mark.parametrize("spare", [0, 1, 4])
def test_a_length_written_longer_than_it_has_to_be_hides_nothing(kit, spare):
    node = part(1, b"node") + part(2, b"WriteFile", spare)
    content = part(2, part(2, part(1, node)))
    read = messages(kit).SavedModel.FromString(content)
    assert read.meta_graphs[0].graph_def.node[0].op == "WriteFile"
    with pytest.raises(ModelError, match="the operation WriteFile"):
        model_code.refuse_in_saved_model("x", content)


def named(model) -> set[str]:
    """The operations that TensorFlow's own reader finds."""
    graphs = [meta.graph_def for meta in model.meta_graphs]
    nodes = [node for graph in graphs for node in graph.node]
    functions = [function for graph in graphs for function in graph.library.function]
    nodes += [node for function in functions for node in function.node_def]
    return {node.op for node in nodes} - {function.signature.name for function in functions}


@given(data=st.data())
def test_damage_is_refused_or_hides_nothing(kit, data):
    content = bytearray(model_of(kit)[0].SerializeToString())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    content = content[: data.draw(st.integers(0, len(content)))]
    try:
        found = {one.name for one in saved_graph.operations(bytes(content))}
    except ValueError:
        return
    try:
        model = messages(kit).SavedModel.FromString(bytes(content))
    except Exception:  # then nothing is loaded at all
        return
    assert named(model) <= found


# Which operations reach out ----------------------------------------------------------------------


def registered() -> set[str]:
    import tensorflow as tf

    return {name for name in dir(tf.raw_ops) if not name.startswith("_")}


def test_every_operation_of_tensorflow_was_looked_at():
    """A new TensorFlow has new operations: look at them, and add them to the file or to the rule."""
    harmless = {name for name in registered() if not model_code.reaches_out(name)}
    assert harmless - set(LOOKED_AT.read_text().split()) == set()


@pytest.mark.parametrize(
    "operation",
    [
        *("PyFunc", "PyFuncStateless", "EagerPyFunc", "ReadFile", "WriteFile", "MatchingFiles", "Abort"),
        *("WholeFileReaderV2", "TextLineDataset", "TFRecordDatasetV2", "InitializeTableFromTextFileV2"),
        *("RecordInput", "LMDBReader", "SqlDataset", "ImmutableConst", "DecodeProtoV2", "Save", "SaveV2"),
        *("Restore", "LoadAndRemapMatrix", "GenerateVocabRemapping", "FixedUnigramCandidateSampler"),
        *("WriteSummary", "CreateSummaryFileWriter", "ImportEvent", "PrintV2", "DebugIdentityV3", "CopyHost"),
        *("RemoteCall", "Send", "Recv", "DataServiceDatasetV4", "CollectiveGatherV2", "XlaCallModule"),
        *("WorkerHeartbeat", "_HostSend", "TPUPartitionedCall", "FileSystemSetConfiguration"),
    ],
)
def test_an_operation_that_reaches_out(operation):
    assert model_code.reaches_out(operation)
