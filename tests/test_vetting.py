"""Whether a model may be computed less exactly: real models tried on a real video, and who is refused."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from inference import vetting
from inference.engines.converted import Cache
from inference.engines.openvino import OpenVINOEngine
from inference.errors import ModelError, VideoError
from inference.predictors.pose import PosePredictor
from inference.video import Video
from tests.conftest import ROOT
from tests.kit import barcode

BOTTOM_UP = "minimal_instance.UNet.bottomup"
TOUCHY = "min_tracks_2node.UNet.bottomup_multiclass"
PAIR = ("minimal_instance.UNet.centroid", "minimal_instance.UNet.centered_instance")


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return Cache(tmp_path_factory.mktemp("cache"), 1 << 30)


@pytest.fixture
def sleap(shared_data):
    return shared_data / "sleap"


@pytest.fixture(scope="module")
def short(shared_data, tmp_path_factory):
    """60 frames of the video, where it does not matter which."""
    with Video(shared_data / "sleap" / "videos" / "centered_pair_small.mp4") as video:
        frames = list(video.frames(0, 60))
    return barcode.write_frames(tmp_path_factory.mktemp("short") / "short.mp4", frames)


@pytest.fixture(scope="module", autouse=True)
def coarse_numbers():
    import openvino

    if "BF16" not in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        pytest.skip("this processor does not compute with 16 bits")


def vet(cache, sleap, video, precision, *models, tell=lambda step: None):
    paths = [sleap / "models" / model for model in sorted(models)]
    return vetting.vet(
        paths, sleap / "videos" / video, precision, cache=cache, allow_model_code=False, tell=tell
    )


@pytest.mark.parametrize("precision", ["fast", "int8"])
def test_a_model_that_agrees_serves_and_is_tried_once(cache, sleap, precision):
    steps: list[str] = []
    folder = vet(cache, sleap, "centered_pair_small.mp4", precision, BOTTOM_UP, tell=steps.append)
    assert len(steps) == 1
    assert precision in steps[0] and "centered_pair_small.mp4" in steps[0]
    assert vet(cache, sleap, "centered_pair_small.mp4", precision, BOTTOM_UP, tell=steps.append) == folder
    assert len(steps) == 1

    open_engine = vetting.open_calibrated(cache, folder, precision)
    model = sleap / "models" / BOTTOM_UP
    predictor = PosePredictor(model, threads=1, allow_model_code=False, open_engine=open_engine)
    predictor.setup()
    assert predictor.info.engine.endswith("int8" if precision == "int8" else "bfloat16")
    frames = vetting.sample(sleap / "videos" / "centered_pair_small.mp4")
    assert (len(frames.calibration), len(frames.check), frames.size) == (64, 128, (384, 384))
    found = vetting.predict(predictor, frames.check[:4])
    assert all(len(one.instances) for one in found)


@pytest.mark.parametrize("damage", ["verdict", "model"])
def test_a_damaged_outcome_is_made_again(cache, sleap, short, damage):
    folder = vet(cache, sleap, short, "int8", BOTTOM_UP)
    (model,) = folder.glob("*/model.bin")
    os.truncate(model if damage == "model" else folder / "verdict.json", 1)
    steps: list[str] = []
    assert vet(cache, sleap, short, "int8", BOTTOM_UP, tell=steps.append) == folder
    assert len(steps) == 1
    assert model.stat().st_size > 1000


def test_a_pair_is_judged_by_the_animals_that_both_are_sure_of(cache, sleap):
    """In 16 bits centroids near the threshold come and go, and with each a crop with all its points."""
    paths = [sleap / "models" / model for model in sorted(PAIR)]
    video = sleap / "videos" / "centered_pair_small.mp4"
    _, found, _ = vetting.tried(
        paths, video, "fast", cache=cache, allow_model_code=False, tell=lambda step: None
    )
    assert found.is_close, found


@pytest.mark.parametrize("precision", ["fast", "int8"])
def test_a_model_that_does_not_agree_is_refused_with_the_figures(cache, sleap, precision):
    with pytest.raises(ModelError) as refused:
        vet(cache, sleap, "clip.mp4", precision, TOUCHY)
    said = str(refused.value)
    assert f"{TOUCHY} is not served at {precision}: half of the points are off by" in said
    assert "px or more (0.1 is allowed)" in said
    assert "of the peaks above 0.4 are in one of the two only (2% is allowed)" in said
    assert "on 128 frames of clip.mp4" in said
    assert "--precision exact" in said


def test_both_networks_of_a_pair_are_calibrated(cache, sleap, short):
    paths = [sleap / "models" / model for model in sorted(PAIR)]
    folder, found, _ = vetting.tried(
        paths,
        short,
        "int8",
        cache=cache,
        allow_model_code=False,
        tell=lambda step: None,
    )
    calibrated = [entry for entry in folder.iterdir() if entry.is_dir()]
    assert len(calibrated) == 2
    assert {OpenVINOEngine(entry, threads=1, precision="int8").input_shape for entry in calibrated}
    assert found.peaks > 50


def test_a_video_without_animals_proves_nothing(cache, sleap, tmp_path):
    empty = barcode.write_frames(tmp_path / "empty.mp4", [barcode.draw(0, 64, 64) * 0] * 12)
    with pytest.raises(ModelError, match=r"not served at fast: no peak above 0\.4 was found"):
        vet(cache, sleap, empty, "fast", BOTTOM_UP)
    with pytest.raises(ModelError, match="calibrated on animals"):
        vet(cache, sleap, empty, "int8", *PAIR)


def test_a_video_that_cannot_be_read(cache, sleap, tmp_path):
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    with pytest.raises(VideoError):
        vetting.sample(tmp_path / "broken.mp4")
    with pytest.raises(ModelError, match=r"broken\.mp4 cannot be read as a video"):
        vet(cache, sleap, tmp_path / "broken.mp4", "fast", BOTTOM_UP)


@pytest.mark.parametrize(("count", "calibrate", "check"), [(9, 3, 6), (1, 1, 1), (400, 64, 128)])
def test_frames_from_all_over_the_video(tmp_path, count, calibrate, check):
    video = barcode.write(tmp_path / "numbered.mp4", count)
    found = vetting.sample(video)
    assert (len(found.calibration), len(found.check)) == (calibrate, check)
    numbers = sorted(map(barcode.read, [*found.calibration, *found.check]))
    assert numbers[0] == 0
    assert numbers[-1] >= 0.95 * (count - 1)
    if count > 1:
        assert len(set(numbers)) == len(numbers), "no frame both calibrates and checks"


def test_doctor_measures_all_and_recommends_one(cache, sleap, short):
    command = [sys.executable, "-m", "inference", "doctor", str(short)]
    command += [str(sleap / "models" / BOTTOM_UP), "--cache", str(cache.folder), "--verbosity", "none"]
    done = subprocess.run([*command, "--json"], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    rows = {(row["engine"], row["precision"]): row for row in said["candidates"]}
    assert list(rows) == [
        ("tensorflow", "exact"), ("openvino", "exact"), ("openvino", "fast"), ("openvino", "int8"),
    ]  # fmt: skip
    for row in rows.values():
        assert row["frames_per_second"] > 0
        assert row["serves"] == (row["problem"] is None)
    assert rows["openvino", "exact"]["serves"]
    assert rows["openvino", "exact"]["against_tensorflow"]["p95"] < 0.001
    assert 0 < rows["openvino", "int8"]["against_tensorflow"]["median"] < 0.1
    serving = [row for row in rows.values() if row["serves"]]
    fastest = max(serving, key=lambda row: row["frames_per_second"])
    assert said["choose"] == {"engine": fastest["engine"], "precision": fastest["precision"]}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["nothing.mp4", "model"], "There is no"), (["v", "a", "b", "c"], "one model, or a centroid")],
)
def test_doctor_says_what_makes_no_sense(arguments, said, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "inference", "doctor", *arguments], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode in (1, 2)
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_video_that_breaks_off_is_sampled_up_to_there(tmp_path):
    whole = barcode.write(tmp_path / "whole.avi", 100)
    cut = tmp_path / "cut.avi"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    found = vetting.sample(cut)
    assert 10 < len(found.calibration) + len(found.check) < 100


def test_links_to_other_videos_are_other_videos(tmp_path):
    (tmp_path / "links").mkdir()
    for name in ("a.mp4", "b.mp4"):
        barcode.write(tmp_path / name, 3)
        (tmp_path / "links" / name).symlink_to(tmp_path / name)
    keys = {vetting.video_key(tmp_path / "links" / name) for name in ("a.mp4", "b.mp4")}
    assert keys == {vetting.video_key(tmp_path / name) for name in ("a.mp4", "b.mp4")}
    assert len(keys) == 2


def test_a_changed_video_is_tried_anew(cache, sleap, tmp_path):
    video = tmp_path / "copy.mp4"
    shutil.copy(sleap / "videos" / "clip.mp4", video)
    first = vetting.video_key(video)
    shutil.copy(sleap / "videos" / "centered_pair_small.mp4", video)
    assert vetting.video_key(video) != first
