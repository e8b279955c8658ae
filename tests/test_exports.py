"""What is written is read back, by sleap-io and others, exactly as it was recorded: every instance of it."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import sleap_io
from hypothesis import given, settings
from hypothesis import strategies as st
from pynwb import NWBHDF5IO

from inference import exports
from inference.errors import Conflict, InferenceError
from inference.identities import of_recording
from inference.journal import Recording
from inference.messages import FrameRecord, Instances, ModelInfo, TrackingOptions
from inference.provenance import provenance
from tests.kit import barcode
from tests.kit.recordings import facts, instances, recording, tracks

PROVENANCE = {"video": {"path": "/videos/clip.mp4", "sha256": "ab" * 32}, "frames": {"decoded": 11}}
POINTS = ("csv", "slp", "h5", "nwb")
"""Formats that hold the points."""

Found = dict[int, list[tuple[str | None, list]]]
"""By frame: each instance's track and its (nodes, 2) points; None is a missing coordinate. Sorted."""


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    """Gray, of 20 frames, 128 × 96 px."""
    return barcode.write(tmp_path_factory.mktemp("clip") / "clip.avi", 20)


def write(folder: Path, form: str, made: Recording, identities: dict | None = None, **options) -> Path:
    out = folder / f"out{exports.FORMATS[form].suffix}"
    identities = tracks(made) if identities is None else identities
    exports.write(made, identities, out, form, **{"video": None, "provenance": PROVENANCE, **options})
    assert [file.name for file in folder.iterdir() if file.name.startswith(".")] == []
    return out


def ordered(found: Found) -> Found:
    return {frame: sorted(one, key=repr) for frame, one in sorted(found.items()) if one}


def plain(points: np.ndarray) -> list:
    return [[None if np.isnan(one) else float(one) for one in point] for point in points]


def read_slp(path: Path, nodes: tuple[str, ...]) -> Found:
    labels = sleap_io.load_slp(str(path), open_videos=False)
    assert tuple(labels.skeleton.node_names) == nodes
    return {
        frame.frame_idx: [(one.track.name if one.track else None, plain(one.numpy())) for one in frame]
        for frame in labels
    }


def read_csv(path: Path, nodes: tuple[str, ...]) -> Found:
    found: Found = {}
    with path.open() as file:
        for row in csv.DictReader(file):
            points = np.array([[float(row[f"{node}.{axis}"] or "nan") for axis in "xy"] for node in nodes])
            found.setdefault(int(row["frame_idx"]), []).append((row["track"] or None, plain(points)))
    return found


def read_h5(path: Path, nodes: tuple[str, ...]) -> Found:
    found: Found = {}
    with h5py.File(path) as file:
        assert tuple(name.decode() for name in file["node_names"]) == nodes
        names = [name.decode() for name in file["track_names"]]
        points = file["tracks"][()].transpose(3, 0, 2, 1)  # (frames, tracks, nodes, 2)
        for frame, track in np.argwhere(file["track_occupancy"][()]):
            found.setdefault(int(frame), []).append((names[track], plain(points[frame, track])))
    return found


def read_nwb(path: Path, nodes: tuple[str, ...], fps: float = 25.0) -> Found:
    """Of each instance what was found of it; one of which nothing was is not there."""
    held: dict[tuple[int, str], np.ndarray] = {}
    with NWBHDF5IO(str(path), "r") as io:
        (module,) = (one for name, one in io.read().processing.items() if name.startswith("SLEAP_VIDEO"))
        for name, track in module.data_interfaces.items():
            for node, label in enumerate(nodes):
                series = track[label]
                for time, point in zip(series.timestamps[:], series.data[:], strict=True):
                    assert time * fps == pytest.approx(round(time * fps))
                    key = (round(time * fps), name.removeprefix("track="))
                    held.setdefault(key, np.full((len(nodes), 2), np.nan))[node] = point
    found: Found = {}
    for (frame, name), points in held.items():
        found.setdefault(frame, []).append((name, plain(points)))
    return found


READERS: dict[str, Callable[..., Found]] = {
    "csv": read_csv,
    "slp": read_slp,
    "h5": read_h5,
    "nwb": read_nwb,
}


def expected(made: Recording, identities: dict, form: str) -> Found:
    """Placeholders only where a format needs them, counted from 1 in each frame."""
    found: Found = {}
    for frame, held in made.frames.items():
        untracked = 0
        for points, track in zip(held.points, identities[frame], strict=True):
            name = (
                None
                if track is None
                else (*made.facts.info.classes, *map("track_{}".format, range(9)))[track]
            )
            if track is None and form in ("h5", "nwb"):
                untracked += 1
                name = f"untracked {untracked}"
            if form != "nwb" or np.isfinite(points).any():
                found.setdefault(frame, []).append((name, plain(points)))
    return found


@st.composite
def recordings(draw) -> tuple[Recording, dict]:
    """Up to six frames with up to three animals, each followed or not, each node found or not."""
    nodes = draw(st.integers(1, 3))
    classes = draw(st.sampled_from([(), ("female", "male", "other")]))
    made = Recording(
        facts(info=ModelInfo(("b", "a", "c")[:nodes], ((0, 1),) * (nodes > 1), (), classes, True))
    )
    identities = {}
    for frame in draw(st.sets(st.integers(0, 12), min_size=1, max_size=6)):
        known = draw(st.permutations([0, 1, 2]))
        identities[frame] = tuple(
            track if followed else None
            for track, followed in zip(known, draw(st.lists(st.booleans(), max_size=3)), strict=False)
        )
        count = len(identities[frame])
        points = np.random.default_rng(frame).uniform(0, 96, (count, nodes, 2))
        points[np.array(draw(st.lists(st.booleans(), min_size=count * nodes, max_size=count * nodes)), bool)
               .reshape(count, nodes)] = np.nan  # fmt: skip
        values = np.where(np.isnan(points[..., 0]), np.nan, 0.5)
        made.frames[frame] = Instances(
            points, values, np.full(count, 0.7), np.full(count, -1), np.full(count, np.nan)
        )
    made.frames[13] = instances(0, 1, nodes)
    identities[13] = (None,)
    return made, identities


@pytest.mark.parametrize(("form", "examples"), [("csv", 30), ("slp", 30), ("h5", 30), ("nwb", 6)])
def test_every_instance_is_in_every_format(tmp_path, form, examples):
    @settings(max_examples=examples, deadline=None)
    @given(recordings())
    def check(made_and_identities):
        made, identities = made_and_identities
        out = write(tmp_path, form, made, identities)
        assert ordered(READERS[form](out, made.facts.info.nodes)) == ordered(expected(made, identities, form))

    check()


@pytest.mark.parametrize("form", POINTS)
def test_two_instances_with_one_identity_are_both_kept(tmp_path, form):
    made = Recording(facts())
    made.add(FrameRecord(4, instances(1, 2), (0, 0)))
    (found,) = READERS[form](write(tmp_path, form, made, {4: (0, 0)}), made.facts.info.nodes).values()
    names = ["track_0", "track_0"] if form in ("csv", "slp") else ["track_0", "untracked 1"]
    assert found == [(name, plain(one)) for name, one in zip(names, made.frames[4].points, strict=True)]


@pytest.mark.parametrize("form", POINTS)
def test_names_that_a_format_does_not_take_are_made_to_fit(tmp_path, form):
    info = ModelInfo(
        ("tip/left", "tip:left"), ((0, 1),), (), ("mouse/1", "mouse:1", "untracked 1"), many=True
    )
    made = Recording(facts(info=info, video="/videos/a:b.mp4"))
    made.add(FrameRecord(0, instances(5, 4, 2), (0, 1, 2, -1)))
    fits = form == "nwb"
    nodes = ("tip_left", "tip_left (2)") if fits else info.nodes
    (found,) = READERS[form](write(tmp_path, form, made), nodes).values()
    classes = ("mouse_1", "mouse_1 (2)", "untracked 1") if fits else info.classes
    last = "untracked 1 (2)" if form in ("h5", "nwb") else None
    assert {name for name, _ in found} == {*classes, last}


def test_slp_holds_scores_skeleton_video_and_provenance(tmp_path):
    made = recording()
    labels = sleap_io.load_slp(str(write(tmp_path, "slp", made)), open_videos=False)
    # also those in which nothing was found; 8 had failed, 10 was never seen
    assert [frame.frame_idx for frame in labels] == [3, 4, 5, 6, 7, 9, 11, 12, 13, 14]
    assert [len(frame) for frame in labels] == [len(made.frames[frame.frame_idx]) for frame in labels]
    for frame in labels:
        found = made.frames[frame.frame_idx]
        for one, score, values in zip(frame, found.scores, found.values, strict=True):
            assert one.score == pytest.approx(score, abs=1e-6)
            np.testing.assert_array_equal(one.numpy(scores=True)[:, 2], values)
    assert labels.skeleton.edge_inds == [(1, 0), (1, 2)]
    assert [sorted(node.name for node in one.nodes) for one in labels.skeleton.symmetries] == [
        ["head", "tail"]
    ]
    assert labels.video.filename == "/videos/clip.mp4"
    assert tuple(labels.video.shape[:3]) == (40, 96, 128)
    assert {key: labels.provenance[key] for key in PROVENANCE} == PROVENANCE


def test_slp_says_whether_the_video_is_gray_if_the_video_is_there(tmp_path, clip):
    colored = barcode.write(tmp_path / "colored.mp4", 3, channels=3)
    for video, gray, shape in ((clip, True, (96, 128, 1)), (colored, False, (96, 128, 3))):
        made = Recording(facts(video=str(video)))
        made.add(FrameRecord(2, instances(0, 1), (-1,)))
        labels = sleap_io.load_slp(str(write(tmp_path, "slp", made, video=video)))
        assert labels.video.grayscale is gray
        assert labels[0].image.shape == shape
        labels.video.close()
        labels = sleap_io.load_slp(str(write(tmp_path, "slp", made)))
        assert labels[0].image.shape == shape  # its reader has looked for itself


@pytest.mark.parametrize("form", ["csv", "h5"])
def test_scores_are_in_the_tables(tmp_path, form):
    made = Recording(facts())
    made.add(FrameRecord(2, instances(3, 2), (0, 1)))
    out, found = write(tmp_path, form, made), made.frames[2]
    if form == "csv":
        with out.open() as file:
            rows = list(csv.DictReader(file))
        scores = [float(row["instance.score"]) for row in rows]
        values = [[float(row[f"{node}.score"] or "nan") for node in made.facts.info.nodes] for row in rows]
    else:
        with h5py.File(out) as file:
            scores, values = file["instance_scores"][:, 2], file["point_scores"][:, :, 2]
    np.testing.assert_array_equal(scores, found.scores)
    np.testing.assert_array_equal(values, found.values)


def test_h5_is_as_long_as_the_video(tmp_path):
    for made, length in (
        (recording(), 40),
        (recording(n_frames=None), 40),
        (Recording(facts(n_frames=2)), 6),
    ):
        made.add(FrameRecord(5, instances(0, 1), (-1,)))
        with h5py.File(write(tmp_path, "h5", made)) as file:
            assert file["tracks"].shape[-1] == length
            assert json.loads(file["provenance"][()]) == PROVENANCE
            assert file["video_path"][()].decode() == "/videos/clip.mp4"


def test_a_claim_of_a_giant_length_costs_no_memory(tmp_path):
    made = Recording(facts(n_frames=900_000_000_000))
    made.add(FrameRecord(5, instances(0, 1), (0,)))
    for form in ("csv", "slp", "nwb"):
        assert ordered(READERS[form](write(tmp_path, form, made), made.facts.info.nodes)).keys() == {5}
    with pytest.raises(Conflict, match="choose slp or csv"):
        write(tmp_path, "h5", made)


@pytest.mark.parametrize("frames", [(7,), (3, 38), (0, 1, 2, 3), (0, 2, 4, 7)])
@pytest.mark.parametrize("fps", [29.97002997002997, 0.25, None])
def test_nwb_has_the_very_times_of_the_frames(tmp_path, frames, fps):
    made = Recording(facts(fps=fps, n_frames=2))  # a claim that is too low
    for frame in frames:
        made.add(FrameRecord(frame, instances(frame, 1), (-1,)))
    out = write(tmp_path, "nwb", made)
    with NWBHDF5IO(str(out), "r") as io:
        file = io.read()
        head = file.processing["SLEAP_VIDEO_000_clip"]["track=untracked 1"]["head"]
        np.testing.assert_array_equal(head.timestamps[:], np.array(frames) / (fps or 1.0))
        np.testing.assert_array_equal(head.confidence[:], [made.frames[one].values[0, 0] for one in frames])
        assert head.rate is None
        assert json.loads(file.notes) == PROVENANCE
        assert file.session_start_time.timestamp() == made.facts.created


def test_sleap_io_reads_the_nwb(tmp_path):
    made = recording()
    held = sleap_io.load_nwb(str(write(tmp_path, "nwb", made)))
    assert sum(map(len, held)) == sum(map(len, made.frames.values()))


def test_a_class_score_is_the_tracking_score(tmp_path):
    made = Recording(
        facts(info=ModelInfo(("a", "b", "c"), classes=("female", "male"), many=True), tracking=None)
    )
    made.add(FrameRecord(0, instances(1, 3, classes=[1, 0, -1]), (1, 0, -1)))
    _, identities = of_recording(made, Path("/no/video"))
    labels = sleap_io.load_slp(str(write(tmp_path, "slp", made, identities)), open_videos=False)
    assert [one.track.name for one in labels[0].instances[:2]] == ["male", "female"]
    assert [one.tracking_score for one in labels[0]] == [0.75, 0.75, 0.0]


@pytest.mark.parametrize("form", ["csv", "h5", "nwb"])
def test_a_run_without_any_animal_is_said_where_a_format_cannot_hold_it(tmp_path, form):
    made = Recording(facts())
    made.add(FrameRecord(0, instances(0, 0), ()))
    with pytest.raises(Conflict, match="No animal was found"):
        write(tmp_path, form, made)
    assert list(tmp_path.iterdir()) == []
    assert len(sleap_io.load_slp(str(write(tmp_path, "slp", made)), open_videos=False)) == 1


def endless(count: int) -> Recording:
    """One frame with so many animals that only their number is in memory."""
    made = Recording(facts())
    none = np.broadcast_to(np.nan, (count,))
    points, values = np.broadcast_to(np.nan, (count, 3, 2)), np.broadcast_to(np.nan, (count, 3))
    made.frames[0] = Instances(points, values, none, np.broadcast_to(-1, (count,)), none)
    return made


@pytest.mark.parametrize(("form", "said"), [("slp", "no room"), ("nwb", "GiB of memory"), ("h5", "no room")])
def test_what_cannot_fit_is_said_before_anything_is_written(tmp_path, form, said):
    with pytest.raises(InferenceError, match=said):
        write(tmp_path, form, endless(10**13))
    assert list(tmp_path.iterdir()) == []


def test_an_h5_that_is_dense_beyond_memory_is_refused(tmp_path):
    made = Recording(facts(n_frames=10**12))
    made.add(FrameRecord(0, instances(0, 1), (0,)))
    with pytest.raises(Conflict, match="choose slp or csv"):
        write(tmp_path, "h5", made)


@pytest.mark.parametrize("form", [*POINTS, "mp4"])
def test_scores_that_are_no_numbers_stop_no_export(tmp_path, clip, form):
    made = Recording(facts(n_frames=20))
    points = np.array([[[10.0, 20.0], [np.nan, np.nan], [30.0, 40.0]], np.full((3, 2), np.nan)])
    none = np.full(2, np.nan)
    held = Instances(points, np.full((2, 3), np.nan), none, np.full(2, -1), none)
    for frame in range(3):
        made.add(FrameRecord(frame, held, (0, 1)))
    path = write(tmp_path, form, made, video=clip if form == "mp4" else None)
    if form == "mp4":
        assert path.stat().st_size > 0
    else:
        nodes = made.facts.info.nodes
        assert ordered(READERS[form](path, nodes)) == ordered(expected(made, tracks(made), form))
    if form == "csv":
        assert not {"nan", "inf"} & set(path.read_text().lower().replace("\n", ",").split(","))


def test_provenance_may_be_long(tmp_path):
    long = {"failures": {str(frame): "it = 'failed'; \\ # maybe\n" for frame in range(8000)}}
    made = Recording(facts())
    made.add(FrameRecord(0, instances(0, 1), (0,)))
    said = {}
    for form in (*POINTS, "json"):
        said[form] = write(tmp_path, form, made, provenance=long)
    assert json.loads(said["json"].read_text()) == long
    labels = sleap_io.load_slp(str(said["slp"]), open_videos=False)
    assert labels.provenance["failures"] == long["failures"]
    with h5py.File(said["h5"]) as h5, h5py.File(said["nwb"]) as nwb:
        assert json.loads(h5["provenance"][()]) == json.loads(nwb["general/notes"][()]) == long


# Files -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", exports.FORMATS)
def test_a_folder_that_is_not_there_is_said(tmp_path, form, clip):
    made = recording()
    out = tmp_path / "no" / "out"
    with pytest.raises(InferenceError, match="out cannot be written: there is no folder no"):
        exports.write(made, tracks(made), out, form, video=clip, provenance={})


class Stop(Exception):
    """Somebody gave up."""


@pytest.mark.parametrize("form", [*POINTS, "mp4"])
@pytest.mark.parametrize("why", [Stop, KeyboardInterrupt, BrokenPipeError])
def test_a_file_stays_as_it_was_until_the_new_one_is_whole(tmp_path, form, clip, why):
    made = recording()
    out = tmp_path / f"out{exports.FORMATS[form].suffix}"
    out.write_text("old")

    def give_up(done: int, total: int) -> None:
        if done == 5:
            raise why

    with pytest.raises((Stop, KeyboardInterrupt, InferenceError)):
        exports.write(made, tracks(made), out, form, video=clip, provenance={}, progress=give_up)
    assert out.read_text() == "old"
    assert list(tmp_path.iterdir()) == [out]
    write(tmp_path, form, made, video=clip)
    assert out.read_bytes()[:3] != b"old"


def test_importing_it_is_cheap():
    heavy = {"sleap_io", "pandas", "pynwb", "cv2"}
    check = f"import sys, inference.exports; sys.exit(bool({heavy} & {{*sys.modules}}))"
    subprocess.run([sys.executable, "-c", check], check=True, cwd=Path(__file__).parents[1])


# Identities over a whole recording -----------------------------------------------------------------------


def test_tracks_are_computed_in_the_order_of_the_frames_however_they_were_watched():
    made = Recording(facts(tracking=TrackingOptions()))
    points = {frame: instances(0, 2).points + frame for frame in range(30)}
    base = instances(0, 2)
    for frame in [*range(20, 30), *range(15)]:
        moved = type(base)(points[frame], base.values, base.scores, base.classes, base.class_scores)
        made.add(FrameRecord(frame, moved, (7, 9)))
    _, identities = of_recording(made, Path("/no/video"))
    assert list(identities) == [*range(15), *range(20, 30)]
    assert {identities[frame] for frame in range(15)} == {identities[0]}
    assert sorted(identities[0]) == [0, 1]
    # five frames were never seen: as long as the window, so that these are new animals
    assert set(identities[20]) == {2, 3}


def test_keep_is_done_over_the_whole_recording():
    made = Recording(facts(tracking=TrackingOptions(keep=1)))
    for frame in range(3):
        made.add(FrameRecord(frame, instances(0, 3), (0, 1, 2)))
    kept, identities = of_recording(made, Path("/no/video"))
    assert [len(found) for found in kept.frames.values()] == [1, 1, 1]
    assert len({identities[frame] for frame in range(3)}) == 1
    assert len(made.frames[0]) == 3


@pytest.mark.parametrize(
    ("key", "precision"), [("m@1", "exact"), ("m@1#int8", "int8"), ("m#2.h5@1", "exact")]
)
def test_the_precision_is_told_from_a_models_name(key, precision):
    assert provenance(recording(model_key=key))["settings"]["precision"] == precision
