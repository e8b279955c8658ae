"""Crops against one made sample by sample."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.crops import crop


def slow_crop(frame, centre, size):
    height, width, channels = frame.shape
    out = np.zeros((size, size, channels), np.uint8)
    for i in range(size):
        for j in range(size):
            y, x = centre[1] - (size - 1) / 2 + i, centre[0] - (size - 1) / 2 + j
            if not (0 <= y <= height - 1 and 0 <= x <= width - 1):
                continue
            y0, x0 = math.floor(y), math.floor(x)
            y1, x1 = min(y0 + 1, height - 1), min(x0 + 1, width - 1)
            for c in range(channels):
                top = frame[y0, x0, c] * (1 - (x - x0)) + frame[y0, x1, c] * (x - x0)
                low = frame[y1, x0, c] * (1 - (x - x0)) + frame[y1, x1, c] * (x - x0)
                out[i, j, c] = int(top * (1 - (y - y0)) + low * (y - y0) + 1e-4)
    return out


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 99), st.integers(1, 3), st.integers(1, 9),
    st.integers(-60, 160), st.integers(-60, 160),
)  # fmt: skip
def test_crops_are_cut_as_sample_by_sample(seed, channels, size, x8, y8):
    frame = np.random.default_rng(seed).integers(0, 256, (11, 13, channels), np.uint8)
    centre = np.array([x8 / 8, y8 / 8], np.float32)
    assert np.abs(crop(frame, centre, size).astype(int) - slow_crop(frame, centre, size)).max(initial=0) <= 1


def test_a_crop_at_whole_pixels_is_the_pixels():
    frame = np.arange(100, dtype=np.uint8).reshape(10, 10, 1)
    np.testing.assert_array_equal(crop(frame, np.array([4, 5], np.float32), 3), frame[4:7, 3:6])


@pytest.mark.parametrize("centre", [(-500.0, 3.0), (1e6, 1e6)])
def test_far_off_the_frame_there_is_nothing(centre):
    assert not crop(np.full((10, 10, 1), 255, np.uint8), np.array(centre, np.float32), 6).any()
