"""What containers' tables say is what their packets say; of garbled ones nothing is made up."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference import avi, containers, mp4, timeline
from inference.video import Video
from tests.kit import films

FILMS = {
    "plain.mp4": films.constant_rate,
    "reordered.mp4": films.b_frames,
    "gaps.mov": films.gaps,
    "edited.mp4": films.edit_list,
    "plain.avi": films.constant_rate,
    "reordered.avi": films.b_frames,
    "sound.avi": films.with_sound,
}


@pytest.fixture(scope="module", params=FILMS)
def film(request, tmp_path_factory):
    return FILMS[request.param](tmp_path_factory.mktemp("film") / request.param)


def table(content: bytes, claimed: int = films.COUNT):
    file = io.BytesIO(content)
    return avi.stored_times(file) if containers.is_avi(file) else mp4.shown_times(file, claimed)


def test_a_table_says_what_the_packets_say(film):
    said = table(film.read_bytes())
    read = timeline.by_packets(film, timeline.version(film), (128, 96), lambda: False)
    assert said is not None and read is not None
    # an edit list leaves packets out: those before the film's beginning
    assert np.allclose(said, read.times[: len(said)], atol=1e-6)
    assert len(said) == (60 if film.name == "edited.mp4" else films.COUNT)


def test_a_whole_file_is_not_cut_and_any_part_of_it_is(film):
    content = film.read_bytes()
    assert not containers.is_cut(io.BytesIO(content))
    for share in (0.3, 0.7, 0.999):
        assert containers.is_cut(io.BytesIO(content[: int(share * len(content))]))


@settings(max_examples=150)
@given(data=st.data())
def test_a_garbled_table_gives_times_or_nothing(film, data):
    content = bytearray(film.read_bytes())
    # a table stands before the frames or behind them, and is small
    near = st.one_of(st.integers(0, 700), st.integers(len(content) - 5000, len(content) - 1))
    for at in data.draw(st.lists(near, min_size=1, max_size=6)):
        content[at % len(content)] = data.draw(st.integers(0, 255))
    content = content[: data.draw(st.one_of(st.just(len(content)), st.integers(0, len(content))))]
    times = table(bytes(content))
    assert times is None or (0 < len(times) <= mp4.MOST_FRAMES and np.all(np.diff(times) > 0))
    containers.is_cut(io.BytesIO(content))
    containers.lacks_contents(io.BytesIO(content))


@pytest.mark.parametrize("name", ["plain.mp4", "plain.avi"])
def test_a_film_with_a_table_is_not_read_through_for_a_seek(tmp_path, monkeypatch, name):
    path = films.constant_rate(tmp_path / name)
    monkeypatch.delattr(timeline, "_packet_times")
    with Video(path) as video:
        assert next(video.frames(50, None)).shape == (96, 128, 1) and video.n_frames == films.COUNT
