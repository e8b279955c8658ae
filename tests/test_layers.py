"""Pictures of maps: transparent where there is nothing, else in the right colour and place."""

import cv2
import numpy as np
import pytest

from inference.images import Geometry
from inference.layers import of_confmaps, of_pafs
from inference.palette import color


def picture(layer):
    """(height, width, 4) red, green, blue, alpha."""
    return cv2.cvtColor(
        cv2.imdecode(np.frombuffer(layer.png, np.uint8), cv2.IMREAD_UNCHANGED), cv2.COLOR_BGRA2RGBA
    )


def test_confidence_maps_show_the_strongest_node():
    maps = np.zeros((4, 6, 2), np.float32)
    maps[1, 2] = (0.5, 1.0)
    maps[3, 0, 0] = 0.5
    maps[0, 0] = np.nan
    layer = of_confmaps(maps, Geometry.of_sleap(4, 1.0))
    shown = picture(layer)
    assert tuple(shown[1, 2, :3]) == color(1) and tuple(shown[3, 0, :3]) == color(0)
    assert shown[1, 2, 3] > 1.5 * shown[3, 0, 3] > 0
    assert (shown[..., 3] > 0).sum() == 2
    # from half a cell before the first cell to half a cell after the last
    assert (layer.left, layer.top, layer.width, layer.height) == (-2, -2, 24, 16)


def test_part_affinity_fields_show_their_direction():
    pafs = np.zeros((2, 3, 4), np.float32)
    pafs[0, 0, 2:] = (1, 0)
    pafs[0, 1, :2] = (0, 1)
    pafs[0, 2, :2] = (-1, 0)
    shown = picture(of_pafs(pafs, Geometry.of_sleap(8, 0.5)))
    assert len({tuple(pixel[:3]) for pixel in shown[0].tolist()}) == 3
    assert shown[0, :, 3].min() > 200 and not shown[1, :, 3].any()


def test_scaling_is_undone():
    layer = of_confmaps(np.zeros((2, 2, 1), np.float32), Geometry.of_sleap(4, 0.5, ratio=2.0))
    assert (layer.left, layer.width) == pytest.approx(((-4 + 0.5) / 2, 8))
