"""Which kind a model file is of is told from its bytes, whatever else is wrong with it."""

import json
import zipfile

import pytest

from inference.catalog import Catalog
from inference.errors import RequestError
from inference.marks import holds
from inference.settings import KINDS
from tests.kit import char_models

MARKS = (b'"LSTM"', b'"GRU"')


def archive(path, config, **more):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as content:
        content.writestr(more.get("name", "config.json"), config)


def test_a_mark_is_found_in_a_file_and_in_an_archives_configuration(tmp_path):
    char_models.small(tmp_path / "a.h5")
    archive(tmp_path / "b.keras", json.dumps({"class_name": "GRU"}))
    archive(tmp_path / "c.keras", json.dumps({"class_name": "Conv2D"}))
    archive(tmp_path / "d.keras", json.dumps({"class_name": "GRU"}), name="other.json")
    found = [holds(tmp_path / name, MARKS) for name in ("a.h5", "b.keras", "c.keras", "d.keras")]
    assert found == [True, True, False, False]


def test_a_mark_is_found_wherever_it_stands(tmp_path, monkeypatch):
    monkeypatch.setattr("inference.marks._AT_ONCE", 16)
    for before in range(40):
        path = tmp_path / f"{before}.h5"
        path.write_bytes(b"-" * before + MARKS[0] + b"-" * 20)
        assert holds(path, MARKS) and not holds(path, (b"other",))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x89HDF\r\n\x1a\n"])
def test_what_cannot_be_read_holds_none(tmp_path, content):
    for name in ("a.keras", "a.h5"):
        (tmp_path / name).write_bytes(content)
        assert not holds(tmp_path / name, MARKS)
    assert not holds(tmp_path / "missing.h5", MARKS)


@pytest.mark.parametrize(
    "packed", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
)
def test_an_archive_that_is_damaged_anywhere_holds_none_or_what_it_did(tmp_path, packed):
    path = tmp_path / "a.keras"
    with zipfile.ZipFile(path, "w", packed) as content:
        content.writestr("config.json", json.dumps({"class_name": "GRU", "more": "x" * 50}))
    whole = path.read_bytes()
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        holds(path, MARKS)


def test_a_file_that_changes_is_looked_at_again(tmp_path):
    path = tmp_path / "a.h5"
    path.write_bytes(b"none")
    assert not holds(path, MARKS)
    path.write_bytes(b'now "LSTM"')
    assert holds(path, MARKS)


def test_models_are_listed_by_what_they_take_and_taken_for_nothing_else(tmp_path):
    char_models.small(tmp_path / "a.h5")
    (tmp_path / "pose.h5").write_bytes(b"pixels")
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "saved_model.pb").write_bytes(b"")
    catalog = Catalog(tmp_path, tmp_path, KINDS)
    assert (catalog.model_names("text"), catalog.model_names()) == (["a.h5"], ["pose.h5", "saved"])
    assert catalog.model("a.h5", takes="text").kind == "text"
    for name, takes in (("a.h5", "video"), ("pose.h5", "text")):
        with pytest.raises(RequestError, match="the page for it is"):
            catalog.model(name, takes=takes)
