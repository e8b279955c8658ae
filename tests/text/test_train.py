"""`python -m inference train-text`: small networks really trained, on texts of a few thousand characters."""

from __future__ import annotations

import json
import random
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import h5py
import numpy as np
import pytest

from inference.__main__ import main
from inference.errors import RequestError
from inference.settings import HERE
from inference.text import files, vocabulary
from inference.training import corpus

WORDS = ("the", "cat", "sat", "on", "a", "mat", "and", "saw", "two", "red", "hens", "run", "far", "off")
SMALL = ("--rnn-size", "32", "--embedding-size", "8", "--batch-size", "8", "--seq-len", "16")
EAGER = ("--learning-rate", "0.01", "--random-state", "0", "--verbosity", "json")


def sentences(count: int) -> str:
    drawn = random.Random(1)
    return "".join(" ".join(drawn.choices(WORDS, k=6)) + ".\n" for _ in range(count))


@dataclass
class Trained:
    folder: Path
    model: Path
    losses: list[float]
    validations: list[float]
    said: str


def by_epoch(lines: str) -> tuple[list[float], list[float]]:
    """The loss and the validation loss of each epoch, from the lines of JSON."""
    epochs = [line for line in map(json.loads, lines.splitlines()) if "epoch" in line]
    assert [line["epoch"] for line in epochs] == list(range(1, len(epochs) + 1))
    return [line["loss"] for line in epochs], [line["validation_loss"] for line in epochs]


def loss_of(model: Path, text: str, rows: int) -> float:
    """The mean loss (nats a character) of a file's model on a text, whose rows it reads in one go."""
    import keras

    ids = np.array(vocabulary.encode(text, vocabulary.read(model.with_suffix(".json")).characters))
    row = (len(ids) - 1) // rows
    places = row * np.arange(rows)[:, np.newaxis] + np.arange(row // 16 * 16)
    chances = keras.saving.load_model(model, compile=False).predict(ids[places], verbose=0)
    return float(-np.log(np.take_along_axis(chances, ids[places + 1][..., np.newaxis], axis=-1)).mean())


@pytest.fixture
def train(capsys) -> Callable[..., Trained]:
    def run(folder: Path, model: Path, *arguments: str, status: int = 0) -> Trained:
        flags = ["--data-dir", str(folder), "--checkpoint-path", str(model), *arguments]
        assert main(["train-text", *flags]) == status
        said = capsys.readouterr()
        return Trained(folder, model, *by_epoch(said.out), said.err)

    return run


@pytest.fixture
def texts(tmp_path) -> Path:
    folder = tmp_path / "hens"
    folder.mkdir()
    (folder / "a.txt").write_text(sentences(150))
    return folder


def held_out(folder: Path) -> str:
    text = corpus.read(folder)
    return text[len(text) - len(text) // 10 :]


def test_a_network_learns_and_is_written_with_its_vocabulary(texts, tmp_path, train) -> None:
    logs = ("--log-dir", str(tmp_path / "logs"))
    done = train(texts, tmp_path / "m.h5", *SMALL, *EAGER, *logs, "--num-epochs", "3")
    assert len(done.losses) == 3
    # knowing only how often each letter stands in the text gives 2.8
    assert done.losses[0] > 2.2 > 1.9 > done.validations[-1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["hens", "logs", "m.h5", "m.json"]
    beside = vocabulary.read(tmp_path / "m.json")
    text = corpus.read(texts)
    assert beside.characters == vocabulary.DEFAULT
    assert beside.counts is not None and beside.text == "hens"
    assert {c: n for c, n in zip(beside.characters, beside.counts, strict=True) if n} == {
        c: text.count(c) for c in set(text)
    }
    with h5py.File(tmp_path / "m.h5") as file:
        assert set(file) == {"model_weights"} and "training_config" not in file.attrs
    model = files.read(tmp_path / "m.h5")
    assert [(layer.kind, layer.weights.get("kernel", np.empty(0)).shape) for layer in model.layers] == [
        ("Embedding", (0,)), ("LSTM", (8, 128)), ("Dense", (32, 98)),
    ]  # fmt: skip
    assert model.notes == ()
    shown = logged(tmp_path / "logs")
    assert shown == {"train": pytest.approx(done.losses), "validation": pytest.approx(done.validations)}
    # read in one go, so that it is what was said only if memory was carried from window to window
    assert loss_of(done.model, held_out(texts), 8) == pytest.approx(min(done.validations), abs=1e-4)


def logged(folder: Path) -> dict[str, list[float]]:
    """What TensorBoard would show, by curve: the float32 of each epoch."""
    import tensorflow as tf
    from tensorflow.core.util.event_pb2 import Event

    found = {}
    for curve in folder.iterdir():
        (path,) = curve.iterdir()
        events = [Event.FromString(record.numpy()) for record in tf.data.TFRecordDataset(str(path))]
        values = [value for event in events for value in event.summary.value]
        assert {value.tag for value in values} == {"loss"}
        assert {value.metadata.plugin_data.plugin_name for value in values} == {"scalars"}
        found[curve.name] = [float(tf.make_ndarray(value.tensor)) for value in values]
    return found


def test_what_is_kept_is_the_best_epoch_not_the_last(tmp_path, train) -> None:
    folder = tmp_path / "texts"
    folder.mkdir()
    drawn = random.Random(2)
    # the more surely it knows the alphabet by heart, the worse it does where the same letters come at random
    noise = "".join(drawn.choices("abcdefghijklm", k=600))
    (folder / "a.txt").write_text("abcdefghijklm" * 400 + noise)
    done = train(folder, tmp_path / "m.h5", *SMALL, *EAGER, "--num-epochs", "4")
    best = min(done.validations)
    assert best < done.validations[-1] - 0.1
    assert loss_of(done.model, held_out(folder), 8) == pytest.approx(best, abs=1e-4)
    number = done.validations.index(best) + 1
    assert done.said.splitlines()[-1].startswith(f"{done.model} holds the model of epoch {number}, ")


def test_restore_goes_on_and_keeps_the_better_one(texts, tmp_path, train) -> None:
    model = tmp_path / "m.keras"
    alone = ("--cell", "gru", "--num-layers", "2", "--vocabulary", "text", "--rnn-size", "24")
    first = train(texts, model, *alone, *EAGER, "--batch-size", "8", "--num-epochs", "2")
    assert vocabulary.read(tmp_path / "m.json").characters == ("", *sorted(set(corpus.read(texts))))
    steps = (*EAGER, "--batch-size", "8", "--num-epochs", "1", "--restore")
    on = train(texts, model, *steps)
    assert f"validation loss of {first.validations[-1]:.3f} nats" in on.said.splitlines()[0]
    assert on.validations[0] < first.validations[-1]
    assert on.losses[0] < first.losses[-1]
    kept = model.read_bytes()
    worse = train(texts, model, *steps, "--learning-rate", "5")
    assert worse.validations[0] > on.validations[0]
    assert worse.said.splitlines()[-1] == f"{model} is as it was: no epoch ended that was better."
    assert model.read_bytes() == kept


def test_a_random_state_repeats_a_training(texts, tmp_path, train) -> None:
    once, again = (
        train(texts, tmp_path / name, *SMALL, *EAGER, "--num-epochs", "1") for name in ("1.h5", "2.h5")
    )
    assert again.losses == pytest.approx(once.losses, abs=1e-5)
    assert again.validations == pytest.approx(once.validations, abs=1e-5)


def test_an_interruption_leaves_what_was_learned(texts, tmp_path) -> None:
    flags = ("--data-dir", texts, "--checkpoint-path", tmp_path / "m.h5", *SMALL, "--num-epochs", "100000")
    process = subprocess.Popen(
        [sys.executable, "-m", "inference", "train-text", *map(str, flags)],
        cwd=HERE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None and process.stderr is not None
    try:
        said: list[str] = []
        while not said or not said[-1].startswith("Epoch 2 of 100000: loss"):
            said.append(process.stderr.readline())
            assert said[-1], "".join(said)
        process.send_signal(signal.SIGINT)
        out, rest = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    assert "Traceback" not in rest and out == ""
    last = rest.splitlines()[-1]
    assert last.startswith(f"{tmp_path / 'm.h5'} holds the model of epoch ") and " bits)." in last
    # after each epoch stands a text that it writes by then, behind the first characters held back
    assert held_out(texts)[:16].splitlines()[0] in "".join(said)
    assert files.read(tmp_path / "m.h5").vocabulary.characters == vocabulary.DEFAULT


def test_a_model_that_does_not_fit_on_the_disk_leaves_the_one_before_with_its_vocabulary(
    texts, tmp_path, train
) -> None:
    model = tmp_path / "m.h5"
    train(texts, model, *SMALL, *EAGER, "--num-epochs", "1")
    before = [file.read_bytes() for file in (model, model.with_suffix(".json"))]
    more = ("--overwrite", "--vocabulary", "text", "--num-epochs", "1", "--verbosity", "none")
    flags = ("--data-dir", texts, "--checkpoint-path", model, *SMALL, *more)
    done = subprocess.run(
        [sys.executable, "-m", "inference", "train-text", *map(str, flags)],
        cwd=HERE, capture_output=True, text=True, timeout=120,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)),
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(f"error: {model} cannot be written: ")
    assert [file.read_bytes() for file in (model, model.with_suffix(".json"))] == before
    assert sorted(file.name for file in tmp_path.iterdir()) == ["hens", "m.h5", "m.json"]


def test_texts_of_all_folders_are_read_in_order(tmp_path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "second.TXT").write_bytes("\ufeffzwei\r\ndrei\r\n".encode())
    (tmp_path / "a.txt").write_text("eins")
    (tmp_path / "c.txt").write_text("")
    (tmp_path / "notes.md").write_text("no text")
    assert corpus.read(tmp_path) == "eins\nzwei\ndrei\n"


def test_each_row_of_a_batch_goes_on_in_the_next() -> None:
    ids = np.arange(1000, dtype=np.int32)
    learn, held = corpus.split(ids, 4, 8, 0.1)
    windows = list(learn)
    assert len(windows) == len(learn) == 28 and learn.characters == 28 * 32
    for (one, _), (other, _) in pairwise(windows):
        np.testing.assert_array_equal(other[:, 0], one[:, -1] + 1)
    for read, following in (*windows, *held):
        assert read.shape == (4, 8)
        np.testing.assert_array_equal(following, read + 1)
    assert max(read.max() for read, _ in windows) < 900 <= min(read.min() for read, _ in held)


@pytest.mark.parametrize(
    ("rows", "window", "share"), [(8, 16, 0.1), (128, 32, 0.1), (3, 50, 0.5), (7, 1, 0.01)]
)
def test_as_many_characters_as_an_error_asks_for_are_enough(rows, window, share) -> None:
    with pytest.raises(RequestError) as caught:
        corpus.split(np.zeros(0, np.int32), rows, window, share)
    needed = int(caught.value.args[0].rpartition("at least ")[2].partition(":")[0].replace(",", ""))
    for part in corpus.split(np.zeros(needed, np.int32), rows, window, share):
        assert len(part) >= 1
    with pytest.raises(RequestError):
        corpus.split(np.zeros(needed - 3, np.int32), rows, window, share)


@pytest.mark.parametrize(
    ("change", "arguments", "sentence"),
    [
        (None, ["--data-dir", "{}/none"], "there is no folder {}/none"),
        (None, ["--data-dir", "{}/hens/a.txt"], "{}/hens/a.txt is a file: name the folder that it is in"),
        (None, ["--data-dir", "{}/empty"], "{}/empty holds no text: what is read are files"),
        ("", [], "{}/hens holds no text: each of its .txt files is empty"),
        ("gr\xfc\xdfe".encode("latin-1"), [], "{}/hens/a.txt is no UTF-8 text (its byte 2 is none)"),
        ("too short", [], "the text has 9 characters, and --batch-size 128, --seq-len 32 and"),
        (None, ["--checkpoint-path", "{}/m.txt"], "m.txt is no name of a model: it has to end in"),
        (None, ["--checkpoint-path", "{}/none/m.h5"], "{}/none is no folder that m.h5 can be written into"),
        (None, ["--checkpoint-path", "{}/old.h5"], "{}/old.h5 is there: --restore goes on from a model"),
        (None, ["--checkpoint-path", "{}/old.keras"], "{}/old.json is there: --restore goes on from a model"),
        (None, ["--restore"], "there is no {}/m.h5 to go on from: leave out --restore to begin it"),
        (None, ["--restore", "--rnn-size", "8"], "--rnn-size cannot be given with --restore: m.h5 says"),
        (None, ["--log-dir", "{}/hens/a.txt"], "{}/hens/a.txt cannot be a folder for logs"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_said(change, arguments, sentence, texts, tmp_path, capsys) -> None:
    if change is not None:
        (texts / "a.txt").write_bytes(change if isinstance(change, bytes) else change.encode())
    for name in ("old.h5", "old.json"):
        (tmp_path / name).write_text("mine")
    (tmp_path / "empty").mkdir()
    defaults = ["--data-dir", "{}/hens", "--checkpoint-path", "{}/m.h5"]
    given = [argument.replace("{}", str(tmp_path)) for argument in (*defaults, *arguments)]
    assert main(["train-text", *given]) == 2
    error = capsys.readouterr().err
    assert error.startswith("python -m inference train-text: error: " + sentence.replace("{}", str(tmp_path)))
    assert (tmp_path / "old.h5").read_text() == (tmp_path / "old.json").read_text() == "mine"
    assert not (tmp_path / "m.h5").exists()


SIZES = ("rnn-size", "embedding-size", "num-layers", "batch-size", "seq-len", "num-epochs")


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        *[(f"--{size}", "0") for size in SIZES],
        *[("--rnn-size", value) for value in ("-1", "1.5", "many", "100001")],
        *[("--drop-rate", value) for value in ("1", "-0.1", "nan", "none")],
        *[("--learning-rate", value) for value in ("0", "-1", "nan", "inf")],
        ("--clip-norm", "0"),
        *[("--validation-split", value) for value in ("0", "0.6", "nan")],
        *[("--random-state", value) for value in ("-1", "4294967296")],
        ("--cell", "rnn"),
    ],
)
def test_a_number_out_of_its_range_is_refused(flag, value, texts, capsys) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["train-text", "--data-dir", str(texts), flag, value])
    assert ended.value.code == 2
    assert f"error: argument {flag}: " in capsys.readouterr().err


def test_a_model_of_another_kind_is_not_trained_on(texts, tmp_path, capsys) -> None:
    model = tmp_path / "m.h5"
    model.write_bytes((HERE / "models" / "best_model.h5").read_bytes())
    flags = ["--data-dir", str(texts), "--checkpoint-path", str(model), "--restore"]
    assert main(["train-text", *flags]) == 1
    assert capsys.readouterr().err.startswith("error: m.h5 cannot be run: ")


def test_what_makes_no_sense_is_said_before_tensorflow_is_loaded(tmp_path) -> None:
    code = (
        "import sys\nfrom inference.__main__ import main\n"
        "status = main(['train-text', '--data-dir', 'no such folder'])\n"
        "sys.exit(99 if {'tensorflow', 'keras'} & set(sys.modules) else status)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=HERE, capture_output=True).returncode == 2


def test_characters_outside_the_vocabulary_are_said(texts, tmp_path, train) -> None:
    (texts / "a.txt").write_text(sentences(20) + "Öl für Bär")
    done = train(texts, tmp_path / "m.h5", *SMALL, *EAGER, "--num-epochs", "1")
    assert done.said.splitlines()[0] == "Not in the vocabulary, and learned as one unknown character: Ö ü ä"
    counts = vocabulary.read(tmp_path / "m.json").counts
    assert counts is not None and counts[0] == 3
