"""Character models as TF.js layers models: what is written. What TF.js makes of it: browser/test_local.py."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from inference.errors import InferenceError, ModelError
from inference.text import files, tfjs, vocabulary
from tfjs import LOCK

ROOT = Path(__file__).resolve().parent.parent
pytestmark = pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")


@pytest.fixture(scope="module")
def kit():
    from tests.kit import keras_chars

    return keras_chars


@pytest.fixture(scope="module")
def lstms(kit, tmp_path_factory):
    """A model of 31 KB of weights and its path."""
    return kit.save(kit.MODELS["lstm-keras2.h5"](), tmp_path_factory.mktemp("model") / "lstm.h5")


def held(folder: Path) -> dict:
    return json.loads((folder / "model.json").read_text())


def test_the_weights_stand_one_after_the_other_in_files_that_are_not_too_large(lstms, tmp_path, monkeypatch):
    monkeypatch.setattr(tfjs, "SHARD", 10_000)
    tfjs.export(lstms, tmp_path / "out")
    (group,) = held(tmp_path / "out")["weightsManifest"]
    shards = [(tmp_path / "out" / name).read_bytes() for name in group["paths"]]
    assert len(shards) > 2 and all(len(shard) <= 10_000 for shard in shards)
    stored = np.frombuffer(b"".join(shards), "<f4")
    trained = [values for layer in files.read(lstms).layers for values in layer.weights.values()]
    assert np.array_equal(stored, np.concatenate([values.ravel() for values in trained]))
    assert [spec["shape"] for spec in group["weights"]] == [list(values.shape) for values in trained]


def test_no_file_is_larger_than_4_mb(kit, tmp_path):
    big = kit.save(kit.lstms(kit.keras, units=300), tmp_path / "big.keras")
    tfjs.export(big, tmp_path / "out")
    sizes = [file.stat().st_size for file in (tmp_path / "out").glob("*.bin")]
    assert max(sizes) == 4 << 20 and len(sizes) > 1


def test_the_vocabulary_goes_with_the_model(lstms, tmp_path):
    named = tmp_path / "named.h5"
    named.write_bytes(lstms.read_bytes())
    characters = (*vocabulary.DEFAULT[:-1], "é")
    content = vocabulary.VocabularyFile(characters, (0, *range(97)), "a text")
    vocabulary.write(named.with_suffix(".json"), content)
    tfjs.export(named, tmp_path / "out")
    assert vocabulary.read(tmp_path / "out" / "vocabulary.json") == content
    said = held(tmp_path / "out")["userDefinedMetadata"]
    assert (said["vocabulary"], said["counts"]) == (list(characters), [0, *range(97)])
    assert (said["text"], said["notes"]) == ("a text", [])


def test_what_tfjs_cannot_compute_is_refused_by_name(kit, tmp_path):
    behind = kit.save(kit.gru(kit.keras, reset_after=True), tmp_path / "behind.keras")
    with pytest.raises(
        ModelError, match=r"behind.keras cannot run in a browser: the reset gate .*reset_after"
    ):
        tfjs.export(behind, tmp_path / "out")
    layers = kit.keras.layers
    cell = layers.LSTM(8, activation="hard_sigmoid", return_sequences=True)
    odd = kit._chain(kit.keras, layers.Embedding(kit.SIZE, 4), cell)
    with pytest.raises(ModelError, match="Keras 3's hard_sigmoid as its activation"):
        tfjs.export(kit.save(odd, tmp_path / "odd.keras"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_is_said(lstms, tmp_path):
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(InferenceError, match="taken cannot be written"):
        tfjs.export(lstms, tmp_path / "taken")


def export(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "inference", "export", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


def test_the_command_writes_a_folder_and_refuses_what_is_no_character_model(lstms, tmp_path):
    done = export(lstms, "--format", "tfjs", "-o", tmp_path / "out")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert {file.name for file in (tmp_path / "out").iterdir()} == {
        "model.json", "vocabulary.json", "group1-shard1of1.bin",
    }  # fmt: skip
    (tmp_path / "none.h5").write_text("no model")
    for source, form, said in (
        ("none.h5", ("--format", "tfjs"), "no HDF5 file"),
        ("missing.h5", ("--format", "tfjs"), "There is no model missing.h5."),
        (lstms.name, (), "--format tfjs"),
    ):
        refused = export(tmp_path / source, *form, "-o", tmp_path / "other")
        assert refused.returncode == 2 and said in refused.stderr and "Traceback" not in refused.stderr
        assert str(tmp_path) not in refused.stderr


def test_tfjs_is_pinned_by_its_hash_and_by_no_address():
    lock, asked = json.loads(LOCK.read_text()), json.loads(LOCK.with_name("package.json").read_text())
    packages = lock["packages"]
    assert packages.keys() == {"", "node_modules/@tensorflow/tfjs"}
    pinned = packages["node_modules/@tensorflow/tfjs"]
    assert asked["dependencies"] == {"@tensorflow/tfjs": pinned["version"]}
    assert (
        pinned["integrity"].startswith("sha512-")
        and "resolved" not in pinned
        and "://" not in LOCK.read_text()
    )
    tracked = subprocess.run(
        ["git", "ls-files", "tfjs"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    ).stdout
    assert not [name for name in tracked.split() if name.startswith("tfjs/served")]
