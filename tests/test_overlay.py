"""What is drawn on a frame, pixel by pixel where that can be said, and the video of such frames."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import cv2
import imageio_ffmpeg
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference import exports, overlay, palette
from inference.errors import Conflict, InferenceError, VideoError
from inference.journal import Recording
from inference.messages import FrameRecord, Instances, ModelInfo
from inference.video import Video
from tests.kit import barcode
from tests.kit.recordings import facts, instances

INFO = ModelInfo(("head", "thorax", "tail"), ((0, 1), (1, 2)), (), ("female", "male"), many=True)


def animals(*points) -> Instances:
    """(n, nodes, 2) points, all of them sure."""
    held = np.array(points, np.float64)
    count = len(held)
    return Instances(
        held,
        np.where(np.isnan(held[..., 0]), np.nan, 1.0),
        np.ones(count),
        np.full(count, -1),
        np.full(count, np.nan),
    )


def drawn(found: Instances, *tracks: int | None, size=(200, 300), info=INFO) -> np.ndarray:
    picture = np.zeros((*size, 3), np.uint8)
    overlay.draw(picture, found, tracks, info)
    return picture


def inked(picture: np.ndarray, row: int, column: int) -> tuple[int, ...]:
    """The colour there, as it was before antialiasing darkened it."""
    held = picture[row, column].astype(float)
    return tuple(np.rint(held * 255 / held.max()).astype(int)) if held.any() else (0, 0, 0)


def same(color: tuple[int, ...], other: tuple[int, ...]) -> bool:
    other = tuple(np.array(other) * 255 / max(other))
    return bool(np.abs(np.subtract(color, other)).max() < 4)


ROW = [[50, 150], [100, 150], [150, 150]]


@pytest.mark.parametrize("track", [0, 1, 2, 11, 30])
def test_an_animal_has_its_identitys_colour_throughout(track):
    picture = drawn(animals(ROW), track)
    for x in (50, 75, 100, 125, 150):
        assert same(inked(picture, 150, x), palette.color(track))


def test_without_identity_nodes_have_their_own_colours_and_lines_are_white():
    picture = drawn(animals(ROW), None)
    assert [tuple(picture[150, x]) for x in (50, 100, 150)] == [palette.color(node) for node in range(3)]
    assert [inked(picture, 150, x) for x in (75, 125)] == [(255, 255, 255)] * 2


def test_a_missing_node_has_neither_point_nor_lines():
    picture = drawn(animals([[50, 150], [np.nan, np.nan], [150, 150]]), None)
    assert not picture[:, 60:140].any()
    assert picture[150, 50].any() and picture[150, 150].any()


def test_an_animal_of_which_nothing_was_found_leaves_no_mark():
    assert not drawn(animals(np.full((3, 2), np.nan)), 0).any()


def test_points_lie_where_they_are_to_a_fraction_of_a_px():
    nowhere = [np.nan, np.nan]
    picture = drawn(animals([[60.25, 40.5], nowhere, nowhere]), None).sum(axis=2).astype(float)
    rows, columns = np.indices(picture.shape)
    assert np.average(columns, weights=picture) == pytest.approx(60.25, abs=0.1)
    assert np.average(rows, weights=picture) == pytest.approx(40.5, abs=0.1)


def test_lines_and_points_grow_with_the_frame():
    def width(side: int) -> int:
        middle = side / 2
        found = animals([[side / 8, middle], [side * 7 / 8, middle], [np.nan, np.nan]])
        return int((drawn(found, None, size=(side, side))[:, side // 2, 0] > 127).sum())

    # OpenCV's smooth lines are up to 2 px wider than was asked for
    for side, wanted in ((96, 1), (384, 1), (1152, 3), (3072, 8)):
        assert wanted <= width(side) <= wanted + 2


@pytest.mark.parametrize("track", [0, 1, 7])
def test_the_name_of_an_animal_at_the_edge_stays_in_the_picture(track):
    def written(x: int, y: int) -> int:
        picture = drawn(animals([[x, y], [np.nan, np.nan], [np.nan, np.nan]]), track).max(axis=2) > 127
        # all but the point, over which the name may lie
        return int((np.hypot(*np.subtract(np.nonzero(picture), [[y], [x]])) > 5).sum())

    whole = written(150, 100)
    assert whole > 20
    for x, y in ((0, 0), (299, 0), (0, 199), (299, 199), (-80, 400)):
        assert 0.5 * whole < written(x, y) <= 1.1 * whole


def test_a_class_is_called_by_its_name_and_in_any_script():
    info = ModelInfo(("a",), classes=("Mäuse", "M?use"))
    pictures = [drawn(animals([[150, 100]]), track, info=info).max(axis=2) > 127 for track in (0, 1)]
    assert (pictures[0] != pictures[1])[:95].any()


def test_what_lies_far_off_is_cut_off():
    picture = drawn(animals([[-1e300, 150], [100, 150], [1e300, 150]]), 0)
    assert all(same(inked(picture, 150, x), palette.color(0)) for x in (10, 290))


def test_each_instance_needs_its_identity():
    with pytest.raises(ValueError, match="zip"):
        drawn(animals(ROW, ROW), 0)


@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from([1, 3]))
def test_a_canvas_is_the_frame_in_colour_with_even_sides(height, width, channels):
    frame = np.random.default_rng(0).integers(1, 255, (height, width, channels), np.uint8)
    canvas = overlay.canvas(frame)
    assert canvas.shape == (height + height % 2, width + width % 2, 3)
    np.testing.assert_array_equal(canvas[:height, :width], np.broadcast_to(frame, (height, width, 3)))
    assert not canvas[height:].any() and not canvas[:, width:].any()


def test_colours_are_those_of_the_page():
    script = (Path(__file__).parents[1] / "static" / "palette.js").read_text()
    listed = re.findall(r"^  \[(\d+), (\d+), (\d+)\],", script, re.MULTILINE)
    assert tuple(tuple(map(int, one)) for one in listed) == palette.BASE
    assert len({palette.color(index) for index in range(24)}) == 24


# Videos ------------------------------------------------------------------------------------------------


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


def movie(folder: Path, made: Recording, identities: dict | None = None, **options) -> Path:
    out = folder / "out.mp4"
    exports.write(made, identities or {}, out, "mp4", **{"provenance": {}, **options})
    return out


def comment(path: Path) -> str:
    """The comment in a video's metadata."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", str(path), "-f", "ffmetadata", "-"]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    (line,) = (line for line in said.splitlines() if line.startswith("comment="))
    out, signs = [], iter(line.removeprefix("comment="))
    for sign in signs:
        out.append(next(signs) if sign == "\\" else sign)
    return "".join(out)


def blank(*frames: int, **changes) -> Recording:
    made = Recording(facts(**{"width": 129, "height": 97, **changes}))
    for frame in frames:
        made.add(FrameRecord(frame, instances(frame, 0), ()))
    return made


@pytest.mark.parametrize("recorded", [(3, 4, 6, 9), (0, 2), (39,)])
def test_mp4_shows_the_frames_from_the_first_to_the_last_that_was_recorded(tmp_path, clip, recorded):
    shares = []
    out = movie(tmp_path, blank(*recorded), video=clip, progress=lambda *share: shares.append(share))
    frames = list(range(recorded[0], recorded[-1] + 1))
    with Video(out) as video:
        assert (video.width, video.height) == (130, 98)  # H.264 wants even sides
        assert [barcode.read(frame[:96, :128]) for frame in video.frames(0, None)] == frames
    assert shares == [(done, len(frames)) for done in range(1, len(frames) + 1)]


def test_mp4_shows_the_animals(tmp_path, clip):
    made = blank()
    for frame in range(2):
        made.add(FrameRecord(frame, animals([[40, 50], [60, 50], [80, 50]]), (1,)))
    pictures = []
    for shown, identities in ((blank(0, 1), {}), (made, {0: (1,), 1: (1,)})):
        with Video(movie(tmp_path, shown, identities, video=clip)) as video:
            frame = next(video.frames(0, 1))
            pictures.append(np.broadcast_to(frame, (*frame.shape[:2], 3)).astype(int))
    changed = np.abs(pictures[0] - pictures[1]).max(axis=2) > 60
    assert changed[48:53, 40:81].mean() > 0.5
    assert not changed[70:, :].any()
    red, _, blue = pictures[1][50, 70]
    assert blue > red  # track 1 is sky


@pytest.mark.parametrize("fps", [30000 / 1001, 15.0, 0.5])
def test_mp4_is_as_fast_as_its_video(tmp_path, fps):
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), fps, (128, 96))
    for index in range(4):
        writer.write(cv2.cvtColor(barcode.draw(index), cv2.COLOR_GRAY2BGR))
    writer.release()
    with Video(movie(tmp_path, blank(0, 3, width=128, height=96), video=path)) as video:
        assert video.fps == pytest.approx(fps, rel=1e-4)
        assert len(list(video.frames(0, None))) == 4


@pytest.mark.parametrize(
    ("made", "error", "said"),
    [
        (blank(38, 41), VideoError, "ends before frame 40"),
        (blank(0, width=640), VideoError, "129 × 97 px, those of the run 640 × 97"),
        (blank(), Conflict, "No frame was recorded"),
    ],
)
def test_mp4_of_what_the_video_does_not_show_is_said(tmp_path, clip, made, error, said):
    with pytest.raises(error, match=said):
        movie(tmp_path, made, video=clip)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("video", [None, Path("/no/such/clip.mp4")])
def test_mp4_without_its_video_is_said(tmp_path, video):
    with pytest.raises(VideoError, match="not there any more"):
        movie(tmp_path, blank(0), video=video)


def test_mp4_says_where_it_comes_from_however_long_that_is(tmp_path, clip):
    long = {"failures": {str(frame): "it = 'failed'; \\ # maybe ♀\n" for frame in range(8000)}}
    assert json.loads(comment(movie(tmp_path, blank(0), video=clip, provenance=long))) == long


def test_an_encoder_that_stops_is_said_and_leaves_nothing(tmp_path, clip, monkeypatch):
    # the encoder that people may name themselves, here one that ends at once
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", "false")
    with pytest.raises(InferenceError, match="cannot be written"):
        movie(tmp_path, blank(*range(40)), video=clip)
    assert list(tmp_path.iterdir()) == []
