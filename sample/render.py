"""The camera: draws the animals of a scene as a gray recording from above would show them.

The law of this file: poses and a `Look` go in, gray frames come out; numpy and OpenCV's drawing only, no
files. Pixel (0, 0) is the centre of the top left pixel. Brightness is a float of 0 to 1 until the sensor
makes it a byte. Animals are layers (brightness, opacity) over the floor, so that wings are seen through and a
foot under another animal's body is known to be hidden.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sample.scene import HEAD, NECK, SIZE, TIP, WAIST, Arena, Array, Pose

Image = NDArray[np.float32]
Bytes = NDArray[np.uint8]

_FINE = 3  # legs are drawn this much larger and averaged down
_SHIFT = 4  # fraction bits of OpenCV's drawing coordinates
_ATTACH = np.array([[0.10, -0.06], [0.10, 0.06], [0.02, -0.08], [0.02, 0.08], [-0.06, -0.07], [-0.06, 0.07]])
_KNEE_BEND = np.array([1, -1, -1, 1, -1, 1]) * 0.16
_LEG_LENGTH = np.array([0.52, 0.52, 0.52, 0.52, 0.60, 0.60])


@dataclass(frozen=True)
class Look:
    """How one recording looks: the floor, the light, the animals' coat and the camera."""

    floor: float  # brightness of the floor
    grain: float  # roughness of its texture
    dirt: int  # specks
    outside: float  # brightness beyond the wall
    rim: float  # brightness of the wall's glint
    body: float  # brightness of the animals' body, as a share of the floor
    legs: float  # brightness of the legs, as a share of the floor
    stripes: float  # contrast of the abdomen's bands
    wing: float  # opacity of the wings
    stout: float  # width of the bodies
    leg_width: float
    light_angle: float
    slope: float  # how much brighter the lit side of the image is
    vignette: float
    shadow: float  # darkness of the shadows
    shadow_reach: float  # in body lengths
    blur: float  # of the lens, sigma in pixels
    noise: float  # of the sensor, in gray levels at full brightness
    flicker: float
    exposure: int  # parts of a frame's time that the shutter is open

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Look:
        """Some look within what recordings look like."""
        floor = rng.uniform(0.42, 0.86)
        return cls(
            floor=floor,
            grain=rng.uniform(0.01, 0.06),
            dirt=int(rng.integers(5, 90)),
            outside=rng.choice([rng.uniform(0.08, 0.3), floor * rng.uniform(0.6, 1.1)]),
            rim=rng.uniform(0.0, 0.25),
            body=rng.uniform(0.22, 0.55),
            legs=rng.uniform(0.2, 0.55),
            stripes=rng.uniform(0.1, 0.5),
            wing=rng.uniform(0.08, 0.32),
            stout=rng.uniform(0.88, 1.14),
            leg_width=rng.uniform(0.85, 1.25),
            light_angle=rng.uniform(-np.pi, np.pi),
            slope=rng.uniform(0.0, 0.28),
            vignette=rng.uniform(0.0, 0.35),
            shadow=rng.uniform(0.1, 0.45),
            shadow_reach=rng.uniform(0.02, 0.11),
            blur=rng.uniform(0.45, 0.95),
            noise=rng.uniform(1.5, 7.0),
            flicker=rng.uniform(0.0, 0.012),
            exposure=int(rng.integers(1, 4)),
        )


class Camera:
    """Takes the frames of one recording."""

    def __init__(self, look: Look, arena: Arena, lengths: Array, seed: int, size: int = SIZE) -> None:
        self._rng = np.random.default_rng(seed)
        self._look, self._size = look, size
        self._floor = _floor(look, arena, size, self._rng)
        self._light = _light(look, size)
        self._animals = [_Animal(look, float(length), self._rng) for length in lengths]
        self._order = self._rng.permutation(len(lengths))

    def shoot(self, poses: list[Pose], noise: bool = True) -> tuple[Bytes, NDArray[np.bool_]]:
        """A frame (H, W) of the moments that the shutter was open, and which keypoints (A, 9) can be seen.

        A keypoint is hidden where another animal's body lies over it, or outside the image.
        """
        moments = [self._moment(pose) for pose in poses]
        mean = np.mean(np.stack(moments), axis=0)
        frame = _single(cv2.GaussianBlur(mean * self._light, (0, 0), self._look.blur))
        if noise:
            frame = self._sensor(frame)
        image = np.clip(frame * 255 + 0.5, 0, 255).astype(np.uint8)
        return image, self._visible(poses[len(poses) // 2])

    def _moment(self, pose: Pose) -> Image:
        canvas = self._floor.copy()
        patches = [animal.patch(pose, i, self._look) for i, animal in enumerate(self._animals)]
        for i in self._order:
            self._cast_shadow(canvas, patches[i], float(pose.lengths[i]))
        for i in self._order:
            patch = patches[i]
            here, there = _overlap(patch.x, patch.y, patch.alpha.shape[0], self._size)
            alpha = patch.alpha[there]
            canvas[here] += alpha * (patch.tone[there] - canvas[here])
        self._alphas = patches
        return canvas

    def _cast_shadow(self, canvas: Image, patch: _Patch, length: float) -> None:
        look = self._look
        reach = look.shadow_reach * length
        soft = cv2.GaussianBlur(patch.alpha, (0, 0), 0.8 + 0.5 * reach)
        x = patch.x - round(reach * np.cos(look.light_angle))
        y = patch.y - round(reach * np.sin(look.light_angle))
        here, there = _overlap(x, y, soft.shape[0], self._size)
        canvas[here] *= 1 - look.shadow * soft[there]

    def _sensor(self, frame: Image) -> Image:
        """Shot noise, which grows with the light, read noise, and the lamp's flicker."""
        rng, look = self._rng, self._look
        sigma = look.noise / 255 * np.sqrt(np.clip(frame, 0.02, 1) * 0.8 + 0.1)
        gain = 1 + look.flicker * rng.standard_normal()
        noise = rng.standard_normal(frame.shape, dtype=np.float32)
        return np.asarray(frame * gain + sigma * noise, dtype=np.float32)

    def _visible(self, pose: Pose) -> NDArray[np.bool_]:
        points = pose.keypoints()
        seen = np.all((points >= 0) & (points <= self._size - 1), axis=-1)
        for place, upper in enumerate(self._order):
            patch = self._alphas[upper]
            for lower in self._order[:place]:
                cells = np.round(points[lower] - [patch.x, patch.y]).astype(int)
                inside = np.all((cells >= 0) & (cells < patch.alpha.shape[0]), axis=-1)
                cells = np.clip(cells, 0, patch.alpha.shape[0] - 1)
                seen[lower] &= ~(inside & (patch.alpha[cells[:, 1], cells[:, 0]] > 0.6))
        return np.asarray(seen)


@dataclass(frozen=True)
class _Patch:
    """A square piece of image with one animal on it; (x, y) is the image pixel of its top left pixel."""

    x: int
    y: int
    tone: Image
    alpha: Image


@dataclass(frozen=True)
class _Sprite:
    """A body part seen straight from above, its own +x forward, `scale` sprite pixels to a body length.

    `origin` is the sprite pixel of the joint; (nx, ny) is the surface's tilt, which the light shades.
    """

    tone: Image
    alpha: Image
    nx: Image
    ny: Image
    origin: tuple[float, float]
    scale: float


class _Animal:
    """One animal's coat and the drawing of its poses."""

    def __init__(self, look: Look, length: float, rng: np.random.Generator) -> None:
        self._length = length
        self._half = int(0.86 * length) + 4
        body = look.floor * look.body * rng.uniform(0.85, 1.15)
        self._leg_tone = np.float32(look.floor * look.legs * rng.uniform(0.9, 1.1))
        self._leg_width = look.leg_width * rng.uniform(0.92, 1.08)
        scale, stout = 1.4 * length, look.stout * rng.uniform(0.96, 1.04)
        self._thorax = _thorax(body, scale, stout, rng)
        self._head = _head(body, scale, stout, rng)
        self._abdomen = _abdomen(body, scale, stout, look.stripes, rng)
        self._wings = [_wing(look, scale, side, rng) for side in (-1, 1)]

    def patch(self, pose: Pose, i: int, look: Look) -> _Patch:
        """The animal `i` of `pose`, drawn."""
        half, length = self._half, self._length
        x0, y0 = np.floor(pose.thorax[i]).astype(int) - half
        thorax = pose.thorax[i] - [x0, y0]
        heading = float(pose.heading[i])
        side = 2 * half + 1
        alpha = self._draw_legs(thorax, heading, pose.feet[i] - [x0, y0], side)
        tone = np.full((side, side), self._leg_tone, dtype=np.float32)

        def put(sprite: _Sprite, forward: float, outward: float, angle: float, base: float) -> None:
            c, s = np.cos(base), np.sin(base)
            at = thorax + length * np.array([c * forward - s * outward, s * forward + c * outward])
            _lay(tone, alpha, sprite, at, angle, length / sprite.scale, look.light_angle)

        bend = heading + float(pose.bend[i])
        put(self._head, NECK, 0.0, heading + float(pose.head_yaw[i]), heading)
        put(self._abdomen, WAIST, 0.0, bend, heading)
        put(self._thorax, 0.0, 0.0, heading, heading)
        for sprite, out in zip(self._wings, (-1, 1), strict=True):
            put(sprite, -0.01, 0.075 * out, heading - out * float(pose.wings[i]), heading)
        return _Patch(int(x0), int(y0), tone, alpha)

    def _draw_legs(self, thorax: Array, heading: float, feet: Array, side: int) -> Image:
        """The opacity (side, side) of the six legs."""
        length, width = self._length, self._leg_width * self._length
        c, s = np.cos(heading), np.sin(heading)
        turn = np.array([[c, s], [-s, c]])
        hips = thorax + length * _ATTACH @ turn
        fine = np.zeros((side * _FINE, side * _FINE), dtype=np.uint8)
        for leg in range(6):
            hip, foot = hips[leg], feet[leg]
            span = foot - hip
            reach = float(np.hypot(*span)) + 1e-6
            slack = np.sqrt(max((_LEG_LENGTH[leg] * length) ** 2 - reach**2, 0.0)) / length
            normal = np.array([-span[1], span[0]]) / reach
            knee = hip + 0.46 * span + normal * _KNEE_BEND[leg] * (0.25 + 1.6 * slack) * length
            ankle = knee + 0.66 * (foot - knee) + normal * _KNEE_BEND[leg] * 0.12 * length
            _limb(fine, hip, knee, 0.056 * width, 0.046 * width)
            _limb(fine, knee, ankle, 0.042 * width, 0.030 * width)
            _limb(fine, ankle, foot, 0.026 * width, 0.021 * width)
        small = cv2.resize(fine, (side, side), interpolation=cv2.INTER_AREA)
        return np.asarray(small, dtype=np.float32) * np.float32(0.92 / 255)


def _limb(fine: Bytes, a: Array, b: Array, wide: float, narrow: float) -> None:
    """A tapered rod from `a` to `b` (patch pixels), `wide` and `narrow` its width at the ends."""
    along = b - a
    normal = np.array([-along[1], along[0]]) / (float(np.hypot(*along)) + 1e-6) / 2
    corners = np.array([a + normal * wide, b + normal * narrow, b - normal * narrow, a - normal * wide])
    # Pixel centres: fine pixel = 3 (x + 0.5) - 0.5.
    points = np.round(((corners + 0.5) * _FINE - 0.5) * (1 << _SHIFT)).astype(np.int32)
    cv2.fillConvexPoly(fine, points, 255, cv2.LINE_AA, _SHIFT)
    for end, size in ((a, wide), (b, narrow)):
        centre = np.round(((end + 0.5) * _FINE - 0.5) * (1 << _SHIFT)).astype(int)
        radius = max(round(size * _FINE / 2 * (1 << _SHIFT)), 1)
        cv2.circle(fine, (int(centre[0]), int(centre[1])), radius, 255, -1, cv2.LINE_AA, _SHIFT)


def _lay(
    tone: Image, alpha: Image, sprite: _Sprite, at: Array, angle: float, zoom: float, light_angle: float
) -> None:
    """Lay a sprite over a patch, its joint at `at` (patch pixels), turned by `angle`."""
    lx, ly = np.cos(light_angle - angle), np.sin(light_angle - angle)
    lit = sprite.tone * (1 + 0.35 * (sprite.nx * lx + sprite.ny * ly)).astype(np.float32)
    layer = cv2.merge([lit * sprite.alpha, sprite.alpha])
    c, s = np.cos(angle) * zoom, np.sin(angle) * zoom
    turn, origin = np.array([[c, -s], [s, c]]), np.array(sprite.origin)
    # Only the sprite's own surroundings: warping the whole patch costs four times as much.
    high, wide = sprite.alpha.shape
    corners = (np.array([[0, 0], [wide, 0], [0, high], [wide, high]]) - origin) @ turn.T + at
    x0, y0 = np.maximum(np.floor(corners.min(axis=0)).astype(int) - 1, 0)
    x1, y1 = np.minimum(np.ceil(corners.max(axis=0)).astype(int) + 2, alpha.shape[0])
    if x1 <= x0 or y1 <= y0:
        return
    offset = at - [x0, y0] - turn @ origin
    matrix = np.concatenate([turn, offset[:, None]], axis=1)
    warped = cv2.warpAffine(layer, matrix, (int(x1 - x0), int(y1 - y0)), flags=cv2.INTER_LINEAR)
    tones, alphas = tone[y0:y1, x0:x1], alpha[y0:y1, x0:x1]
    below = alphas * (1 - warped[..., 1])
    total = below + warped[..., 1]
    # Unmultiplied tone: what lies below weighs as much as it still shows.
    tones[:] = (tones * below + warped[..., 0]) / np.maximum(total, 1e-4)
    alphas[:] = total


def _overlap(x: int, y: int, side: int, size: int) -> tuple[Any, Any]:
    """Slices of the image and of the patch where a patch at (x, y) covers the image."""
    x0, x1 = np.clip([x, x + side], 0, size)
    y0, y1 = np.clip([y, y + side], 0, size)
    return np.s_[y0:y1, x0:x1], np.s_[y0 - y : y1 - y, x0 - x : x1 - x]


def _grid(back: float, front: float, half_width: float, scale: float) -> tuple[Image, Image, float, float]:
    """Coordinates (u forward, v outward) in body lengths of a sprite's pixels, and its origin in pixels."""
    columns, rows = int((front - back) * scale) + 1, int(2 * half_width * scale) + 1
    u = np.arange(columns, dtype=np.float32) / np.float32(scale) + np.float32(back)
    v = (np.arange(rows, dtype=np.float32) - (rows - 1) / 2) / np.float32(scale)
    uu, vv = np.meshgrid(u, v)
    return uu.astype(np.float32), vv.astype(np.float32), -back * scale, (rows - 1) / 2


def _single(values: NDArray[np.floating[Any]]) -> Image:
    """`values` in single precision."""
    return np.asarray(values, dtype=np.float32)


def _soft(inside: Image, edge: float) -> Image:
    """1 inside (positive), 0 outside, with an edge of about `edge`."""
    return np.asarray(np.clip(inside / np.float32(edge) + 0.5, 0, 1), dtype=np.float32)


def _dome(u: Image, v: Image, a: float, b: Image | float) -> tuple[Image, Image, Image, Image]:
    """An egg of half-axes a, b: how far inside (body lengths), its height, and its surface's tilt."""
    x, y = u / a, v / b
    r = np.sqrt(x * x + y * y)
    height = np.sqrt(np.clip(1 - r * r, 0, 1))
    inside = (1 - r) * np.minimum(a, b)
    fade = np.clip(r, 0, 1) / np.maximum(r, 1e-6)
    return inside, height, x * fade, y * fade


def _fuzz(shape: tuple[int, ...], rng: np.random.Generator, sigma: float) -> Image:
    """Smooth noise of unit deviation."""
    noise = cv2.GaussianBlur(rng.standard_normal(shape, dtype=np.float32), (0, 0), sigma)
    return np.asarray(noise / max(float(noise.std()), 1e-6), dtype=np.float32)


def _thorax(body: float, scale: float, stout: float, rng: np.random.Generator) -> _Sprite:
    u, v, ox, oy = _grid(-0.21, 0.21, 0.18, scale)
    inside, height, nx, ny = _dome(u, v, 0.165, 0.128 * stout)
    lines = 0.14 * np.cos(v / (0.032 * stout) + np.pi) * np.exp(-((u / 0.11) ** 2))
    # The scutellum: a small dark-edged shield at the back.
    shield = -0.25 * np.exp(-(((u + 0.095) / 0.018) ** 2)) * (np.abs(v) < 0.075)
    tone = body * (0.72 + 0.5 * height + lines + shield + 0.06 * _fuzz(u.shape, rng, 0.9))
    tone += 0.22 * np.exp(-((u - 0.02) ** 2 + v**2) / 0.0022) * rng.uniform(0.2, 0.9)
    return _Sprite(_single(tone), _soft(inside, 0.02) * np.float32(0.98), nx, ny, (ox, oy), scale)


def _head(body: float, scale: float, stout: float, rng: np.random.Generator) -> _Sprite:
    u, v, ox, oy = _grid(-0.06, 0.34, 0.2, scale)
    inside, height, nx, ny = _dome(u - HEAD, v, 0.082, 0.12 * stout)
    tone = body * (0.85 + 0.45 * height + 0.05 * _fuzz(u.shape, rng, 0.8))
    alpha = _soft(inside, 0.02)
    for side in (-1, 1):
        eye, bulge, ex, ey = _dome(u - 0.105, v - side * 0.092 * stout, 0.07, 0.047)
        cover = _soft(eye, 0.018)
        tone = tone * (1 - cover) + cover * body * (0.42 + 0.4 * bulge)
        tone += 0.3 * np.exp(-((u - 0.115) ** 2 + (v - side * 0.088 * stout) ** 2) / 0.00035) * cover
        nx, ny = nx * (1 - cover) + ex * cover, ny * (1 - cover) + ey * cover
        # An antenna: short, bent outward.
        t = (u - 0.165) / 0.12
        curve = side * (0.03 + 0.055 * np.clip(t, 0, 1) ** 1.5)
        hair = np.where((t > 0) & (t < 1), 0.009 - np.abs(v - curve), -1.0)
        line = _soft(_single(hair), 0.014) * 0.75
        tone, alpha = tone * (1 - line) + line * body * 0.8, np.maximum(alpha, line)
    tone += body * 0.35 * np.exp(-((u - 0.155) ** 2 / 0.0006 + v**2 / 0.0012))
    return _Sprite(_single(tone), _single(alpha * 0.98), _single(nx), _single(ny), (ox, oy), scale)


def _abdomen(body: float, scale: float, stout: float, stripes: float, rng: np.random.Generator) -> _Sprite:
    u, v, ox, oy = _grid(-0.40, 0.09, 0.19, scale)
    x = u - TIP - 0.195  # 0 in the middle of the egg, whose half-axis is 0.195
    taper = (0.142 * stout * (1 + 0.9 * np.clip(x, -0.2, 0.2))).astype(np.float32)
    inside, height, nx, ny = _dome(x, v, 0.195, taper)
    bands = np.clip(np.cos((u + 0.02) / 0.075 * 2 * np.pi + 6 * v * v) * 1.6, -1, 1)
    dark_tip = np.clip((-u - 0.20) / 0.12, 0, 1)
    tone = body * (0.9 + 0.5 * height + stripes * bands - 0.45 * dark_tip + 0.05 * _fuzz(u.shape, rng, 0.9))
    tone += 0.12 * np.exp(-((u + 0.12) ** 2 / 0.01 + v**2 / 0.0009)) * rng.uniform(0.2, 1.0)
    tone = np.clip(tone, 0.03, 1)
    return _Sprite(_single(tone), _soft(inside, 0.02) * np.float32(0.97), nx, ny, (ox, oy), scale)


def _wing(look: Look, scale: float, side: int, rng: np.random.Generator) -> _Sprite:
    u, v, ox, oy = _grid(-0.62, 0.03, 0.17, scale)
    x, y = u + 0.29, v - side * 0.035
    width = (0.105 * (1 - 0.9 * x)).astype(np.float32)
    inside, _, nx, ny = _dome(x, y, 0.30, width)
    cover = _soft(inside, 0.02)
    veins = np.zeros_like(u)
    for k, offset in enumerate((-0.055, -0.02, 0.02, 0.06)):
        path = side * (-0.05 - 0.4 * u * (0.15 + 0.1 * k)) + offset * np.clip(-u / 0.3, 0, 1)
        veins = np.maximum(veins, _soft(_single(0.006 - np.abs(v - path)), 0.01))
    rim = _soft(_single(0.012 - np.abs(inside)), 0.014)
    alpha = cover * look.wing + np.maximum(0.35 * veins * cover, 0.4 * rim) * (0.4 + look.wing)
    sheen = 0.1 * np.clip(_fuzz(u.shape, rng, scale * 0.05), -1, 2)
    tone = look.floor * (0.62 + sheen) * (1 - 0.45 * np.maximum(veins, rim))
    return _Sprite(_single(tone), _single(np.clip(alpha, 0, 1)), nx * 0.3, ny * 0.3, (ox, oy), scale)


def _light(look: Look, size: int) -> Image:
    """The lamp's gradient and the lens's vignette (size, size), about 1."""
    axis = np.linspace(-1, 1, size, dtype=np.float32)
    x, y = np.meshgrid(axis, axis)
    slope = 1 + look.slope * 0.5 * (x * np.cos(look.light_angle) + y * np.sin(look.light_angle))
    return _single(slope * (1 - look.vignette * 0.5 * (x * x + y * y)))


def _floor(look: Look, arena: Arena, size: int, rng: np.random.Generator) -> Image:
    """The empty dish (size, size)."""
    texture = np.zeros((size, size), dtype=np.float32)
    for sigma, share in ((0.7, 0.35), (2.0, 0.35), (7.0, 0.35), (30.0, 0.6)):
        texture += share * _fuzz((size, size), rng, sigma)
    ys, xs = np.mgrid[0:size, 0:size].astype(np.float32)
    depth = arena.depth(np.stack([xs, ys], axis=-1)).astype(np.float32)
    floor = look.floor * (1 + look.grain * texture)
    floor = _stain(floor, look, rng)
    # The wall: a dark foot where it meets the floor, a glint on its top, and what lies beyond.
    floor *= 1 - 0.28 * np.exp(-((depth / 7) ** 2)) - 0.10 * np.exp(-depth.clip(0) / 22)
    beyond = look.outside * (1 + 0.6 * look.grain * texture)
    inside = np.clip(depth + 0.5, 0, 1)
    floor = floor * inside + beyond * (1 - inside)
    angle = np.arctan2(ys - arena.y, xs - arena.x)
    glint = 0.55 + 0.45 * np.cos(angle - look.light_angle)
    for at, wide, share in ((-2.5, 1.6, 1.0), (-8.0, 2.2, 0.5)):
        floor += look.rim * share * glint * np.exp(-(((depth - at) / wide) ** 2))
    return np.asarray(np.clip(floor, 0, 1), dtype=np.float32)


def _stain(floor: Image, look: Look, rng: np.random.Generator) -> Image:
    """Specks, scratches and smears, as a dish has that was used before."""
    size = floor.shape[0]
    marks = np.zeros((size * 2, size * 2), dtype=np.float32)
    for _ in range(look.dirt):
        x, y = rng.integers(0, size * 2, 2)
        axes = np.maximum(rng.gamma(1.6, 1.1, 2), 0.7).round().astype(int)
        weight = float(rng.uniform(0.1, 0.75) * rng.choice([1, 1, 1, -0.4]))
        spin = float(rng.uniform(0, 180))
        cv2.ellipse(marks, (int(x), int(y)), (int(axes[0]), int(axes[1])), spin, 0, 360, weight, -1)
    for _ in range(look.dirt // 6):
        start, span = rng.uniform(0, size * 2, 2), rng.normal(0, 60, 2)
        bend = rng.normal(0, 12, 2)
        t = np.linspace(0, 1, 12)[:, None]
        line = (start + span * t + bend * np.sin(np.pi * t)).round().astype(np.int32)
        cv2.polylines(marks, [line], False, float(rng.uniform(-0.15, 0.3)), 1)
    small = cv2.GaussianBlur(cv2.resize(marks, (size, size), interpolation=cv2.INTER_AREA), (0, 0), 0.6)
    for _ in range(int(rng.integers(0, 4))):
        x, y, r = rng.uniform(0, size), rng.uniform(0, size), rng.uniform(10, 45)
        ys, xs = np.mgrid[0:size, 0:size]
        ring = np.hypot(xs - x, (ys - y) * rng.uniform(0.7, 1.4)) / r
        small += np.float32(rng.uniform(-0.05, 0.08)) * np.exp(-(ring**6)).astype(np.float32)  # a dried drop
    return np.asarray(floor * (1 - small), dtype=np.float32)
