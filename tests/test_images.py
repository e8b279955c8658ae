"""Pixels and geometry: channels, sizes, and the way from a map's cell back to the video's pixel."""

from __future__ import annotations

import numpy as np
import pytest

from inference import images
from inference.images import Geometry
from inference.preparation import PlainPreparation, SleapPreparation


def slow_bilinear(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Half-pixel centres, edges repeated, no antialiasing."""
    height, width = image.shape[:2]
    out = np.zeros((*size, image.shape[2]))
    for i in range(size[0]):
        for j in range(size[1]):
            y = min(max((i + 0.5) * height / size[0] - 0.5, 0), height - 1)
            x = min(max((j + 0.5) * width / size[1] - 0.5, 0), width - 1)
            top, left = int(y), int(x)
            bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
            upper = image[top, left] * (1 - x + left) + image[top, right] * (x - left)
            lower = image[bottom, left] * (1 - x + left) + image[bottom, right] * (x - left)
            out[i, j] = upper * (1 - y + top) + lower * (y - top)
    return out


# what TensorFlow 2.21's tf.image.rgb_to_grayscale gives
@pytest.mark.parametrize(
    ("colour", "gray"),
    [
        ((0, 0, 0), 0),
        ((255, 255, 255), 255),
        ((255, 0, 0), 76),
        ((0, 255, 0), 149),
        ((0, 0, 255), 29),
        ((10, 20, 30), 18),
        ((200, 100, 50), 124),
        ((1, 1, 1), 1),
        ((127, 128, 129), 128),
        ((254, 3, 77), 86),
    ],
)
def test_luminance_is_tensorflows(colour, gray):
    assert images.to_channels(np.array([[colour]], np.uint8), 1).tolist() == [[[gray]]]


def test_gray_becomes_three_equal_channels():
    frame = np.arange(6, dtype=np.uint8).reshape(2, 3, 1)
    assert images.to_channels(frame, 3).tolist() == np.concatenate([frame] * 3, axis=2).tolist()


def test_a_frame_that_fits_is_not_copied():
    frame = np.zeros((8, 8, 1), np.uint8)
    assert images.to_channels(frame, 1) is frame
    assert images.matched(frame, (8, 8))[0] is frame
    image = images.to_unit(frame)
    assert images.scaled(image, 1.0) is image
    assert images.padded(image, images.rounded_up((8, 8), 4)) is image


def test_unit_is_exact():
    frame = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    unit = images.to_unit(frame[::-1])
    assert unit.dtype == np.float32
    assert unit.tolist() == (frame[::-1].astype(np.float32) / np.float32(255)).tolist()


@pytest.mark.parametrize("scale", [0.5, 0.37, 1.5])
@pytest.mark.parametrize("channels", [1, 3])
def test_scaling_is_bilinear_with_half_pixel_centres(scale, channels):
    image = np.random.default_rng(1).random((13, 21, channels), np.float32)
    out = images.scaled(image, scale)
    assert out.shape == (int(13 * scale), int(21 * scale), channels)
    np.testing.assert_allclose(out, slow_bilinear(image, out.shape[:2]), atol=1e-5)


def test_an_image_is_never_scaled_to_nothing():
    assert images.scaled(np.ones((1, 300, 1), np.float32), 0.1).shape == (1, 30, 1)


@pytest.mark.parametrize(
    ("size", "ratio", "inner"),
    [
        pytest.param((50, 200), 0.5, (25, 100), id="width limits"),
        pytest.param((120, 50), 0.5, (60, 25), id="height limits"),
        pytest.param((30, 25), 2.0, (60, 50), id="smaller"),
    ],
)
def test_size_match_keeps_the_aspect_and_pads_right_and_bottom(size, ratio, inner):
    out, used = images.matched(np.full((*size, 1), 200, np.uint8), (60, 100))
    assert used == ratio
    assert out.shape == (60, 100, 1)
    assert (out[: inner[0], : inner[1]] == 200).all()
    assert out.sum() == 200 * inner[0] * inner[1]


@pytest.mark.parametrize(
    ("frame", "free", "stride", "inner", "outer"),
    [
        pytest.param((384, 384), (None, None), 8, (384, 384), (384, 384), id="free, fits"),
        pytest.param((37, 51), (None, None), 8, (37, 51), (40, 56), id="free, padded"),
        pytest.param((100, 200), (64, 64), 1, (32, 64), (64, 64), id="fixed, smaller than the frame"),
        pytest.param((20, 30), (64, 64), 1, (43, 64), (64, 64), id="fixed, larger than the frame"),
        pytest.param((60, 100), (64, 64), 1, (38, 64), (64, 64), id="aspect to the nearest pixel"),
        pytest.param((100, 205), (50, None), 8, (50, 102), (50, 104), id="only the height is fixed"),
        pytest.param((2, 3000), (64, 64), 1, (1, 64), (64, 64), id="never nothing"),
    ],
)
def test_fitted_sizes(frame, free, stride, inner, outer):
    assert images.fitted_sizes(frame, free, stride) == (inner, outer)


@pytest.mark.parametrize(
    ("pixels", "cells", "stride"),
    [(384, 192, 2), (96, 32, 3), (100, 13, 8), (10, 3, 4), (9, 2, 8), (64, 62, 1), (32, 64, 0.5), (7, 1, 7)],
)
def test_map_stride(pixels, cells, stride):
    assert images.map_stride(pixels, cells) == stride


@pytest.mark.parametrize(
    ("geometry", "expected"),
    [
        pytest.param(Geometry.of_sleap(2, 1.0), (20, 40), id="SLEAP"),
        pytest.param(Geometry.of_sleap(2, 0.5), (40.5, 80.5), id="SLEAP, scaled input"),
        pytest.param(Geometry.of_sleap(2, 0.5, 0.25), (162, 322), id="SLEAP, scaled and matched"),
        pytest.param(Geometry.of_plain((2, 4), (1, 1)), (20, 80), id="plain"),
        pytest.param(Geometry.of_plain((2, 2), (0.5, 0.25)), (40.5, 161.5), id="plain, resized"),
    ],
)
def test_geometry_by_hand(geometry, expected):
    points = geometry.to_frame(np.array([[10, 20]], np.float32))
    assert points.dtype == np.float64
    assert points.tolist() == [list(expected)]
    assert geometry.to_frame(np.zeros((0, 2), np.float32)).shape == (0, 2)


def ramp(height: int, width: int) -> np.ndarray:
    """A frame whose pixel at x is gray x, so that a model's input tells where it was taken from."""
    return np.broadcast_to(np.arange(width, dtype=np.uint8)[:, np.newaxis], (height, width, 1))


@pytest.mark.parametrize(("height", "width"), [(50, 200), (200, 50), (48, 64), (17, 23)])
@pytest.mark.parametrize("size", [(64, 64), (40, 100), (None, None)])
def test_plain_geometry_undoes_its_preparation(height, width, size):
    preparation = PlainPreparation(1, size, 8)
    prepared = preparation.prepare(ramp(height, width))
    geometry = preparation.geometry(prepared, prepared.image.shape[:2])
    columns = np.arange(prepared.image.shape[1])
    there = geometry.to_frame(np.stack([columns, 0 * columns], axis=1).astype(np.float32))[:, 0]
    inside = (there > 0.5) & (there < width - 1.5)
    np.testing.assert_allclose(prepared.image[0, inside, 0] * 255, there[inside], atol=1e-3)


@pytest.mark.parametrize("target", [None, (100, 160), (64, 80)])
def test_sleap_geometry_undoes_its_preparation(target):
    preparation = SleapPreparation(1, 16, 1, target=target)
    prepared = preparation.prepare(ramp(50, 200))
    assert prepared.image.shape[0] % 16 == prepared.image.shape[1] % 16 == 0
    geometry = preparation.geometry(prepared, prepared.image.shape[:2])
    columns = np.arange(prepared.image.shape[1])
    there = geometry.to_frame(np.stack([columns, 0 * columns], axis=1).astype(np.float32))[:, 0]
    inside = (there > 1.5) & (there < 197)
    # SLEAP divides by the ratio without the half-pixel shift: up to a pixel apart, and reproduced
    np.testing.assert_allclose(prepared.image[0, inside, 0] * 255, there[inside], atol=1.1)


def test_sleap_scales_after_it_matches_and_pads_last():
    prepared = SleapPreparation(3, 16, 2, 0.5, (60, 90)).prepare(np.full((120, 180, 1), 255, np.uint8))
    assert prepared.image.shape == (32, 48, 3)
    assert (prepared.image[:30, :45] == 1).all()
    assert prepared.image.sum() == 30 * 45 * 3
    assert prepared.ratio == 0.5
