"""Tracking: identities last on scenes whose truth is known, and nothing is ever removed unasked."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference import flow
from inference.messages import TrackingOptions
from inference.predictors.instances import none_found, of_points
from inference.tracking import SIMILARITIES, Tracker, keep
from tests.kit.crossings import Plot, crossing_scene, identity_switches, takeovers

BODY = np.array([[-20.0, 0.0], [0.0, 3.0], [20.0, 0.0]])


def animals(*places, missing=()):
    """Animals of three nodes at (x, y); `missing` are (animal, node) that were not found."""
    points = np.array(places, float).reshape(-1, 1, 2) + BODY
    for animal, node in missing:
        points[animal, node] = np.nan
    return of_points(points, np.where(np.isfinite(points[..., 0]), 0.9, np.nan), np.arange(len(points)) / 10)


@pytest.mark.parametrize("candidates", ["simple", "flow"])
@pytest.mark.parametrize("similarity", SIMILARITIES)
@pytest.mark.parametrize("matching", ["hungarian", "greedy"])
def test_animals_that_keep_apart_are_never_mixed_up(candidates, similarity, matching):
    tracker = Tracker(TrackingOptions(candidates, similarity, matching))
    rng = np.random.default_rng(1)
    for frame in range(60):
        order = rng.permutation(3)
        places = np.array([[60 + 2 * frame, 60], [300 - 2 * frame, 150], [200, 300 - frame]])
        image = np.zeros((384, 384), np.uint8)
        for place in places:
            cv2.circle(image, place.tolist(), 20, 200, -1)
        tracks = tracker.follow(animals(*places[order]), image)
        if frame == 0:
            first = dict(zip(order.tolist(), tracks, strict=True))
        assert dict(zip(order.tolist(), tracks, strict=True)) == first
    assert sorted(first.values()) == [0, 1, 2]


@pytest.mark.parametrize(
    ("plot", "options", "switches", "mixed"),
    [
        (Plot(hidden=0), TrackingOptions(), 2, 2),
        (Plot(hidden=0, animals=10), TrackingOptions(), 1, 1),
        (Plot(hidden=0, speed=20), TrackingOptions(), 30, 25),
        (Plot(hidden=0, speed=45, animals=3), TrackingOptions(), 90, 85),
        (Plot(hidden=0, missing=0.4), TrackingOptions(), 3, 3),
        (Plot(turnover=0.005), TrackingOptions(), 12, 6),
        (Plot(), TrackingOptions(window=10), 4, 4),
    ],
    ids=["crossings", "crowd", "fast", "jumping", "partial", "leaving", "hidden"],
)
def test_crossings_seldom_mix_animals_up(plot, options, switches, mixed):
    scene = crossing_scene(2007, frames=400, plot=plot)
    tracker = Tracker(options)
    tracks = [tracker.follow(seen.instances) for seen in scene]
    truth = [seen.truth for seen in scene]
    assert identity_switches(tracks, truth) <= switches
    assert takeovers(tracks, truth) <= mixed


def test_animals_that_always_jump_over_several_lengths_soon_keep_their_tracks():
    tracker = Tracker(TrackingOptions())
    places = [(50 + 100 * frame, 50) for frame in range(60)]
    tracks = [tracker.follow(animals(at, (at[0], 900))) for at in places]
    assert len({track for frame in tracks[40:] for track in frame}) == 2


def test_optical_flow_helps_with_fast_animals():
    scene = crossing_scene(2001, frames=150, plot=Plot(speed=20, hidden=0), pictures=True)
    truth = [seen.truth for seen in scene]

    def switches(candidates, similarity):
        tracker = Tracker(TrackingOptions(candidates, similarity))
        return identity_switches([tracker.follow(seen.instances, seen.image) for seen in scene], truth)

    for similarity in ("instance", "iou"):
        assert switches("flow", similarity) < 0.7 * switches("simple", similarity)


def test_flow_looks_at_smaller_pictures_in_the_videos_own_pixels():
    scene = crossing_scene(2002, frames=2, plot=Plot(animals=1, missing=0, hidden=0), pictures=True)
    small = [cv2.resize(seen.image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) for seen in scene]
    points = scene[0].instances.points[:1]
    whole = flow.shifted(points, scene[0].image, scene[1].image, 1.0)
    assert np.abs(whole - points).max() > 2
    np.testing.assert_allclose(flow.shifted(points, *small, 0.5), whole, atol=1)


def test_flow_does_not_move_animals_on_from_a_picture_older_than_they_are():
    rng = np.random.default_rng(5)
    texture = cv2.GaussianBlur(rng.integers(0, 255, (300, 384), np.uint8), (0, 0), 2)
    moved = [np.roll(texture, 6 * frame, axis=1) for frame in range(3)]
    tracker = Tracker(TrackingOptions("flow", "instance", window=1))
    near_wrong = animals((112, 100), (118, 100))
    assert tracker.follow(animals((100, 100)), moved[0]) == (0,)
    assert tracker.follow(animals((112, 100)), None) == (0,)
    assert tracker.follow(near_wrong, moved[2]) == (0, 1)


def test_every_instance_stays_though_tracks_are_few():
    tracker = Tracker(TrackingOptions(max_tracks=2))
    assert tracker.follow(animals((50, 50), (150, 150), (250, 250))).count(None) == 1
    assert set(tracker.follow(animals((252, 250), (50, 52), (150, 150)))) == {0, 1, None}


def test_with_few_tracks_an_animal_that_was_long_away_gets_its_own_again():
    tracker = Tracker(TrackingOptions(max_tracks=2))
    (left, right) = tracker.follow(animals((50, 50), (300, 300)))
    for _ in range(20):
        assert tracker.follow(animals((50, 50))) == (left,)
    assert tracker.follow(animals((50, 50), (200, 200))) == (left, right)


def test_without_a_limit_a_new_animal_far_away_is_a_new_one():
    tracker = Tracker(TrackingOptions())
    assert tracker.follow(animals((50, 50))) == (0,)
    assert tracker.follow(animals((300, 300))) == (1,)


def test_an_animal_missed_for_less_than_the_window_is_the_same():
    tracker = Tracker(TrackingOptions(window=3))
    assert tracker.follow(animals((50, 50))) == (0,)
    for _ in range(2):
        assert tracker.follow(none_found(3)) == ()
    assert tracker.follow(animals((52, 50))) == (0,)
    for _ in range(3):
        tracker.follow(none_found(3))
    assert tracker.follow(animals((52, 50))) == (1,)


def test_missing_nodes_and_animals_without_any_point():
    tracker = Tracker(TrackingOptions())
    assert set(tracker.follow(animals((50, 50), (150, 150)))) == {0, 1}
    first, second = tracker.follow(animals((51, 50), (150, 151), missing=[(0, 0), (1, 2)]))
    assert (first, second) == (0, 1)
    assert tracker.follow(animals((51, 50), missing=[(0, 0), (0, 1), (0, 2)])) == (None,)


def test_flow_follows_what_jumps_further_than_its_size_tells():
    places = [(60 + 14 * frame, 60 + 9 * frame) for frame in range(15)]

    def picture(place):
        texture = np.random.default_rng(3).integers(60, 255, (24, 24), np.uint8)
        image = np.zeros((300, 384), np.uint8)
        image[place[1] - 12 : place[1] + 12, place[0] - 12 : place[0] + 12] = cv2.GaussianBlur(
            texture, (0, 0), 2
        )
        return image

    one_point = [of_points(np.array([[place]], float), np.ones((1, 1)), np.ones(1)) for place in places]
    tracker = Tracker(TrackingOptions("flow", "instance", window=1))
    assert {tracker.follow(one, picture(at)) for one, at in zip(one_point, places, strict=True)} == {(0,)}


def test_a_seeded_tracker_goes_on_as_if_it_had_never_stopped():
    scene = crossing_scene(3, frames=120)
    whole = Tracker(TrackingOptions())
    tracks = [whole.follow(seen.instances) for seen in scene]
    again = Tracker(TrackingOptions())
    again.seed([(seen.instances, track) for seen, track in zip(scene[:60], tracks[:60], strict=True)])
    assert [again.follow(seen.instances) for seen in scene[60:]] == tracks[60:]


def test_a_seeded_tracker_knows_how_long_animals_are():
    past = [(animals((50, 50), (50, 200)), (0, 1))] * 5
    tracker = Tracker(TrackingOptions())
    tracker.seed(past)
    # of each only one node is found, so this frame tells of no length
    alone = [(0, 0), (0, 2), (1, 0), (1, 2)]
    assert tracker.follow(animals((50, 300), (50, 200), missing=alone)) == (2, 1)


def test_a_seeded_trackers_new_tracks_are_above_all_that_ever_were():
    tracker = Tracker(TrackingOptions(window=2))
    tracker.seed([(animals((50, 50)), (7,)), *[(animals((300, 50)), (3,))] * 4])
    assert tracker.follow(animals((300, 50), (50, 300))) == (3, 8)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), st.sampled_from(list(SIMILARITIES)), st.sampled_from(["hungarian", "greedy"]))
def test_the_order_of_the_instances_does_not_matter(seed, similarity, matching):
    rng = np.random.default_rng(seed)
    one, other = (Tracker(TrackingOptions("simple", similarity, matching)) for _ in range(2))
    for seen in crossing_scene(seed, frames=12, plot=Plot(animals=4)):
        order = rng.permutation(len(seen.truth))
        found = seen.instances
        turned = of_points(found.points[order], found.values[order], found.scores[order])
        tracks = one.follow(found)
        assert tuple(tracks[i] for i in order) == other.follow(turned)


def test_keep_leaves_the_best_and_tracked_ones_first():
    found = animals((1, 1), (2, 2), (3, 3), (4, 4))  # scores 0, 0.1, 0.2, 0.3
    kept, tracks = keep(found, (None, 7, 8, None), 3)
    assert tracks == (7, 8, None)
    assert kept.scores.tolist() == [0.1, 0.2, 0.3]
    assert len(keep(found, (0, 1, 2, 3), 9)[0]) == 4


def test_switches_are_counted_as_mota_counts_them():
    truth = [(0, 1), (0, 1), (1, -1), (0, 1), (0, 1)]
    tracks = [(5, 6), (6, 5), (5, 9), (None, 5), (6, 5)]
    assert identity_switches(tracks, truth) == 2


def test_a_newcomer_on_anothers_track_is_a_takeover_and_no_switch():
    assert takeovers([(5,), (5,), (5,)], [(0,), (1,), (1,)]) == 1
    assert identity_switches([(5,), (5,), (5,)], [(0,), (1,), (1,)]) == 0


def test_a_seeded_tracker_gives_no_number_of_a_track_that_ended_before():
    tracker = Tracker(TrackingOptions())
    tracker.seed([(animals((50, 50)), (1,))], next_track=5)
    assert tracker.follow(animals((52, 50), (300, 300))) == (1, 5)
