"""What is written is read back, by sleap-io and others, exactly as it was recorded: every instance of it."""

from __future__ import annotations

import csv
import json
import math
import warnings
from pathlib import Path

import h5py
import imageio_ffmpeg
import numpy as np
import pytest
import sleap_io

from inference import exports
from inference.errors import Conflict, InferenceError, VideoError
from inference.identities import of_recording
from inference.journal import Recording
from inference.messages import FrameRecord, ModelInfo, TrackingOptions
from inference.video import Video
from tests.kit import barcode
from tests.kit.recordings import facts, instances, recording, tracks

PROVENANCE = {"video": {"path": "/videos/clip.mp4", "sha256": "ab" * 32}, "frames": {"decoded": 11}}


def write(path: Path, form: str, made: Recording | None = None, **options) -> Path:
    made = made or recording()
    out = path / f"out{exports.FORMATS[form].suffix}"
    exports.write(
        made,
        options.pop("tracks", tracks(made)),
        out,
        form,
        **{"video": None, "provenance": PROVENANCE, **options},
    )
    assert [file.name for file in path.iterdir() if file.name.startswith(".")] == []
    return out


def points_of(made: Recording) -> dict[int, list[np.ndarray]]:
    return {frame: list(found.points) for frame, found in made.frames.items()}


def test_slp_holds_everything(tmp_path):
    made = recording()
    labels = sleap_io.load_slp(str(write(tmp_path, "slp")), open_videos=False)
    assert [frame.frame_idx for frame in labels.labeled_frames] == sorted(made.frames)
    for frame in labels.labeled_frames:
        found, of_frame = made.frames[frame.frame_idx], tracks(made)[frame.frame_idx]
        assert len(frame.instances) == len(found)
        for i, one in enumerate(frame.instances):
            np.testing.assert_array_equal(one.numpy(), found.points[i])
            assert one.score == pytest.approx(found.scores[i], abs=1e-6)
            there = np.isfinite(found.values[i])
            np.testing.assert_allclose(one.numpy(scores=True)[there, 2], found.values[i][there])
            assert (one.track.name if one.track else None) == (
                None if of_frame[i] is None else f"track_{of_frame[i]}"
            )
    (skeleton,) = labels.skeletons
    assert skeleton.node_names == ["head", "thorax", "tail"]
    assert skeleton.edge_inds == [(1, 0), (1, 2)]
    assert [sorted(node.name for node in one.nodes) for one in skeleton.symmetries] == [["head", "tail"]]
    assert labels.video.filename == "/videos/clip.mp4"
    assert labels.provenance["video"] == PROVENANCE["video"]


def test_h5_keeps_untracked_instances_and_is_as_long_as_the_video(tmp_path):
    made = recording()
    with h5py.File(write(tmp_path, "h5")) as file:
        names = [name.decode() for name in file["track_names"][()]]
        held = file["tracks"][()].transpose(3, 0, 2, 1)  # (frames, tracks, nodes, 2)
        provenance = json.loads(file["provenance"][()])
    assert names == ["track_0", "untracked 1", "untracked 2"]
    assert len(held) == 40
    for frame in range(40):
        there = [one for one in held[frame] if np.isfinite(one).any()]
        expected = points_of(made).get(frame, [])
        assert len(there) == len(expected)
        for one, point in zip(there, expected, strict=True):
            np.testing.assert_array_equal(one, point)
    assert provenance["frames"] == {"decoded": 11}


def test_csv_has_a_row_for_every_instance(tmp_path):
    made = recording()
    with write(tmp_path, "csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == sum(map(len, made.frames.values()))
    at = iter(rows)
    for frame in sorted(made.frames):
        for i, point in enumerate(made.frames[frame].points):
            row = next(at)
            assert int(row["frame_idx"]) == frame
            assert row["track"] == (
                "" if tracks(made)[frame][i] is None else f"track_{tracks(made)[frame][i]}"
            )
            for node, name in enumerate(("head", "thorax", "tail")):
                x = float(row[f"{name}.x"] or "nan")
                assert x == point[node, 0] or (math.isnan(x) and math.isnan(point[node, 0]))


def test_nwb_holds_every_point_at_its_time(tmp_path):
    made = recording()
    with h5py.File(write(tmp_path, "nwb")) as file:
        (module,) = (file["processing"][name] for name in file["processing"] if name.startswith("SLEAP"))
        seen = 0
        for name in ("track=track_0", "track=untracked 1", "track=untracked 2"):
            heads = module[name]["head"]
            frames = np.round(heads["timestamps"][()] * 25).astype(int)
            np.testing.assert_allclose(heads["timestamps"][()], frames / 25, atol=1e-9)
            for frame, point in zip(frames, heads["data"][()], strict=True):
                assert any(np.array_equal(point, one[0]) for one in points_of(made)[int(frame)])
                seen += 1
        notes = json.loads(file["general/notes"][()])
    assert seen == sum(map(len, made.frames.values()))  # each has its head
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # reading is not ours
        held = sleap_io.load_nwb(str(tmp_path / "out.nwb"))
    assert sum(len(frame.instances) for frame in held.labeled_frames) == seen
    assert notes == PROVENANCE


def test_classes_name_the_tracks(tmp_path):
    info = ModelInfo(("a", "b", "c"), ((0, 1),), (), ("female", "male"), many=True)
    made = Recording(facts(info=info, tracking=None))
    made.add(FrameRecord(0, instances(1, 2, classes=[1, 0]), (1, 0)))
    _, identities = of_recording(made, Path("/no/video"))
    assert identities == {0: (1, 0)}
    labels = sleap_io.load_slp(str(write(tmp_path, "slp", made, tracks=identities)), open_videos=False)
    assert [one.track.name for one in labels[0].instances] == ["male", "female"]
    assert [one.tracking_score for one in labels[0].instances] == [0.75, 0.75]


def test_a_single_animal_needs_no_track(tmp_path):
    made = Recording(facts(tracking=None))
    for frame in range(3):
        made.add(FrameRecord(frame, instances(frame, 1), (-1,)))
    with h5py.File(write(tmp_path, "h5", made)) as file:
        assert np.isfinite(file["tracks"][()]).any(axis=(0, 1, 2))[:4].tolist() == [True, True, True, False]


@pytest.mark.parametrize("form", ["csv", "h5", "nwb"])
def test_a_run_without_any_animal_is_said_where_a_format_cannot_hold_it(tmp_path, form):
    made = Recording(facts())
    made.add(FrameRecord(0, instances(0, 0), ()))
    with pytest.raises(Conflict, match="No animal was found"):
        write(tmp_path, form, made)
    assert list(tmp_path.iterdir()) == []
    write(tmp_path, "slp", made)


def test_json_says_where_it_comes_from(tmp_path):
    assert json.loads(write(tmp_path, "json").read_text()) == PROVENANCE


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "clip.mkv"
    # OpenCV would cut the odd row and column off
    writer = imageio_ffmpeg.write_frames(
        str(path), (129, 97), pix_fmt_in="gray", pix_fmt_out="gray", codec="ffv1", fps=25, macro_block_size=1
    )
    writer.send(None)
    for index in range(40):
        writer.send(np.ascontiguousarray(barcode.draw(index, width=129, height=97)))
    writer.close()
    return path


def test_mp4_shows_the_frames_from_the_first_to_the_last_that_was_recorded(tmp_path, clip):
    made = Recording(facts(width=129, height=97))
    for frame in (3, 4, 6, 9):
        made.add(FrameRecord(frame, instances(frame, 0), ()))
    shares = []
    out = write(tmp_path, "mp4", made, video=clip, progress=lambda done, total: shares.append((done, total)))
    with Video(out) as video:
        assert (video.width, video.height) == (130, 98)  # H.264 wants even sides
        assert [barcode.read(frame[:96, :128]) for frame in video.frames(0, None)] == list(range(3, 10))
    assert shares == [(done, 7) for done in range(1, 8)]


def test_mp4_shows_the_animals(tmp_path, clip):
    blank, drawn = (Recording(facts(width=129, height=97)) for _ in range(2))
    points = np.array([[[40.0, 50.0], [60.0, 50.0], [80.0, 50.0]]])
    for frame in range(2):
        blank.add(FrameRecord(frame, instances(0, 0), ()))
        drawn.add(
            FrameRecord(
                frame,
                instances(0, 1).__class__(
                    points, np.ones((1, 3)), np.ones(1), np.array([-1]), np.array([np.nan])
                ),
                (1,),
            )
        )
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    files = [
        write(tmp_path / "a", "mp4", blank, video=clip),
        write(tmp_path / "b", "mp4", drawn, video=clip, tracks={0: (1,), 1: (1,)}),
    ]
    pictures = []
    for file in files:
        with Video(file) as video:
            frame = next(video.frames(0, 1))
            pictures.append(np.broadcast_to(frame, (*frame.shape[:2], 3)).astype(int))
    changed = np.abs(pictures[0] - pictures[1]).max(axis=2) > 60
    assert changed[48:53, 40:81].mean() > 0.5
    assert not changed[70:, :].any()
    red, _, blue = pictures[1][50, 70]
    assert blue > red  # track 1 is sky


def test_mp4_without_its_video_is_said(tmp_path):
    with pytest.raises(VideoError, match="not there any more"):
        write(tmp_path, "mp4")


def test_a_folder_that_cannot_be_written_to_is_said(tmp_path):
    with pytest.raises(InferenceError, match="cannot be written"):
        exports.write(recording(), {}, tmp_path / "no" / "a.json", "json", video=None, provenance={})


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
