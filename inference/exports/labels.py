"""A recording in sleap-io's terms. Here stands how tracks and placeholders are named.

Where a format can hold only instances with a track, those without get placeholders ("untracked 1", …), as
many as the fullest frame needs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import sleap_io

from inference.errors import VideoError
from inference.exports.job import Job
from inference.messages import Instances, ModelInfo
from inference.video import Video

SKELETON = "skeleton"
"""Its name, which SLEAP's configurations do not say and NWB needs."""

Rename = Callable[[str], str]


def labels_of(
    job: Job, *, placeholders: bool, rename: Rename = str, video_name: str | None = None
) -> sleap_io.Labels:
    """All that was recorded; a frame in which nothing was found is there, and empty.

    With `placeholders`, every instance has a track, and no two of a frame the same one. `rename` makes the
    nodes' and tracks' names fit a format, `video_name` stands for the video's path.
    """
    skeleton = _skeleton(job.recording.facts.info, rename)
    video = _video(job, video_name)
    book = _Book(job.recording.facts.info.classes, rename, placeholders)
    frames = []
    for done, frame in enumerate(sorted(job.recording.frames), 1):
        found = _instances(job.recording.frames[frame], book.tracks(job.tracks_of(frame)), skeleton)
        frames.append(sleap_io.LabeledFrame(video=video, frame_idx=frame, instances=found))
        job.progress(done, len(job.recording.frames))
    return sleap_io.Labels(
        labeled_frames=frames,
        videos=[video],
        skeletons=[skeleton],
        tracks=book.all_tracks(),
        provenance=dict(job.provenance),
    )


def _skeleton(info: ModelInfo, rename: Rename) -> sleap_io.Skeleton:
    taken: set[str] = set()
    nodes = [sleap_io.Node(_unique(rename(name), taken)) for name in info.nodes]
    return sleap_io.Skeleton(
        nodes,
        [sleap_io.Edge(nodes[source], nodes[destination]) for source, destination in info.edges],
        [sleap_io.Symmetry([nodes[one], nodes[other]]) for one, other in info.symmetries],
        name=SKELETON,
    )


def _video(job: Job, name: str | None) -> sleap_io.Video:
    """The video's path and what is known of it, in SLEAP's own words; nothing is opened by sleap-io."""
    facts, gray = job.recording.facts, _is_gray(job)
    about: dict[str, Any] = {
        "type": "MediaVideo",
        "shape": [job.length, facts.height, facts.width, 1 if gray else 3],
        "filename": name or facts.video,
        # None: whoever opens the video looks for himself
        "grayscale": gray,
        "bgr": True,
        "dataset": "",
        "input_format": "",
        "fps": facts.fps,
    }
    return sleap_io.Video(name or facts.video, backend_metadata=about, open_backend=False)


def _is_gray(job: Job) -> bool | None:
    """Whether the video is gray; None if it is not there to be asked."""
    if job.video is None:
        return None
    try:
        with Video(job.video) as video:
            return bool(video.frame_bytes == video.width * video.height)
    except VideoError:
        return None


def _instances(
    instances: Instances, tracks: list[sleap_io.Track | None], skeleton: sleap_io.Skeleton
) -> list[sleap_io.PredictedInstance]:
    sure = np.nan_to_num(instances.class_scores)
    # a point whose score is no number would be left out of NWB, as if nothing had been found
    found = np.isfinite(instances.points[..., 0])
    of_points = np.where(found, np.nan_to_num(instances.values), instances.values)
    return [
        sleap_io.PredictedInstance.from_numpy(
            points, skeleton, values, score=float(score), track=track, tracking_score=float(tracking_score)
        )
        for points, values, score, track, tracking_score in zip(
            instances.points, of_points, instances.scores, tracks, sure, strict=True
        )
    ]


class _Book:
    """The tracks so far, by number, and the placeholders."""

    def __init__(self, classes: tuple[str, ...], rename: Rename, placeholders: bool) -> None:
        self._rename = rename
        self._wanted = placeholders
        self._taken: set[str] = set()
        # all of them first, so that nothing else takes a class's name
        self._classes = [_unique(rename(name), self._taken) for name in classes]
        self._known: dict[int, sleap_io.Track] = {}
        self._placeholders: list[sleap_io.Track] = []

    def tracks(self, numbers: tuple[int | None, ...]) -> list[sleap_io.Track | None]:
        """The track of each instance of one frame."""
        given: list[sleap_io.Track | None] = []
        free = 0
        for number in numbers:
            track = None if number is None else self._track(number)
            if self._wanted and (track is None or track in given):
                track = self._placeholder(free)
                free += 1
            given.append(track)
        return given

    def _track(self, number: int) -> sleap_io.Track:
        if number not in self._known:
            named = number < len(self._classes)
            name = self._classes[number] if named else _unique(f"track_{number}", self._taken)
            self._known[number] = sleap_io.Track(name)
        return self._known[number]

    def _placeholder(self, position: int) -> sleap_io.Track:
        if position == len(self._placeholders):
            self._placeholders.append(sleap_io.Track(_unique(f"untracked {position + 1}", self._taken)))
        return self._placeholders[position]

    def all_tracks(self) -> list[sleap_io.Track]:
        """By number, the placeholders last."""
        return [self._known[number] for number in sorted(self._known)] + self._placeholders


def _unique(name: str, taken: set[str]) -> str:
    """The name, with a number behind it if it is taken; it is taken from now on."""
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name} ({number})"
    taken.add(free)
    return free
