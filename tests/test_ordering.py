"""Whatever the interleaving, each frame once, in order."""

from hypothesis import given
from hypothesis import strategies as st

from inference.ordering import Ordering


@given(st.data(), st.integers(0, 50), st.integers(0, 30))
def test_any_interleaving_with_duplicates_comes_out_once_and_in_order(data, start, count):
    frames = list(range(start, start + count))
    twice = data.draw(st.lists(st.sampled_from(frames), max_size=20)) if frames else []
    arrivals = data.draw(st.permutations(frames + twice))
    ordering = Ordering(start)
    ordering.finish(start + count)
    delivered = [item for index in arrivals for item in ordering.push(index, index)]
    assert delivered == frames
    assert ordering.complete


def test_it_is_complete_only_once_the_end_is_known_and_reached():
    ordering = Ordering(3)
    assert ordering.push(4, "b") == []
    assert ordering.push(3, "a") == ["a", "b"]
    assert not ordering.complete
    ordering.finish(6)
    assert not ordering.complete
    assert ordering.push(5, "c") == ["c"]
    assert ordering.complete


def test_a_start_past_the_end_is_complete_at_once():
    ordering = Ordering(10)
    ordering.finish(10)
    assert ordering.complete


@given(st.permutations(range(30)), st.integers(0, 5))
def test_with_a_limited_patience_what_is_overdue_is_dropped_and_the_order_stays(arrivals, patience):
    ordering = Ordering(0, patience)
    delivered = []
    for came, index in enumerate(arrivals, start=1):
        delivered += ordering.push(index, index)
        assert len([one for one in arrivals[:came] if one >= ordering.next]) <= patience
    assert delivered == sorted(set(delivered))
    assert delivered[-1] == 29


def test_a_frame_that_is_only_a_little_late_is_waited_for():
    ordering = Ordering(0, 1)
    assert [ordering.push(index, index) for index in (1, 0, 3, 4, 2, 5)] == [[], [0, 1], [], [3, 4], [], [5]]
