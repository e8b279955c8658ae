"""Videos: the number on a frame is the number burnt into it, and the end is told from a break."""

import cv2
import numpy as np
import pytest

from inference.errors import VideoError
from inference.video import Video
from tests.kit import barcode


@pytest.fixture(scope="module", params=["avi", "mp4", "mkv", "webm", "ts", "mpg", "wmv", "flv"])
def numbered(request, tmp_path_factory):
    return barcode.write(tmp_path_factory.mktemp("video") / f"numbered.{request.param}", 90)


def numbers(path, start=0, stop=None):
    with Video(path) as video:
        return [barcode.read(frame) for frame in video.frames(start, stop)]


def test_what_the_container_says(numbered):
    with Video(numbered) as video:
        assert (video.width, video.height, round(video.fps)) == (128, 96, 30)
        # This one's count is a wrong estimate: nothing else here may depend on it.
        assert video.n_frames == 90 or numbered.suffix == ".mpg"


@pytest.mark.parametrize(
    ("start", "stop"),
    [(0, None), (0, 1), (1, 3), (37, 41), (89, None), (80, 500), (90, None), (5, 5), (500, None)],
)
def test_every_frame_from_start_to_stop_once(numbered, start, stop):
    assert numbers(numbered, start, stop) == list(range(90))[start:stop]


def test_frames_are_gray_or_rgb(tmp_path):
    gray = barcode.write(tmp_path / "gray.avi", 2)
    red = barcode.write(tmp_path / "red.avi", 2, channels=3)
    with Video(gray) as video:
        assert [frame.shape for frame in video.frames(0, None)] == [(96, 128, 1)] * 2
        assert video.frame_bytes == 96 * 128
    with Video(red) as video:
        (frame, _) = video.frames(0, None)
        assert frame.shape == (96, 128, 3) and frame.flags.c_contiguous
        r, g, b = frame[60, 60].tolist()
        assert r > 150 and g < 110 and b < 110


def test_frames_stay_what_they_are_while_the_next_are_read(tmp_path):
    with Video(barcode.write(tmp_path / "a.avi", 5)) as video:
        kept = list(video.frames(0, None))
    assert [barcode.read(frame) for frame in kept] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("content", "said"), [(b"", "empty"), (b"no video at all", "cannot be read"), (None, "not there")]
)
def test_what_is_no_video_is_said(tmp_path, content, said):
    path = tmp_path / "x.mp4"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(VideoError, match=said) as caught:
        Video(path)
    assert "x.mp4" in str(caught.value) and str(tmp_path) not in str(caught.value)


def test_a_file_that_is_cut_off_gives_all_it_has_and_then_says_where_it_broke(tmp_path):
    whole = barcode.write(tmp_path / "whole.avi", 90).read_bytes()
    cut = tmp_path / "cut.avi"
    cut.write_bytes(whole[: len(whole) // 2])
    seen = []
    with Video(cut) as video, pytest.raises(VideoError) as caught:
        seen.extend(barcode.read(frame) for frame in video.frames(0, None))
    assert 30 < len(seen) < 60 and seen == list(range(len(seen)))
    assert f"frame {len(seen)} " in str(caught.value) and "90 frames" in str(caught.value)


def test_shared_videos_seek_to_the_same_frame_that_reading_on_gives(shared_data):
    path = shared_data / "sleap" / "videos" / "centered_pair_small.mp4"
    with Video(path) as video:
        frames = list(video.frames(0, 400))
    for start in (1, 57, 250, 399):
        with Video(path) as video:
            assert np.array_equal(next(video.frames(start, None)), frames[start])


def test_opencv_is_the_one_whose_colours_match_the_references():
    assert int(cv2.__version__.split(".")[0]) >= 5


@pytest.mark.parametrize("name", ["list.mp4", "list.avi", "list.ts"])
def test_a_file_that_lists_other_files_opens_none_of_them(tmp_path, name):
    barcode.write(tmp_path / "secret.mp4", 3)
    (tmp_path / name).write_text("ffconcat version 1.0\nfile secret.mp4\n")
    with pytest.raises(VideoError, match=name):
        Video(tmp_path / name)
