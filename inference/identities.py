"""Who is who in a run: whether animals are followed at all, live as frames come, and over a whole recording.

What follows is `tracking.Tracker`; here stands what it is fed with. Models that tell individuals apart by
themselves need none: their class is the identity.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from inference.journal import Journal, Recording
from inference.messages import FrameResult, Instances, ModelInfo, PoseOptions, TrackingOptions
from inference.predictors.instances import none_found

if TYPE_CHECKING:
    from inference.tracking import Tracker

Tracks = tuple[int | None, ...]


def wanted(
    info: ModelInfo, options: PoseOptions, tracking: TrackingOptions, asked: bool | None
) -> TrackingOptions | None:
    """How to follow, or None. Where nobody `asked` (None): if there may be several without a class."""
    several = info.many and not info.classes and options.max_instances != 1
    return tracking if (several if asked is None else asked) else None


class Follower:
    """Gives every instance its identity, frame after frame of one stream."""

    def __init__(self, info: ModelInfo, tracking: TrackingOptions | None, width: int) -> None:
        """`width` is the video's, in px, to scale the pictures that optical flow looks at."""
        self._info = info
        self._tracking = tracking
        self._width = width
        self._tracker = _tracker(tracking) if tracking else None

    def continue_from(self, journal: Journal, start: int) -> None:
        """Take up the identities of the frames right before `start`, if they were recorded."""
        if self._tracker is None or self._tracking is None:
            return
        held = [journal.at(frame) for frame in range(max(0, start - self._tracking.window), start)]
        self._tracker.seed(
            [
                (record.instances, tuple(None if track < 0 else track for track in record.tracks))
                for record in held
                if record is not None
            ],
            # with a limit the numbers are all there are: to begin above them would leave none
            journal.next_track if self._tracking.max_tracks is None else 0,
        )

    def missed(self) -> None:
        """A frame failed: time goes on without it."""
        if self._tracker is not None:
            self._tracker.follow(none_found(len(self._info.nodes)))

    def follow(self, result: FrameResult, instances: Instances) -> Tracks:
        """The identities of the next frame's instances. `keep` waits for the whole run (`of_recording`)."""
        if self._tracker is None or self._tracking is None:
            return of_classes(instances)
        image, scale = None, 1.0
        if self._tracking.candidates == "flow" and result.image:
            image = _decoded(result.image)
            scale = image.shape[1] / self._width
        return self._tracker.follow(instances, image, scale)


def of_recording(recording: Recording, video: Path) -> tuple[Recording, dict[int, Tracks]]:
    """Identities over a whole recording, in the order of its frames, however it was watched.

    Raises VideoError if optical flow is asked for and the video cannot be read. Where `keep` asks for it, the
    recording that is given back has fewer instances.
    """
    tracking = recording.facts.tracking
    if tracking is None:
        return recording, {frame: of_classes(found) for frame, found in recording.frames.items()}
    from inference.tracking import keep

    tracker, kept, tracks = _tracker(tracking), {}, {}
    empty, pictures = none_found(len(recording.facts.info.nodes)), None
    if tracking.candidates == "flow":
        pictures = _Pictures(video)
    before = -1
    for frame in sorted(recording.frames):
        for _ in range(min(frame - before - 1, tracking.window)):
            tracker.follow(empty)
        image = pictures.at(frame) if pictures else None
        found = recording.frames[frame]
        followed = tracker.follow(found, image, 1.0)
        kept[frame], tracks[frame] = (
            (found, followed) if tracking.keep is None else keep(found, followed, tracking.keep)
        )
        before = frame
    if pictures:
        pictures.close()
    return dataclasses.replace(recording, frames=kept), tracks


def of_classes(instances: Instances) -> Tracks:
    """An individual that the model knows is its own identity."""
    return tuple(None if one < 0 else int(one) for one in instances.classes)


# Imported where they are needed: the web process answers the sooner, and few of its runs need them.


def _tracker(tracking: TrackingOptions) -> Tracker:
    from inference.tracking import Tracker

    return Tracker(tracking)


def _decoded(jpeg: bytes) -> npt.NDArray[np.uint8]:
    import cv2

    return np.asarray(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_GRAYSCALE))


class _Pictures:
    """Gray frames of a video, asked for in ascending order."""

    def __init__(self, path: Path) -> None:
        from inference.video import Video

        self._video = Video(path)
        self._frames = self._video.frames(0, None)
        self._next = 0

    def at(self, frame: int) -> npt.NDArray[np.uint8] | None:
        import cv2

        image = None
        while self._next <= frame:
            image = next(self._frames, None)
            self._next += 1
        if image is None or image.shape[2] == 1:
            return None if image is None else image[..., 0]
        return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))

    def close(self) -> None:
        self._video.close()
