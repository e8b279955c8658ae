"""Lists of frames, and what of them is still missing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.errors import RequestError
from inference.frames import count, missing, parse


@pytest.mark.parametrize(
    ("text", "ranges"),
    [
        ("1,2,5-9", [(1, 3), (5, 10)]),
        ("7", [(7, 8)]),
        ("5-9, 0 , 8-12", [(0, 1), (5, 13)]),
        ("3-3", [(3, 4)]),
    ],
)
def test_a_list_of_frames(text, ranges):
    assert parse(text) == ranges


@pytest.mark.parametrize("text", ["", "a", "5-", "-3", "9-5", "1,,2", "1.5", "٣"])
def test_what_is_no_list(text):
    with pytest.raises(RequestError, match="no frame"):
        parse(text)


RANGES = st.lists(st.integers(0, 40), max_size=20).map(
    lambda frames: parse(",".join(map(str, frames))) if frames else []
)


@given(RANGES, st.sets(st.integers(0, 40)), st.none() | st.integers(0, 40))
def test_what_is_missing_is_what_is_wanted_less_what_is_done(wanted, done, end):
    left = {frame for first, stop in missing(wanted, done, end) for frame in range(first, stop)}
    asked = {frame for first, stop in wanted for frame in range(first, stop) if end is None or frame < end}
    assert left == asked - done
    assert count(wanted, end) == len(asked)


@pytest.mark.parametrize(
    ("done", "end", "left"),
    [
        (set(), None, [(0, None)]),
        ({0, 1, 2}, None, [(3, None)]),
        ({0, 2, 4}, None, [(1, 2), (3, 4), (5, None)]),
        ({0, 2}, 3, [(1, 2)]),
        ({0, 1, 2}, 3, []),
    ],
)
def test_a_whole_video_goes_on_at_its_holes_and_its_end(done, end, left):
    assert missing([(0, None)], done, end) == left
    assert count([(0, None)], end) == end
