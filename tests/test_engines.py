"""Engines: OpenVINO computes what TensorFlow does, from a cache that is made once and survives damage."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from inference import model_files
from inference.engines import choice, converted
from inference.engines.converted import Cache, CannotConvert
from inference.errors import FrameError, ModelError
from tests.conftest import ROOT
from tests.kit.engines import FORMATS, run_here

OPTIONS = {"threads": 1, "any_size": False, "allow_model_code": False}


def silent(step: str) -> None:
    pass


@pytest.fixture(scope="module")
def kit():
    from tests.kit import keras_models

    return keras_models


@pytest.fixture(scope="module")
def shared_cache(tmp_path_factory):
    return Cache(tmp_path_factory.mktemp("cache"), 1 << 30)


@pytest.fixture
def cache(tmp_path):
    return Cache(tmp_path / "cache", 1 << 30)


@pytest.fixture
def here(monkeypatch):
    """Models are converted in this process, which saves seconds of importing TensorFlow."""
    monkeypatch.setattr(converted, "run", run_here)


def noise(height, width, channels=1, count=1):
    return list(np.random.default_rng(0).random((count, height, width, channels), np.float32))


def run(engine, images):
    """Every image's outputs, which stay."""
    return [{name: output.copy() for name, output in one.items()} for one in engine.run(images)]


# What it computes ----------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_gives_what_tensorflow_gives(kit, shared_cache, tmp_path, form, here):
    model = model_files.inspect(kit.save(tmp_path, form, lambda k: kit.hourglass(k, 3)))
    reference = choice.open_tensorflow(model, **OPTIONS)
    engine = choice.open_openvino(shared_cache, silent, model, **OPTIONS)
    assert engine.input_shape == reference.input_shape
    assert engine.output_names == reference.output_names
    assert engine.max_stride == reference.max_stride == 8
    # sizes in turn, as runs of several videos bring them; none, and more than TensorFlow takes at once
    for images in (noise(16, 24), noise(32, 16, count=20), noise(16, 24, count=2), []):
        wanted, given = run(reference, images), run(engine, images)
        assert len(wanted) == len(given) == len(images)
        for one, other in zip(wanted, given, strict=True):
            assert one.keys() == other.keys()
            for name, output in one.items():
                np.testing.assert_allclose(other[name], output, atol=1e-5)
    with pytest.raises(FrameError, match="24 × 17 pixels"):
        run(engine, noise(17, 24))


def test_more_sizes_than_stay_compiled(kit, shared_cache, tmp_path, here):
    model = model_files.inspect(kit.save(tmp_path, "keras3.h5", kit.picking))
    engine = choice.open_openvino(shared_cache, silent, model, **OPTIONS)
    for side in (*range(4, 20), 4):
        (outputs,) = run(engine, noise(side, 5))
        np.testing.assert_allclose(outputs["confmaps"], *noise(side, 5), atol=1e-6)
    assert len(engine._compiled) <= 6


def test_a_model_that_openvino_cannot_run_is_run_by_tensorflow(kit, cache, tmp_path, here):
    def of_singular_values(k):
        image = kit.tf_keras.Input((8, 8, 1))
        matrix = kit.tf.linalg.svd(image[..., 0], compute_uv=False)
        return kit.tf_keras.Model(image, kit.tf.tile(matrix[:, None, :, None], (1, 8, 1, 1)))

    model = model_files.inspect(kit.save(tmp_path, "keras2.h5", of_singular_values), allow_model_code=True)
    options = {**OPTIONS, "allow_model_code": True}
    with pytest.raises(CannotConvert, match=r"keras2\.h5 cannot be converted for OpenVINO"):
        choice.opener("openvino", cache, silent)(model, **options)
    with pytest.raises(CannotConvert, match=r"Or start with --engine tensorflow --precision exact\.$"):
        choice.opener("openvino", cache, silent)(model, **options)
    steps: list[str] = []
    engine = choice.opener("openvino", cache, steps.append, or_tensorflow=True)(model, **options)
    assert engine.name.startswith("TensorFlow")
    assert steps == [], "what was found once is kept"
    assert run(engine, noise(8, 8))


def test_a_model_that_cannot_be_loaded_says_so_in_the_same_words(kit, cache, tmp_path):
    import h5py

    path = kit.save(tmp_path, "keras2.h5", kit.picking)
    with h5py.File(path, "a") as file:
        del file["model_weights"].attrs["layer_names"]
    model = model_files.inspect(path)
    with pytest.raises(ModelError) as by_tensorflow:
        choice.open_tensorflow(model, **OPTIONS)
    with pytest.raises(ModelError) as by_openvino:
        choice.opener("openvino", cache, silent, or_tensorflow=True)(model, **OPTIONS)
    assert str(by_openvino.value) == str(by_tensorflow.value)
    assert [entry for entry in cache.folder.iterdir() if entry.is_dir()] == []


# The cache -----------------------------------------------------------------------------------------


def test_a_second_start_neither_converts_nor_imports_tensorflow(kit, cache, tmp_path):
    path = kit.save(tmp_path, "keras2.h5", kit.picking)
    model = model_files.inspect(path)
    steps: list[str] = []
    choice.open_openvino(cache, steps.append, model, **OPTIONS)
    assert steps == ["converting it, which takes some seconds the first time"]
    code = f"""
import sys, pathlib
from inference import model_files
from inference.engines import choice, converted
def tell(step): raise SystemExit(f"it is made again: {{step}}")
cache = converted.Cache(pathlib.Path({str(cache.folder)!r}), 1 << 30)
model = model_files.inspect(pathlib.Path({str(path)!r}))
engine = choice.open_openvino(cache, tell, model, threads=1, any_size=False, allow_model_code=False)
found = [name for name in sys.modules if name.split(".")[0] in ("tensorflow", "keras", "tf_keras", "nncf")]
sys.exit(f"imported: {{found}}" if found else 0)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr


def test_a_changed_model_is_another_entry(kit, tmp_path):
    def hashed(make):
        return converted.model_hash(model_files.inspect(kit.save(tmp_path, "keras2.h5", make)))

    first = hashed(kit.picking)
    assert hashed(lambda k: kit.picking(k, stride=2)) != first


@pytest.mark.parametrize("damage", ["cut off", "gone", "no info"])
def test_a_damaged_entry_is_made_again(kit, cache, tmp_path, damage, here):
    model = model_files.inspect(kit.save(tmp_path, "keras2.h5", lambda k: kit.hourglass(k, 1)))
    (wanted,) = run(choice.open_openvino(cache, silent, model, **OPTIONS), noise(8, 8))
    (entry,) = (entry for entry in cache.folder.iterdir() if entry.is_dir())
    if damage == "cut off":
        os.truncate(entry / "model.xml", 300)
    elif damage == "gone":
        (entry / "model.bin").unlink()
    else:
        (entry / "info.json").write_text("{")
    steps: list[str] = []
    (given,) = run(choice.open_openvino(cache, steps.append, model, **OPTIONS), noise(8, 8))
    assert len(steps) == 1
    for name, output in wanted.items():
        np.testing.assert_array_equal(given[name], output)


def test_what_several_ask_for_at_once_is_made_once(cache):
    made = []
    inside = threading.Event()

    def make(folder):
        made.append(folder)
        inside.wait(10)
        (folder / "content").write_text("whole")

    places = []
    threads = [threading.Thread(target=lambda: places.append(cache.entry("key", make))) for _ in range(4)]
    for thread in threads:
        thread.start()
    inside.set()
    for thread in threads:
        thread.join(10)
    assert len(made) == 1
    assert [(place / "content").read_text() for place in places] == ["whole"] * 4


def test_what_was_not_finished_is_made_again(cache):
    def fail(folder):
        (folder / "half").touch()
        raise ModelError("no")

    with pytest.raises(ModelError):
        cache.entry("key", fail)
    # as a process leaves it that is killed in the middle
    (cache.folder / ".key").mkdir()
    (cache.folder / ".key" / "half").touch()
    place = cache.entry("key", lambda folder: (folder / "content").touch())
    assert sorted(file.name for file in place.iterdir()) == [".used", "content"]


def test_the_least_recently_used_go_first(tmp_path):
    cache = Cache(tmp_path / "cache", 2500)

    def make(folder):
        (folder / "content").write_bytes(bytes(1000))

    def touch(key, at):
        os.utime(cache.entry(key, make) / ".used", (at, at))

    for at, key in enumerate("abab"):
        touch(key, at)
    touch("a", 9)
    cache.entry("c", make)
    assert sorted(entry.name for entry in cache.folder.iterdir() if entry.is_dir()) == ["a", "c"]
    cache.entry("d", lambda folder: (folder / "content").write_bytes(bytes(9000)))
    assert [entry.name for entry in cache.folder.iterdir() if entry.is_dir()] == ["d"]


def test_all_of_an_entry_counts_and_one_that_is_being_made_stays(tmp_path):
    cache = Cache(tmp_path / "cache", 2500)

    def make(folder):
        (folder / "deeper").mkdir()
        (folder / "deeper" / "content").write_bytes(bytes(2000))

    cache.entry("a", make)
    (cache.folder / ".other").mkdir()
    (cache.folder / ".other" / ".used").touch()
    (cache.folder / ".other" / "content").write_bytes(bytes(9000))
    cache.entry("b", make)
    assert sorted(entry.name for entry in cache.folder.iterdir() if entry.is_dir()) == [".other", "b"]


def test_a_relative_cache_works_from_any_folder(kit, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = model_files.inspect(kit.save(tmp_path, "keras2.h5", kit.picking))
    engine = choice.open_openvino(Cache(pathlib.Path("made"), 1 << 30), silent, model, **OPTIONS)
    assert run(engine, noise(8, 8))
    assert any((tmp_path / "made").glob("*/model.xml"))


def test_without_a_cache_tensorflow_runs_or_the_message_names_the_flag(kit, tmp_path, here):
    (tmp_path / "file").touch()
    cache = Cache(tmp_path / "file" / "cache", 1 << 30)
    model = model_files.inspect(kit.save(tmp_path, "keras2.h5", kit.picking))
    assert choice.opener("openvino", cache, silent, or_tensorflow=True)(model, **OPTIONS).name.startswith(
        "TensorFlow"
    )
    with pytest.raises(ModelError, match=r"file/cache cannot be written \(Not a directory\).*--cache"):
        choice.opener("openvino", cache, silent)(model, **OPTIONS)


def test_a_conversion_ends_with_who_asked_for_it(kit, cache, tmp_path):
    path = kit.save(tmp_path, "keras2.h5", kit.picking)
    code = f"""
import pathlib
from inference import model_files
from inference.engines import choice, converted
cache = converted.Cache(pathlib.Path({str(cache.folder)!r}), 1 << 30)
model = model_files.inspect(pathlib.Path({str(path)!r}))
choice.open_openvino(cache, print, model, threads=1, any_size=False, allow_model_code=False)
"""
    import psutil

    parent = subprocess.Popen([sys.executable, "-u", "-c", code], stdout=subprocess.PIPE, cwd=ROOT)
    deadline = time.monotonic() + 30
    children: list[psutil.Process] = []
    while not children and time.monotonic() < deadline:
        children = psutil.Process(parent.pid).children()
        time.sleep(0.01)
    parent.send_signal(signal.SIGKILL)
    parent.communicate()
    _, alive = psutil.wait_procs(children, timeout=20)
    assert children and not alive


# Which one -----------------------------------------------------------------------------------------


def test_the_engine_that_is_meant(monkeypatch):
    from inference.engines import choice

    assert choice.preferred("tensorflow", "exact") == "tensorflow"
    assert choice.preferred("openvino", "int8") == "openvino"
    assert choice.preferred("auto", "fast") == "openvino"
    monkeypatch.setattr(choice, "_sees_gpu", lambda: True)
    assert choice.preferred("auto", "exact") == "tensorflow"
    assert choice.preferred("auto", "int8") == "openvino"
    monkeypatch.setattr(choice, "_sees_gpu", lambda: False)
    assert choice.preferred("auto", "exact") == "openvino"


def test_nothing_is_reported_to_anybody():
    code = (
        "import inference.engines.calibration, sys; sys.exit(sys.modules['openvino_telemetry'] is not None)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


# Heads ---------------------------------------------------------------------------------------------


def test_heads_stay_exact(shared_data, shared_cache, here):
    """In 16 bits, a float32 number's lower half is all zero; a head's are not rounded to that."""
    path = shared_data / "sleap" / "models" / "minimal_instance.UNet.bottomup"
    model = model_files.inspect(path)
    options = {**OPTIONS, "any_size": True}
    (exact,) = run(choice.open_openvino(shared_cache, silent, model, **options), noise(64, 64))
    try:
        engine = choice.open_openvino(shared_cache, silent, model, precision="fast", **options)
    except ModelError as error:
        pytest.skip(str(error))
    (coarse,) = run(engine, noise(64, 64))
    for name, output in coarse.items():
        assert 0 < np.abs(output - exact[name]).max() < 0.1
        assert (output.view(np.uint32) & 0xFFFF).any()


def test_the_cache_says_what_is_in_it(shared_cache, shared_data, here):
    path = shared_data / "sleap" / "models" / "minimal_instance.UNet.bottomup"
    folder = converted.convert(
        shared_cache,
        model_files.inspect(path),
        any_size=True,
        allow_model_code=False,
        tell=silent,
        read=lambda folder: folder,
    )
    info = json.loads((folder / "info.json").read_text())
    assert info["input_shape"] == [None, None, 1]
    assert sorted(file.name for file in folder.iterdir()) == [".used", "info.json", "model.bin", "model.xml"]
