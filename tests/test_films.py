"""Awkward films: the number on a frame is the one burnt into it, reading on and after every seek."""

from __future__ import annotations

from functools import partial

import pytest

from inference.errors import VideoError
from inference.video import Video
from tests.kit import barcode, films

FILMS = {
    "constant rate": (films.constant_rate, "mp4 mkv mov avi ts"),
    "B-frames": (films.b_frames, "mp4 mkv mov avi ts"),
    "open GOP": (films.open_gop, "mp4 mkv ts"),
    "variable rate": (films.variable_rate, "mp4 mkv mov ts"),
    "variable rate, VP8": (partial(films.variable_rate, codec=films.VP8), "webm"),
    "variable rate, VP9": (partial(films.variable_rate, codec=films.VP9), "webm"),
    "gaps": (films.gaps, "mp4 mkv mov ts"),
    "gaps, VP8": (partial(films.gaps, codec=films.VP8), "webm"),
    "gap and uneven": (films.gap_and_uneven, "mp4 mkv"),
    "late start": (films.late_start, "mp4 mkv ts"),
    "fragmented": (films.fragmented, "mp4"),
    "sound": (films.with_sound, "mp4 mkv mov ts"),
    "HEVC": (partial(films.constant_rate, codec=films.HEVC), "mp4 mkv"),
    "VP9": (partial(films.constant_rate, codec=films.VP9), "mp4 webm"),
    "MPEG-4 with B-frames": (partial(films.constant_rate, codec=films.MPEG4), "mp4 mkv avi ts"),
    "claims more": (partial(films.claiming, seconds=60), "mkv"),
    "claims less": (partial(films.claiming, seconds=1), "mkv"),
    "claims more frames": (partial(films.claiming_frames, count=500), "avi"),
    "claims fewer frames": (partial(films.claiming_frames, count=20), "avi"),
}
CASES = [(trait, ending) for trait, (_, endings) in FILMS.items() for ending in endings.split()]


def numbers(path, start=0, stop=None) -> list[int]:
    with Video(path) as video:
        return [int(barcode.read(frame)) for frame in video.frames(start, stop)]


def until_it_breaks(path, start=0) -> tuple[list[int], str]:
    """The numbers that came, and what was said then."""
    seen: list[int] = []
    with Video(path) as video, pytest.raises(VideoError) as caught:
        seen.extend(int(barcode.read(frame)) for frame in video.frames(start, None))
    assert path.name in str(caught.value) and str(path.parent) not in str(caught.value)
    return seen, str(caught.value)


def check_every_number(path, count: int, first: int = 0) -> None:
    """Frame k carries `first` + k, whichever way it is reached."""
    burnt = list(range(first, first + count))
    assert numbers(path) == burnt
    for start in sorted({*range(1, count, 3), *range(max(1, count - 4), count)}):
        assert numbers(path, start, start + 3) == burnt[start : start + 3], f"after a seek to {start}"
    assert numbers(path, count) == numbers(path, count + 1000) == []


@pytest.mark.parametrize(("trait", "ending"), CASES)
def test_the_number_on_a_frame_is_the_number_burnt_into_it(tmp_path, trait, ending):
    make, _ = FILMS[trait]
    check_every_number(make(tmp_path / f"film.{ending}"), films.COUNT)


@pytest.mark.parametrize("ending", ["mp4", "mov"])
def test_a_film_that_begins_in_the_middle_by_its_edit_list(tmp_path, ending):
    check_every_number(films.edit_list(tmp_path / f"film.{ending}"), 60, first=30)


def test_packed_b_frames(tmp_path):
    path = films.constant_rate(tmp_path / "film.avi", codec=films.XVID)
    check_every_number(path, len(numbers(path)))


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_film_that_is_turned_by_its_metadata_is_upright(tmp_path, degrees):
    path = films.rotated(tmp_path / "film.mp4", degrees)
    check_every_number(path, 30)
    with Video(path) as video:
        assert (video.width, video.height) == (128, 96)


@pytest.mark.parametrize(
    ("width", "height", "codec"),
    [(127, 95, films.VP9), (129, 33, films.MPEG4), (3840, 2160, films.H264), (48, 1080, films.H264)],
)
def test_sizes(tmp_path, width, height, codec):
    path = films.constant_rate(tmp_path / "film.mp4", 5, codec, width=width, height=height)
    check_every_number(path, 5)
    with Video(path) as video:
        assert (video.width, video.height) == (width, height)


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
def test_of_two_streams_one_is_read(tmp_path, ending):
    path = films.two_videos(tmp_path / f"film.{ending}")
    check_every_number(path, len(numbers(path)))


@pytest.mark.parametrize("ending", ["mp4", "mkv", "avi"])
def test_a_single_frame(tmp_path, ending):
    check_every_number(films.constant_rate(tmp_path / f"film.{ending}", 1), 1)


@pytest.mark.parametrize("ending", ["mp4", "mkv", "mov", "avi", "ts"])
def test_a_count_is_right_once_the_frames_were_counted(tmp_path, ending):
    path = (
        films.gaps(tmp_path / f"film.{ending}")
        if ending != "avi"
        else films.claiming_frames(tmp_path / "film.avi", 500)
    )
    numbers(path)
    with Video(path) as video:
        assert video.n_frames == films.COUNT


@pytest.mark.parametrize("ending", ["mkv", "ts"])
def test_a_film_cut_off_gives_what_is_sure_and_says_where_it_breaks(tmp_path, ending):
    path = films.cut(tmp_path / f"film.{ending}")
    seen, said = until_it_breaks(path)
    assert 10 < len(seen) < 60 and seen == list(range(len(seen)))
    assert f"breaks off: frame {len(seen)} " in said
    assert until_it_breaks(path, len(seen) - 5)[0] == seen[-5:]
    assert until_it_breaks(path, len(seen) + 1) == ([], said)


@pytest.mark.parametrize(
    ("make", "ending", "said"),
    [
        (films.cut, "mp4", "no table of contents"),
        (films.cut, "mov", "no table of contents"),
        (films.cut, "avi", "cut off or damaged"),
        (films.without_frames, "mp4", "has no frames"),
        (films.without_frames, "mkv", "has no frames"),
        (films.without_frames, "avi", "has no frames"),
        (partial(films.constant_rate, codec=films.AV1), "mkv", "OpenCV does not decode"),
    ],
)
def test_what_cannot_be_read_is_said(tmp_path, make, ending, said):
    path = make(tmp_path / f"film.{ending}")
    with pytest.raises(VideoError, match=said) as caught:
        Video(path)
    assert "film." in str(caught.value) and str(tmp_path) not in str(caught.value)


@pytest.mark.parametrize("ending", ["mp4", "avi", "mkv"])
def test_a_damaged_frame_is_named_and_none_gets_its_number(tmp_path, ending):
    path = films.damaged(tmp_path / f"film.{ending}", 40)
    seen, said = until_it_breaks(path)
    assert seen == list(range(40)) and "frame 40 cannot be" in said
    assert until_it_breaks(path, 40) == ([], said)
    if ending != "mkv":  # what is stored behind the damage there has no time
        assert numbers(path, 45) == list(range(45, 90)), "after the next key frame"


def test_a_long_way_to_a_frame_is_given_up_when_nobody_waits(tmp_path):
    for ending in ("mkv", "ts"):
        with Video(films.b_frames(tmp_path / f"film.{ending}")) as video:
            assert list(video.frames(80, None, lambda: True)) == []


def test_a_file_that_was_replaced_is_looked_at_again(tmp_path):
    path = films.gaps(tmp_path / "film.mkv")
    assert numbers(path, 50, 52) == [50, 51]
    films.constant_rate(path, 70)
    check_every_number(path, 70)
