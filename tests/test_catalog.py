"""The folders: what is listed, and that no name leads out of them."""

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from inference.catalog import VIDEO_SUFFIXES, Catalog, signature
from inference.errors import NotFound
from inference.settings import KINDS, Source
from inference.video import Video


@pytest.fixture
def catalog(tmp_path):
    data, models = tmp_path / "data", tmp_path / "models"
    for folder in (data, models, data / "inner", models / "sleap", models / "saved", models / "empty"):
        folder.mkdir()
    for file in (
        data / "b.MP4",
        data / "a.avi",
        data / "notes.txt",
        data / ".hidden.mp4",
        data / "inner" / "c.mp4",
        models / "z.keras",
        models / "best_model.h5",
        models / "best_model.json",
        models / "sleap" / "best_model.h5",
        models / "saved" / "saved_model.pb",
        models / "empty" / "readme.txt",
        tmp_path / "secret.mp4",
        tmp_path / "secret.h5",
    ):
        file.write_bytes(b"x")
    (data / "out.mp4").symlink_to(tmp_path / "secret.mp4")
    (data / "broken.mp4").symlink_to(tmp_path / "nowhere.mp4")
    (data / "loop.mp4").symlink_to(data / "loop.mp4")
    (data / "within.mp4").symlink_to(data / "a.avi")
    (models / "out.h5").symlink_to(tmp_path / "secret.h5")
    return Catalog(data, models, KINDS)


def test_videos_are_listed_sorted_top_level_only(catalog):
    assert catalog.videos() == ["a.avi", "b.MP4", "within.mp4"]


def test_models_are_files_and_folders_that_hold_one(catalog):
    assert catalog.model_names() == ["best_model.h5", "saved", "sleap", "z.keras"]


def test_what_is_listed_is_found(catalog):
    assert [catalog.video(name).name for name in catalog.videos()] == catalog.videos()
    assert [catalog.model(name).name for name in catalog.model_names()] == catalog.model_names()


def test_live_sources_stand_behind_the_files_and_are_found_by_their_names(catalog):
    sources = (Source("stream:yard", "rtsp://host/1"), Source("camera:0", "0"))
    with_sources = Catalog(catalog.data, catalog.models, KINDS, sources)
    assert with_sources.videos() == [*catalog.videos(), "stream:yard", "camera:0"]
    assert with_sources.video("stream:yard") is sources[0]
    for name in ("rtsp://host/1", "0", "camera:1", "stream:"):
        with pytest.raises(NotFound):
            with_sources.video(name)


@pytest.mark.parametrize(
    "name",
    [
        *(
            "../secret.mp4",
            "../data/a.avi",
            "./a.avi",
            "inner/c.mp4",
            "a.avi/",
            "/etc/passwd",
            ".",
            "..",
            "/",
        ),
        *("..%2fsecret.mp4", "%2e%2e/secret.mp4", "..\\secret.mp4", "C:\\secret.mp4", "con", "nul"),
        *("out.mp4", "broken.mp4", "loop.mp4", ".hidden.mp4", "notes.txt", "A.AVI"),
        *("", "\0", "a.avi\0", "a.avi ", "a.avi\n", "x" * 100_000),
    ],
)
def test_no_other_name_is_found(catalog, name):
    for find in (catalog.video, catalog.model):
        with pytest.raises(NotFound) as caught:
            find(name)
        assert len(str(caught.value)) < 400


def test_an_absolute_path_is_not_found(catalog):
    with pytest.raises(NotFound):
        catalog.video(str(catalog.data / "a.avi"))


def test_a_link_inside_a_models_folder_does_not_lead_out(catalog):
    inner, secret = catalog.models / "inner", catalog.models.parent / "secret.h5"
    inner.mkdir()
    (inner / "best_model.h5").symlink_to(secret)
    (inner / "saved_model.pb").symlink_to(secret)
    assert "inner" not in catalog.model_names()
    (inner / "pose.h5").symlink_to(catalog.models / "sleap" / "best_model.h5")
    assert "inner" in catalog.model_names()


@pytest.mark.parametrize(
    ("model", "touched"),
    [
        ("best_model.h5", "best_model.h5"),
        ("best_model.h5", "best_model.json"),
        ("best_model.h5", "training_config.json"),
        ("sleap", "sleap/best_model.h5"),
        ("sleap", "sleap/best_model.json"),
        ("sleap", "sleap/training_config.json"),
        ("sleap", "sleap.json"),
        ("my.model", "my.model/pose.keras"),
        ("my.model", "my.model.json"),
        ("saved", "saved/saved_model.pb"),
        ("saved", "saved/variables/variables.index"),
        ("saved", "saved/variables/variables.data-00000-of-00001"),
        ("saved", "saved/assets/words.txt"),
    ],
)
def test_a_models_key_changes_with_its_files(catalog, model, touched):
    (catalog.models / "my.model").mkdir()
    (catalog.models / "my.model" / "pose.keras").touch()
    file = catalog.models / touched
    file.parent.mkdir(exist_ok=True)
    before = catalog.model(model).key
    assert catalog.model(model).key == before
    file.write_bytes(b"other")
    os.utime(file, ns=(1, 1))
    between = catalog.model(model).key
    file.write_bytes(b"again")
    os.utime(file, ns=(1, 2))
    assert len({before, between, catalog.model(model).key}) == 3


def test_a_models_key_changes_where_a_link_or_a_file_is_replaced_by_its_like(catalog):
    """Models of one shape have one size, and unpacked together they have one time."""
    versions = [catalog.models / name for name in ("v1.h5", "v2.h5", "v3.h5")]
    for version in versions:
        version.write_bytes(b"x")
        os.utime(version, ns=(1, 1))
    model = catalog.models / "now.h5"
    model.symlink_to(versions[0])
    keys = [catalog.model("now.h5").key]
    model.unlink()
    model.symlink_to(versions[1])
    keys.append(catalog.model("now.h5").key)
    versions[2].replace(versions[1])
    keys.append(catalog.model("now.h5").key)
    assert len(set(keys)) == 3


def test_another_process_gets_the_same_signature(catalog):
    file = catalog.model("sleap")
    script = "import sys, pathlib, inference.catalog as c; print(c.signature(pathlib.Path(sys.argv[1])))"
    said = subprocess.run(
        [sys.executable, "-c", script, str(file.paths[0])],
        env={**os.environ, "PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    assert file.key == f"sleap@{said}" == f"sleap@{signature(file.paths[0])}"


WRITERS = {
    **dict.fromkeys((".3g2", ".3gp", ".m4v", ".mov", ".mp4"), "mp4v"),
    **dict.fromkeys((".asf", ".avi", ".mjpeg", ".mjpg", ".mkv", ".nut", ".wmv"), "MJPG"),
    **dict.fromkeys((".m2t", ".m2ts", ".m2v", ".mts", ".mxf", ".ts", ".vob", ".wtv"), "mpg2"),
    **dict.fromkeys((".m1v", ".mpeg", ".mpg"), "PIM1"),
    **dict.fromkeys((".ivf", ".ogv", ".webm"), "VP80"),
    **dict.fromkeys((".flv", ".swf"), "FLV1"),
    ".rm": "RV10",
    ".y4m": "I420",
}
"""A codec that OpenCV writes into a file of each ending; of .divx it only reads what others wrote."""


def test_every_video_ending_is_tried():
    assert set(WRITERS) == VIDEO_SUFFIXES - {".divx"}


@pytest.mark.parametrize(("suffix", "codec"), WRITERS.items())
def test_what_is_listed_as_a_video_can_be_decoded(tmp_path, suffix, codec):
    path = tmp_path / f"tiny{suffix}"
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter_fourcc(*codec), 25, (64, 48))
    for i in range(10):
        writer.write(np.full((48, 64, 3), 20 * i, np.uint8))
    writer.release()
    assert Catalog(tmp_path, tmp_path, KINDS).videos() == [path.name]
    with Video(path) as video:
        assert len(list(video.frames(0, None))) == 10


def test_a_folder_that_is_not_there_is_empty(tmp_path):
    catalog = Catalog(tmp_path / "no", Path("also-no"), KINDS)
    assert catalog.videos() == [] and catalog.model_names() == []
