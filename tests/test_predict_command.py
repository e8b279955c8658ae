"""`python -m inference predict` as its users call it: real models, and a cut in the middle."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import sleap_io

from inference.journal import read
from inference.settings import HERE
from tests.kit import barcode

BOTTOMUP = "minimal_instance.UNet.bottomup"
PAIR = ("minimal_instance.UNet.centered_instance", "minimal_instance.UNet.centroid")


def command(*arguments) -> list[str]:
    return [sys.executable, "-m", "inference", *map(str, arguments)]


def run(*arguments, status: int = 0) -> subprocess.CompletedProcess:
    done = subprocess.run(command(*arguments), cwd=HERE, capture_output=True, text=True, timeout=170)
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture(scope="module")
def sleap(shared_data) -> Path:
    return shared_data / "sleap"


def points(path: Path) -> dict[int, list]:
    labels = sleap_io.load_slp(str(path), open_videos=False)
    return {
        frame.frame_idx: [
            (one.track and one.track.name, one.score, one.numpy().tolist()) for one in frame.instances
        ]
        for frame in labels.labeled_frames
    }


@pytest.fixture(scope="module")
def whole(sleap, tmp_path_factory) -> Path:
    """An undisturbed run, one worker, so that batches are the same each time."""
    out = tmp_path_factory.mktemp("whole") / "whole.slp"
    done = run(
        "predict", sleap / "videos" / "centered_pair_small.mp4", "-m", sleap / "models" / BOTTOMUP,
        "-o", out, "--frames", "0-149", "--verbosity", "json", "--n_servers", 1,
    )  # fmt: skip
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert lines[-1]["what"] == "Writing whole.slp"
    assert any(line["what"] == "centered_pair_small.mp4" and line["total"] == 150 for line in lines)
    assert lines[-1]["done"] == lines[-1]["total"] == 150
    return out


def test_a_run_that_was_killed_goes_on_to_the_same_result(sleap, whole, tmp_path):
    out = tmp_path / "cut.slp"
    arguments = command(
        "predict", sleap / "videos" / "centered_pair_small.mp4", "-m", sleap / "models" / BOTTOMUP,
        "-o", out, "--frames", "0-149", "--verbosity", "json", "--n_servers", 1,
    )  # fmt: skip
    with subprocess.Popen(
        arguments, cwd=HERE, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as cut:
        while (line := json.loads(cut.stdout.readline()))["done"] < 30:
            assert line["total"] == 150
        os.killpg(cut.pid, signal.SIGKILL)
    assert not out.exists()
    held = read(tmp_path / "cut.slp.journal")
    assert 30 <= len(held.frames) < 150
    again = subprocess.run(arguments, cwd=HERE, capture_output=True, text=True, timeout=170, check=True)
    first = json.loads(again.stdout.splitlines()[0])
    assert first["done"] > len(held.frames)  # what was done is not done again
    one, other = points(whole), points(out)
    assert one.keys() == other.keys() == set(range(150))
    for frame in one:
        assert [(track, len(found)) for track, _, found in one[frame]] == [
            (track, len(found)) for track, _, found in other[frame]
        ]
        for (_, score, found), (_, score_again, found_again) in zip(one[frame], other[frame], strict=True):
            assert score == pytest.approx(score_again, abs=1e-5)
            np.testing.assert_allclose(found, found_again, atol=1e-4)
    assert not (tmp_path / "cut.slp.journal").exists()


def test_the_result_says_where_it_comes_from_and_tracks_are_on(whole):
    labels = sleap_io.load_slp(str(whole), open_videos=False)
    said = labels.provenance
    assert said["frames"]["predicted"] == 150 and said["frames"]["failed"] == 0
    assert len(said["video"]["sha256"]) == 64
    assert set(said["models"][0]["sha256"]) == {"best_model.h5", "training_config.json"}
    assert said["settings"]["tracking"]["candidates"] == "simple"
    assert {"tensorflow", "python", "numpy"} <= said["versions"].keys()
    assert len(labels.tracks) >= 2


def test_a_pair_some_frames_and_a_folder_of_videos(sleap, tmp_path):
    videos = tmp_path / "videos"
    videos.mkdir()
    for name in ("one.mp4", "two.mp4"):
        (videos / name).symlink_to(sleap / "videos" / "centered_pair_small.mp4")
    run(
        "predict", videos, *(option for model in PAIR for option in ("-m", sleap / "models" / model)),
        "-o", tmp_path / "out", "--format", "csv", "--frames", "3,5-7,2000", "--verbosity", "none",
        "-n", 1, "--tracking.tracker", "none", "--peak_threshold", 0.3,
    )  # fmt: skip
    files = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert files == ["one.mp4.predictions.csv", "two.mp4.predictions.csv"]
    rows = (tmp_path / "out" / files[0]).read_text().splitlines()
    assert [row.split(",")[1] for row in rows[1:]] == ["3", "5", "6", "7"]


def test_flow_and_few_tracks_over_the_whole_recording(sleap, tmp_path):
    run(
        "predict", sleap / "videos" / "centered_pair_small.mp4", "-m", sleap / "models" / BOTTOMUP,
        "-o", tmp_path / "flow.slp", "--frames", "0-19", "--verbosity", "none", "--tracking.tracker", "flow",
        "--tracking.max_tracks", 2, "--tracking.clean_instance_count", 2, "--no-empty-frames",
    )  # fmt: skip
    labels = sleap_io.load_slp(str(tmp_path / "flow.slp"), open_videos=False)
    assert {track.name for track in labels.tracks} <= {"track_0", "track_1"}
    assert all(0 < len(frame.instances) <= 2 for frame in labels.labeled_frames)


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["predict"], 2, "VIDEO"),
        (["predict", "no.mp4", "-m", "models/best_model.h5"], 1, "There is no video no.mp4"),
        (["predict", "data/flies.mp4", "-m", "no"], 1, "There is no model no"),
        (["predict", "models", "-m", "models/best_model.h5"], 1, "holds no video"),
        (["predict", "data/flies.mp4", "-m", "models/best_model.h5", "--frames", "9-5"], 2, "no frame"),
        (
            ["predict", "data/flies.mp4", "-m", "models/best_model.h5", "-o", "x.docx"],
            2,
            "says no format",
        ),
        (["predict", "data/flies.mp4", "-m", "models/best_model.h5", "-o", "/no/x.slp"], 2, "no folder /no"),
        (["export", "no-such-run", "-o", "x.slp"], 1, "no recorded run"),
        (["export", "no-such-run", "-o", "x.docx"], 2, "says no format"),
        (["nonsense"], 2, "invalid choice"),
    ],
)
def test_what_makes_no_sense_is_one_sentence(arguments, status, said):
    done = run(*arguments, status=status)
    assert said in done.stderr
    assert len([line for line in done.stderr.splitlines() if "error" in line]) == 1


def test_a_broken_video_does_not_keep_the_others_from_being_done(tmp_path):
    (tmp_path / "text.mp4").write_text("this is text")
    barcode.write(tmp_path / "whole.avi", 6, width=384, height=384)
    done = run(
        "predict", tmp_path / "text.mp4", tmp_path / "whole.avi", "-m", HERE / "models" / "best_model.h5",
        "-o", tmp_path / "out", "--verbosity", "none", status=1,
    )  # fmt: skip
    assert "error: text.mp4:" in done.stderr
    assert [path.name for path in (tmp_path / "out").glob("*.slp")] == ["whole.avi.predictions.slp"]
