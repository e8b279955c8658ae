"""What is known of a journal's records without their instances: where each frame is, which failed, how far it
goes. Who writes a journal knows it by this, and so does who lists them: a run may be long. Pure.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from inference.messages import EndRecord, FailureRecord, FrameRecord, RunFacts


def holds(record: Any, frames: Collection[int], failures: Collection[int]) -> bool:
    """Whether a record says anything that holds behind others, which are of these frames and failures.

    A frame stays as it was first predicted. An end is believed only behind a frame that is there: a stream
    that began behind the video's end has reached none, and old journals say that it had.
    """
    match record:
        case FrameRecord(frame) | FailureRecord(frame):
            return frame not in frames
        case EndRecord(end, None):
            return end - 1 in frames or end - 1 in failures
    return True


class Index:
    """The records of one journal, noted one after the other."""

    def __init__(self, facts: RunFacts) -> None:
        """Of a journal that holds nothing yet but `facts`."""
        self.facts = facts
        self.failures: set[int] = set()
        """Frames that could not be predicted, and were not later."""
        self.first: int | None = None
        """The first frame that was predicted or failed; `last` likewise."""
        self.last: int | None = None
        self.end: int | None = None
        """One more than the video's last frame, once a stream has reached it."""
        self.next_track = 0
        """Above all tracks that viewers saw."""
        self._places: dict[int, int] = {}

    @property
    def frames(self) -> Collection[int]:
        """Which frames were predicted and are written down."""
        return self._places.keys()

    def place(self, frame: int) -> int | None:
        """Where in the file a frame's record begins; None if there is none."""
        return self._places.get(frame)

    def takes(self, record: Any) -> bool:
        """Whether a record says anything that holds."""
        return holds(record, self._places, self.failures)

    def note(self, record: Any, start: int) -> None:
        """Take up a record that begins at byte `start`; of a frame's, the instances are not looked at."""
        if not self.takes(record):
            return
        match record:
            case FrameRecord(frame, _, tracks):
                self._places[frame] = start
                self.next_track = max(self.next_track, *(track + 1 for track in tracks), 0)
                self.failures.discard(frame)
                self._saw(frame)
            case FailureRecord(frame):
                self.failures.add(frame)
                self._saw(frame)
            case EndRecord(end, None):
                self.end = end

    def _saw(self, frame: int) -> None:
        self.first = frame if self.first is None else min(self.first, frame)
        self.last = frame if self.last is None else max(self.last, frame)
