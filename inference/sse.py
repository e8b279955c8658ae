"""Server-sent events: text frames as the HTML standard defines them. Pure.

`encode` makes one event; `HEARTBEAT` is a comment that keeps a silent connection alive. What the events of
a video's run say stands in `frame_events.py`, what those of a text's say in `text/events.py`.
"""

from __future__ import annotations

import json
from typing import Any

HEARTBEAT = b": \n\n"


def encode(data: dict[str, Any], event: str | None = None, index: int | None = None) -> bytes:
    """One event, with `index` as its id; without a name it is a plain message. A NaN is a ValueError."""
    lines = []
    if event is not None:
        lines.append(f"event: {event}")
    if index is not None:
        lines.append(f"id: {index}")
    lines.append("data: " + json.dumps(data, separators=(",", ":"), allow_nan=False))
    return ("\n".join(lines) + "\n\n").encode()
