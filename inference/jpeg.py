"""Pictures for the viewer: a frame as JPEG, at the width that is shown. Pure."""

from __future__ import annotations

import cv2

from inference.messages import Frame

QUALITY = 85


def encode_jpeg(frame: Frame, width: int | None) -> bytes:
    """JPEG of an RGB or gray (H, W, C) uint8 frame, made `width` px wide (None, or wider: as it is)."""
    picture = frame[..., 0] if frame.shape[2] == 1 else cv2.cvtColor(frame, cv2.COLOR_RGB2BGR)
    if width is not None and width < frame.shape[1]:
        height = max(1, round(frame.shape[0] * width / frame.shape[1]))
        picture = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes()
