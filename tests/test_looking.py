"""A file that the library never gets done with costs its own model, and nobody else anything."""

import json
import signal
import struct
import subprocess
import sys

import h5py
import numpy as np
import pytest

from inference import looking
from inference.catalog import Catalog
from inference.engines import converted
from inference.engines.converted import Cache
from inference.errors import ModelError
from inference.messages import RunFailed
from inference.settings import HERE, KINDS
from tests.kit import barcode, predictors
from tests.kit.waiting import wait_until
from tests.pipeline.conftest import Bench, check_every_frame_once, start

SHIPPED = HERE / "models" / "best_model.h5"


@pytest.fixture
def endless(tmp_path):
    """An HDF5 file in which HDF5 1.14 runs round in circles: free space of no size in a heap of texts."""
    path = tmp_path / "endless.h5"
    with h5py.File(path, "w") as content:
        content.attrs["keras_version"] = "2.15.0"
        content.attrs["model_config"] = "{}"
        content.create_group("model_weights")["kernel"] = np.zeros(3)
    data = bytearray(path.read_bytes())
    at = data.index(b"GCOL") + 16
    while (number := struct.unpack_from("<H", data, at)[0]) != 0:
        assert number < 9
        at += 16 + -(-struct.unpack_from("<Q", data, at + 8)[0] // 8) * 8
    struct.pack_into("<Q", data, at + 8, 0)
    path.write_bytes(data)
    return path


@pytest.fixture
def cache(tmp_path):
    return Cache(tmp_path / "cache", 1 << 20)


@pytest.fixture
def python(tmp_path, monkeypatch):
    """Has programs of the package begin with some lines of Python, before any of their own."""

    def begin_with(*lines):
        file = tmp_path / "python"
        rest = f"os.execv({sys.executable!r}, [{sys.executable!r}, *sys.argv[1:]])"
        file.write_text("\n".join([f"#!{sys.executable}", "import os, sys, time", *lines, rest]))
        file.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(file))

    return begin_with


def test_looking_at_it_comes_to_an_end(endless, cache, monkeypatch):
    monkeypatch.setattr(looking, "LIMIT", 1)
    with pytest.raises(ModelError, match=r"endless\.h5 is damaged: .* to an end"):
        looking.look(cache, [endless], allow_model_code=False)


def test_it_comes_to_an_end_though_nobody_lives_who_waits_for_it(endless, tmp_path):
    order = {"paths": [str(endless)], "allow_model_code": False, "limit": 1}
    (tmp_path / converted.ORDER).write_text(json.dumps(order))
    command = [sys.executable, "-m", "inference.looking", str(tmp_path)]
    with subprocess.Popen(command, cwd=HERE, stdin=subprocess.PIPE) as alone:
        assert alone.wait(60) < 0


@pytest.mark.parametrize(
    "delay",
    [
        pytest.param("time.sleep(1.5)", id="slow disk"),
        pytest.param("while time.process_time() < 1.5: pass", id="slow processor"),
    ],
)
def test_however_slow_the_start_is_a_model_in_order_is_in_order(python, cache, monkeypatch, delay):
    monkeypatch.setattr(looking, "LIMIT", 1)
    python(delay)
    looking.look(cache, [SHIPPED], allow_model_code=False)


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (signal.SIGSEGV, "is damaged: the library that reads it breaks down"),
        (signal.SIGABRT, "is damaged: the library that reads it breaks down"),
        (signal.SIGXCPU, "is damaged: reading it does not come to an end"),
        (signal.SIGKILL, "could not be read: .* was ended, .* memory"),
    ],
)
def test_a_looker_that_dies_says_what_that_means_for_the_model(python, cache, number, said):
    python(
        "import resource",
        "resource.setrlimit(resource.RLIMIT_CORE, (0, 0))",
        f"os.kill(os.getpid(), {number})",
    )
    with pytest.raises(ModelError, match=rf"best_model\.h5 {said}") as raised:
        looking.look(cache, [SHIPPED], allow_model_code=False)
    assert "OpenVINO" not in str(raised.value) and "tensorflow" not in str(raised.value)


def test_a_looker_that_fails_otherwise_blames_no_engine(python, cache):
    python("sys.exit(1)")
    with pytest.raises(ModelError, match=r"best_model\.h5 could not be read; the log says why"):
        looking.look(cache, [SHIPPED], allow_model_code=False)


def test_a_disk_that_does_not_answer_does_not_make_a_model_damaged(python, cache, monkeypatch):
    monkeypatch.setattr(looking, "PATIENCE", 0.5)
    python("time.sleep(60)")
    with pytest.raises(ModelError, match=r"best_model\.h5 could not be read within .* disk"):
        looking.look(cache, [SHIPPED], allow_model_code=False)


def test_what_is_in_order_is_looked_at_once(tmp_path, cache, monkeypatch):
    path = tmp_path / "best_model.h5"
    path.write_bytes(SHIPPED.read_bytes())
    looking.look(cache, [path], allow_model_code=False)
    monkeypatch.setattr(looking, "PATIENCE", 0)
    looking.look(cache, [path], allow_model_code=False)
    path.write_bytes(b"something else")
    with pytest.raises(ModelError):
        looking.look(cache, [path], allow_model_code=False)


def test_what_is_wrong_with_a_file_is_said_as_ever(tmp_path, cache):
    (tmp_path / "text.h5").write_text("text")
    with pytest.raises(ModelError, match=r"text\.h5 is no model: .* no HDF5 file"):
        looking.look(cache, [tmp_path / "text.h5"], allow_model_code=False)


def test_a_cache_that_cannot_be_written_is_no_hindrance(tmp_path):
    (tmp_path / "file").touch()
    looking.look(Cache(tmp_path / "file", 1), [SHIPPED], allow_model_code=False)


def test_others_are_served_while_it_is_looked_at(endless, tmp_path):
    barcode.write(tmp_path / "a.avi", 200)
    kinds = (*KINDS, *predictors.KINDS)
    with start(tmp_path, kinds=kinds, cache=tmp_path / "cache") as pipeline:
        bench = Bench(pipeline, tmp_path)
        bench.catalog = Catalog(tmp_path, tmp_path, kinds)
        pipeline.start([bench.catalog.model("m.number")])
        bench.watch(bench.run("a.avi", stop=1))
        with bench.run("a.avi", endless.name) as stuck:
            check_every_frame_once(bench.watch(bench.run("a.avi")), 0, 200)
            events = []
            while (event := stuck.next(0)) is not None:
                events.append(event)
            assert not any(isinstance(event, RunFailed) for event in events)
            wait_until(lambda: isinstance(stuck.next(1), RunFailed), 60)
