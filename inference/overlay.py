"""Drawing a recording on its video: skeletons, points, names, as H.264 that any browser plays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from inference.journal import Recording
from inference.messages import Instances, ModelInfo
from inference.palette import Color, color
from inference.video import Video

Picture = npt.NDArray[np.uint8]
"""(height, width, 3) uint8, red, green, blue."""

FPS = 25.0
"""Where the video does not say."""
_SUBPIXEL = 4
_WHITE: Color = (255, 255, 255)
_BLACK: Color = (0, 0, 0)


def write(
    recording: Recording,
    tracks: Mapping[int, tuple[int | None, ...]],
    path: Path,
    video: Path,
    comment: str,
    progress: Callable[[int, int], None],
) -> None:
    """Write frames first to last of a recording with all drawn on them; VideoError if they cannot be read.

    A frame in between that was not recorded is shown as it is. `comment` is kept in the file's metadata.
    """
    import imageio_ffmpeg

    seen = sorted([*recording.frames, *recording.failures])
    first, stop = (seen[0], seen[-1] + 1) if seen else (0, 0)
    with Video(video) as source:
        size = (_even(source.width), _even(source.height))
        writer = imageio_ffmpeg.write_frames(
            str(path),
            size,
            fps=source.fps or FPS,
            quality=None,
            macro_block_size=2,
            output_params=[
                "-crf",
                "20",
                "-preset",
                "veryfast",
                "-movflags",
                "+faststart",
                "-metadata",
                f"comment={comment}",
            ],
        )
        writer.send(None)
        try:
            for frame, image in enumerate(source.frames(first, stop), first):
                picture = padded(np.repeat(image, 3, axis=2) if image.shape[2] == 1 else image, size)
                if frame in recording.frames:
                    found = recording.frames[frame]
                    draw(picture, found, tracks.get(frame, (None,) * len(found)), recording.facts.info)
                writer.send(picture)
                progress(frame - first + 1, stop - first)
        finally:
            writer.close()


def draw(picture: Picture, instances: Instances, tracks: tuple[int | None, ...], info: ModelInfo) -> None:
    """Draw a frame's animals onto it, each in its identity's colour; without identity, nodes in theirs."""
    unit = max(1.0, min(picture.shape[:2]) / 384)
    for i, track in enumerate(tracks):
        points = instances.points[i]
        for source, destination in info.edges:
            if np.isfinite(points[[source, destination]]).all():
                ink = _WHITE if track is None else color(track)
                _line(picture, points[source], points[destination], ink, round(unit))
        for node, point in enumerate(points):
            if np.isfinite(point).all():
                _dot(picture, point, color(node if track is None else track), 2.5 * unit)
        if track is not None:
            _name(picture, points, _called(track, info), color(track), unit)


def _called(track: int, info: ModelInfo) -> str:
    return info.classes[track] if track < len(info.classes) else f"track {track}"


def padded(picture: Picture, size: tuple[int, int]) -> Picture:
    """A copy with (width, height) of even numbers, as H.264 wants them: black at the right and bottom."""
    out = np.zeros((size[1], size[0], 3), np.uint8)
    out[: picture.shape[0], : picture.shape[1]] = picture
    return out


def _even(side: int) -> int:
    return side + side % 2


def _fixed(point: npt.NDArray[np.float64]) -> tuple[int, int]:
    x, y = np.rint(np.clip(point, -1e5, 1e5) * (1 << _SUBPIXEL)).astype(int)
    return int(x), int(y)


def _line(picture: Picture, start: Any, stop: Any, ink: Color, width: int) -> None:
    cv2.line(picture, _fixed(start), _fixed(stop), ink, width, cv2.LINE_AA, _SUBPIXEL)


def _dot(picture: Picture, point: Any, ink: Color, radius: float) -> None:
    for extra, shade in ((1, _BLACK), (0, ink)):
        size = round((radius + extra * 0.8) * (1 << _SUBPIXEL))
        cv2.circle(picture, _fixed(point), size, shade, -1, cv2.LINE_AA, _SUBPIXEL)


def _name(picture: Picture, points: npt.NDArray[np.float64], text: str, ink: Color, unit: float) -> None:
    there = points[np.isfinite(points[:, 0])]
    if len(there):
        x, y = int(there[:, 0].mean()), int(there[:, 1].min() - 6 * unit)
        for shade, width in ((_BLACK, 3), (ink, 1)):
            cv2.putText(
                picture, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, 0.4 * unit, shade, width, cv2.LINE_AA
            )
