"""HDF5 files and archives that say more than they are: refused from their structure, before they are read."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from inference import archives, model_files
from inference.errors import ModelError
from inference.model_files import Format
from tests.kit.engines import FORMATS


@pytest.fixture(scope="session")
def written(tmp_path_factory) -> dict[str, Path]:
    """One small model of each format that Keras itself writes."""
    from tests.kit import keras_models as kit

    folder = tmp_path_factory.mktemp("plain")
    made = [form for form in FORMATS if not form.endswith("saved_model")]
    return {form: kit.save(folder, form, lambda k: kit.hourglass(k, 2)) for form in made}


def refusal(path: Path) -> str:
    with pytest.raises(ModelError) as caught:
        model_files.inspect(path)
    assert str(path.parent) not in str(caught.value)
    return str(caught.value)


def hdf5(path: Path, add) -> Path:
    """An HDF5 file that is a model but for what `add(file)` adds."""
    with h5py.File(path, "w", libver="latest") as file:
        file.attrs["model_config"] = json.dumps({"config": {}})
        add(file.create_group("model_weights"))
    return path


def another(file: h5py.Group) -> Path:
    """Another file beside it, with numbers in it."""
    path = Path(file.file.filename).with_name("another.h5")
    with h5py.File(path, "w") as held:
        held["numbers"] = np.zeros(3)
    return path


def external_link(file):
    file["out"] = h5py.ExternalLink(str(another(file)), "numbers")


def external_link_to_nothing(file):
    file["out"] = h5py.ExternalLink("nowhere.h5", "numbers")


def soft_link(file):
    file["self"] = h5py.SoftLink("/model_weights")


def cycle(file):
    file["self"] = file


def two_names(file):
    file["one"] = np.zeros(3)
    file["other"] = file["one"]


def external_data(file):
    file.create_dataset("raw", (4,), "u1", external=[("/etc/hostname", 0, 4)])


def view_of_another_file(file):
    layout = h5py.VirtualLayout((3,), "f8")
    layout[:] = h5py.VirtualSource(str(another(file)), "numbers", (3,))
    file.create_virtual_dataset("view", layout)


def compressed(file):
    file.create_dataset("zeros", data=np.zeros(100_000), compression="gzip")


def filtered_by_a_plugin(file):
    file.create_dataset("zeros", data=np.zeros(1000), compression="lzf")


def terabytes_never_written(file):
    file.create_dataset("huge", (1 << 38,), "f4")


def terabytes_in_chunks(file):
    file.create_dataset("huge", (1 << 38,), "f4", chunks=(1 << 10,))


def one_chunk_of_gigabytes(file):
    file.create_dataset("huge", (1,), "f4", chunks=(1 << 29,), maxshape=(None,))


def many_that_are_a_little_too_large(file):
    for number in range(50):
        file.create_dataset(str(number), (1000,), "f4")


def texts(file):
    file["texts"] = ["a", "b"]


def references(file):
    file["references"] = np.array([file.ref], h5py.ref_dtype)


def a_type(file):
    file["type"] = np.dtype("f4")


def an_attribute_of_references(file):
    file.attrs["reference"] = file.ref


def an_attribute_of_many_texts(file):
    file["padding"] = np.zeros(200_000)
    file.attrs.create("names", ["a"] * 1000, dtype=h5py.string_dtype())


def deep(file):
    file.create_group("a/" * 150)


@pytest.mark.parametrize(
    ("add", "says"),
    [
        (external_link, "it holds links"),
        (external_link_to_nothing, "it holds links"),
        (soft_link, "it holds links"),
        (cycle, "under two names"),
        (two_names, "under two names"),
        (external_data, "data from other files"),
        (view_of_another_file, "data from other files"),
        (compressed, "its data are compressed"),
        (filtered_by_a_plugin, "its data are compressed"),
        (terabytes_never_written, "more data than the file holds"),
        (terabytes_in_chunks, "more data than the file holds"),
        (one_chunk_of_gigabytes, "more data than the file holds"),
        (many_that_are_a_little_too_large, "more data than the file holds"),
        (texts, "neither numbers nor text"),
        (references, "neither numbers nor text"),
        (an_attribute_of_references, "neither numbers nor text"),
        (a_type, "neither a group nor a dataset"),
        (an_attribute_of_many_texts, "more text than the file holds"),
        (deep, "more than 100 deep"),
    ],
)
def test_an_hdf5_file_that_keras_would_not_write(tmp_path, written, add, says):
    message = refusal(hdf5(tmp_path / "odd.h5", add))
    assert message.startswith("odd.h5 is not opened") and says in message
    assert "model.save(…)" in message
    inner = hdf5(tmp_path / "inner.h5", add).read_bytes()
    odd = repacked(written["keras3.keras"], tmp_path / "odd.keras", {"model.weights.h5": inner})
    assert says in refusal(odd)


@pytest.mark.parametrize("what", ["groups", "attributes"])
def test_more_things_than_anybody_counts(tmp_path, monkeypatch, what):
    def many(file):
        for number in range(60):
            if what == "groups":
                file.create_group(str(number))
            else:
                file.attrs[str(number)] = number

    path = hdf5(tmp_path / "many.h5", many)
    assert model_files.inspect(path)
    monkeypatch.setattr(archives, "MOST_OBJECTS", 50)
    assert "more than 50 things" in refusal(path)


def test_texts_and_numbers_as_attributes_are_plain(tmp_path):
    def plain(file):
        file.attrs["names"] = np.array([b"conv", b"bias"])
        file.attrs["texts"] = ["a", "b"]
        file.attrs["numbers"] = np.arange(100)
        file.attrs["nothing"] = h5py.Empty("f4")
        file.attrs["yes"] = True
        file.create_dataset("none", (0,), "f4")
        file.create_dataset("one", data=np.float32(1))
        file.create_dataset("chunked", data=np.zeros(100), chunks=(10,))

    assert model_files.inspect(hdf5(tmp_path / "plain.h5", plain))


def test_no_folder_of_plugins_is_looked_into(tmp_path):
    """HDF5 would load a library out of it for a filter that it does not know."""
    import subprocess
    import sys

    script = (
        "import inference, h5py, ctypes;"
        "library = ctypes.CDLL(h5py.h5pl.__file__); state = ctypes.c_uint(7);"
        "assert library.H5PLget_loading_state(ctypes.byref(state)) >= 0; print(state.value)"
    )
    environment = {"HDF5_PLUGIN_PATH": str(tmp_path), "PYTHONPATH": str(Path(archives.__file__).parents[1])}
    run = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    assert (run.stdout.strip(), run.returncode) == ("0", 0), run.stderr


# Archives -----------------------------------------------------------------------------------------


def repacked(source: Path, path: Path, replaced: dict[str, bytes], packing=zipfile.ZIP_STORED) -> Path:
    """A copy of an archive with some files in place of others, or added."""
    with zipfile.ZipFile(source) as held, zipfile.ZipFile(path, "w", packing) as made:
        for name in {**dict.fromkeys(held.namelist()), **replaced}:
            made.writestr(name, replaced[name] if name in replaced else held.read(name))
    return path


def test_an_archive_that_somebody_packed_again_is_opened(written, tmp_path):
    path = repacked(written["keras3.keras"], tmp_path / "again.keras", {}, zipfile.ZIP_DEFLATED)
    assert model_files.inspect(path).format is Format.ZIP_KERAS3


@pytest.mark.parametrize("name", ["config.json", "model.weights.h5", "assets/more"])
def test_an_archive_that_would_be_far_larger(written, tmp_path, name):
    bomb = {name: bytes(80 << 20)}
    path = repacked(written["keras3.keras"], tmp_path / "bomb.keras", bomb, zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 1 << 20
    assert "far larger once it is unpacked" in refusal(path)


@pytest.mark.parametrize("name", ["../outside", "/outside", "assets/../../outside", "assets\\..\\outside"])
def test_an_archive_that_would_be_unpacked_elsewhere(written, tmp_path, name):
    path = repacked(written["keras3.keras"], tmp_path / "out.keras", {name: b""})
    assert "unpacked elsewhere" in refusal(path)


def test_an_archive_without_weights_or_packed_oddly(written, tmp_path):
    with zipfile.ZipFile(tmp_path / "empty.keras", "w") as made:
        made.writestr("config.json", "{}")
        made.writestr("metadata.json", "{}")
    assert "lacks model.weights.h5" in refusal(tmp_path / "empty.keras")
    path = repacked(written["keras3.keras"], tmp_path / "lzma.keras", {}, zipfile.ZIP_LZMA)
    assert "packed in an unusual way" in refusal(path)


def test_an_archive_with_two_files_of_one_name(written, tmp_path):
    path = repacked(written["keras3.keras"], tmp_path / "two.keras", {})
    with zipfile.ZipFile(path, "a") as made, pytest.warns(UserWarning, match="Duplicate"):
        made.writestr("config.json", "{}")
    assert "two of its files have one name" in refusal(path)


def test_more_files_than_anybody_counts(written, tmp_path):
    names = {f"assets/{number}": b"" for number in range(archives.MOST_MEMBERS)}
    assert "more than 10,000 files" in refusal(
        repacked(written["keras3.keras"], tmp_path / "many.keras", names)
    )


# What stands beside a model -----------------------------------------------------------------------


def test_json_that_is_longer_than_any_is(tmp_path):
    path = tmp_path / "training_config.json"
    with path.open("wb") as file:
        file.truncate(10 << 30)
    with pytest.raises(ModelError, match="more than 64 MB of JSON"):
        model_files.read_json(path)


def test_what_keras_writes_is_plain(written):
    for path in written.values():
        assert model_files.inspect(path).path == path
