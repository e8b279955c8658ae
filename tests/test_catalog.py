"""The folders: what is listed, and that no name leads out of them."""

import os
from pathlib import Path

import pytest

from inference.catalog import Catalog
from inference.errors import NotFound
from inference.settings import KINDS


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


@pytest.mark.parametrize("touched", ["models/sleap/best_model.h5", "models/sleap/training_config.json"])
def test_a_models_key_changes_with_its_files(catalog, touched):
    before = catalog.model("sleap").key
    assert catalog.model("sleap").key == before
    file = catalog.models.parent / touched
    file.write_bytes(b"other")
    os.utime(file, ns=(1, 1))
    assert catalog.model("sleap").key != before


def test_a_folder_that_is_not_there_is_empty(tmp_path):
    catalog = Catalog(tmp_path / "no", Path("also-no"), KINDS)
    assert catalog.videos() == [] and catalog.model_names() == []
