"""`python -m inference generate` as it is used in a shell."""

import importlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from inference.__main__ import main
from inference.messages import TextOptions
from inference.settings import HERE
from inference.text import vocabulary
from tests.kit import char_models as kit
from tests.kit.char_models import LETTERS, recurrent
from tests.text.writing import network, written

SEED = "a bad "


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("generate")


@pytest.fixture(scope="module")
def model(folder):
    return kit.write(folder / "model.h5", kit.entries(recurrent("LSTM", 64)))


def command(folder, *arguments):
    cached = ["--cache", str(folder / "cache")] if "generate" in arguments else []
    return [sys.executable, "-m", "inference", *map(str, arguments), *cached]


def run(folder, *arguments, **options):
    return subprocess.run(
        command(folder, "generate", *arguments),
        **{"cwd": HERE, "capture_output": True, "text": True, "encoding": "utf-8", "timeout": 60} | options,
    )


def test_only_the_text_goes_to_stdout_and_a_random_state_repeats_it(folder, model):
    first = run(folder, "--checkpoint-path", model, "--seed", SEED)
    assert first.returncode == 0 and first.stdout.startswith(SEED) and len(first.stdout) == len(SEED) + 512
    (state,) = re.fullmatch(r"--random-state (\d+) gives this text again\.\n", first.stderr).groups()
    again = run(folder, "--checkpoint-path", model, "--seed", SEED, "--random-state", state, "--top-n", "10")
    assert again.stdout == first.stdout and again.stderr == ""
    options = TextOptions(10, 1.0, int(state))
    assert first.stdout == SEED + vocabulary.decode(written(network(model), SEED, 512, options), LETTERS)


def test_temperature_top_n_and_length_are_as_asked(folder, model):
    done = run(
        *(folder, "--checkpoint-path", model, "--seed", SEED, "--length", "7", "--top-n", "3"),
        *("--temperature", "2.5", "--random-state", "4"),
    )
    options = TextOptions(3, 2.5, 4)
    assert done.stdout == SEED + vocabulary.decode(written(network(model), SEED, 7, options), LETTERS)


def test_a_character_that_the_model_does_not_know_is_kept_and_said(folder, model):
    given = ("--checkpoint-path", model, "--length", "20", "--random-state", "1", "--seed")
    done = run(folder, *given, "aéa\r😀é")
    assert done.returncode == 0 and done.stdout.startswith("aéa\r😀é".replace("\r", "\n"))
    assert re.search(r"does not know 'é', '\\r', '😀'", done.stderr)


def test_a_seed_is_taken_from_a_text(folder, model):
    text = folder / "book.txt"
    text.write_text("abcdefgh" * 20, encoding="utf-8")
    given = ("--checkpoint-path", model, "--text-path", text, "--length", "5")
    seeds = set()
    for state in range(4):
        done = run(folder, *given, "--random-state", state)
        seeds.add(done.stdout[:-5])
        assert done.returncode == 0 and done.stdout[:-5] in text.read_text()
    assert {len(seed) for seed in seeds} <= {2, 4, 8, 16, 32} and len(seeds) > 1
    assert run(folder, *given, "--random-state", 3).stdout == done.stdout


def test_it_comes_as_it_is_written_and_a_closed_pipe_is_a_quiet_end(folder, model):
    writing = subprocess.Popen(
        command(folder, "generate", "--checkpoint-path", model, "--seed", SEED, "--length", "100000"),
        cwd=HERE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    with writing:
        assert writing.stdout.read(20).startswith(SEED)
        # of the processor, as others may use it, too; the whole text takes some four seconds of it
        assert psutil.Process(writing.pid).cpu_times().user < 1.5, "it came only in the end"
        writing.stdout.close()
        assert writing.wait(30) == 0
        assert "rror" not in writing.stderr.read()


def test_head_takes_a_line_and_nobody_complains(folder, model):
    line = " ".join(
        map(
            str,
            command(folder, "generate", "--checkpoint-path", model, "--seed", "'a\nb'", "--length", "99999"),
        )
    )
    done = subprocess.run(
        ["bash", "-c", f"{line} | head -n 1; echo ${{PIPESTATUS[0]}}"],
        cwd=HERE, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.stdout == "a\n0\n" and "rror" not in done.stderr and done.stderr.count("\n") == 1


def test_an_interruption_ends_it(folder, model):
    writing = subprocess.Popen(
        command(folder, "generate", "--checkpoint-path", model, "--seed", SEED, "--length", "100000"),
        cwd=HERE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    with writing:
        writing.stdout.read(20)
        writing.send_signal(signal.SIGINT)
        writing.stdout.read()
        assert writing.wait(30) == 130 and "Traceback" not in writing.stderr.read()


def test_an_interruption_while_its_libraries_are_loaded_ends_it_as_quietly(monkeypatch, capsys):
    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(importlib, "import_module", interrupted)
    assert main(["generate", "--seed", SEED]) == 130
    assert capsys.readouterr() == ("", "")


def test_a_full_disk_is_said(folder, model):
    with Path("/dev/full").open("w") as full:
        done = run(
            *(folder, "--checkpoint-path", model, "--seed", SEED),
            capture_output=False, stdout=full, stderr=subprocess.PIPE,
        )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "error: The text cannot be written: No space left on device."


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (["--seed", ""], "seed is missing or empty"),
        (["--seed", "a", "--top-n", "0"], "top_n must be a whole number from 1 to 999999999999999, not '0'"),
        (["--seed", "a", "--top-n", "-3"], "top_n must be"),
        (["--seed", "a", "--temperature", "0"], "temperature must be a number"),
        (["--seed", "a", "--temperature", "-1"], "temperature must be a number"),
        (["--seed", "a", "--temperature", "nan"], "temperature must be a number"),
        (["--seed", "a", "--length", "100001"], "length must be a whole number from 1 to 100000"),
        (["--seed", "a", "--length", "0"], "length must be"),
        (["--seed", "a", "--random-state", "-1"], "random_state must be"),
        (["--seed", "a", "--text-path", "x"], "not allowed with argument --seed"),
        ([], "one of the arguments --seed --text-path is required"),
        (["--text-path", "none.txt"], r"The text none\.txt cannot be read: No such file"),
        (["--text-path", "."], "cannot be read: Is a directory"),
        (["--text-path", "empty.txt"], r"empty\.txt is too short for a seed: 0 characters"),
        (["--text-path", "latin.txt"], r"latin\.txt is no text in UTF-8 \(see its byte 2\)"),
        (["--seed", "a", "--checkpoint-path", "none.h5"], r"There is no model none\.h5"),
        (["--seed", "a", "--checkpoint-path", "empty.h5"], r"empty\.h5 is no model: .* an empty file"),
        (["--seed", "a", "--checkpoint-path", "empty.txt"], r"empty\.txt is no model file"),
        (["--seed", "a", "--checkpoint-path", "pose.h5"], r"pose\.h5 (is no character model|cannot be run)"),
    ],
)
def test_what_makes_no_sense_is_said_with_status_2(folder, model, arguments, match, capfd, monkeypatch):
    from inference.__main__ import main

    for name, content in (("empty.txt", b""), ("latin.txt", b"ab\xe9cd"), ("empty.h5", b"")):
        (folder / name).write_bytes(content)
    (folder / "pose.h5").write_bytes((HERE / "models" / "best_model.h5").read_bytes())
    monkeypatch.chdir(folder)
    given = ["generate", "--checkpoint-path", str(model), "--cache", str(folder / "cache"), *arguments]
    try:
        status = main(given)
    except SystemExit as ended:
        status = ended.code
    said = capfd.readouterr()
    assert status == 2 and said.out == "" and re.search(match, said.err), said.err
    assert "Traceback" not in said.err and str(folder) not in said.err.splitlines()[-1]


def test_a_top_n_above_the_vocabulary_takes_all_of_it(folder, model):
    given = ("--checkpoint-path", model, "--seed", "a", "--random-state", "1", "--length", "40", "--top-n")
    all_of_it, more = run(folder, *given, len(LETTERS)), run(folder, *given, 10**12)
    assert more.returncode == 0 and more.stdout == all_of_it.stdout


def test_neither_tensorflow_nor_what_the_other_commands_need_is_imported(folder, model):
    given = ["generate", "--checkpoint-path", str(model), "--seed", "a", "--cache", str(folder / "cache")]
    code = f"import sys; from inference.__main__ import main; main({given!r}); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=HERE, capture_output=True, text=True, timeout=60)
    imported = set(done.stdout.splitlines()[-1].split())
    heavy = {"tensorflow", "keras", "tf_keras", "openvino", "flask", "sleap_io", "cv2", "scipy", "zmq", "av"}
    assert "numpy" in imported and not imported & heavy


def test_a_hundred_characters_take_hardly_longer_than_python_s_start(folder, model):
    given = ("--checkpoint-path", model, "--seed", SEED, "--length", "100")
    run(folder, *given)
    spent = []
    for _ in range(3):
        before, began = os.times(), time.monotonic()
        assert run(folder, *given).returncode == 0
        after = os.times()
        processor = (
            after.children_user + after.children_system - before.children_user - before.children_system
        )
        spent.append(min(processor, time.monotonic() - began))
    # of the processor, as others may use it, too
    assert min(spent) < 1.5


@pytest.mark.parametrize("name", ["predict", "generate", "export", "doctor"])
def test_every_command_has_its_help(folder, name):
    done = subprocess.run(
        command(folder, name, "--help"), cwd=HERE, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0 and f"python -m inference {name}" in done.stdout
    assert "--" in done.stdout.replace("--help", "")


def test_the_list_of_commands_needs_none_of_them(folder):
    done = subprocess.run(command(folder, "--help"), cwd=HERE, capture_output=True, text=True, timeout=60)
    assert (
        done.returncode == 0
        and "generate" in done.stdout
        and "write text with a character model" in done.stdout
    )
    assert (
        subprocess.run(command(folder, "nothing"), cwd=HERE, capture_output=True, timeout=60).returncode == 2
    )
