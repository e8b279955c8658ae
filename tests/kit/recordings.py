"""A recording with all that a recording may hold."""

from __future__ import annotations

import numpy as np

from inference.journal import Journal, Recording
from inference.messages import (
    FailureRecord,
    FrameRecord,
    Instances,
    ModelInfo,
    PoseOptions,
    RunFacts,
    TrackingOptions,
)

INFO = ModelInfo(("head", "thorax", "tail"), ((1, 0), (1, 2)), ((0, 2),), (), many=True)


def facts(run="run-12345678", **changes) -> RunFacts:
    """What a run is of."""
    return RunFacts(
        **{
            "run": run, "created": 1.7e9, "video": "/videos/clip.mp4", "video_key": "v1", "width": 128,
            "height": 96,
            "fps": 25.0, "n_frames": 40, "models": ("/models/m",), "model_key": "m@1", "info": INFO,
            "options": PoseOptions(), "tracking": TrackingOptions(), "versions": {"python": "3"}, **changes,
        }
    )  # fmt: skip


def instances(seed: int, count: int, nodes: int = 3, classes=None) -> Instances:
    """Random animals, one node in five missing."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(0, 96, (count, nodes, 2))
    points[:, 1:][rng.random((count, nodes - 1)) < 0.2] = np.nan
    values = np.where(np.isfinite(points[..., 0]), rng.random((count, nodes)), np.nan)
    known = np.full(count, -1) if classes is None else np.array(classes)
    return Instances(
        points, values, rng.random(count), known.astype(np.int64), np.where(known < 0, np.nan, 0.75)
    )


def recording(**changes) -> Recording:
    """Frames 3 to 14 with none to three animals each; 8 has failed, 10 was never seen; the video has 40."""
    made = Recording(facts(**changes))
    for frame in range(3, 15):
        if frame == 8:
            made.add(FailureRecord(frame, "Frame 8: it has the wrong colour"))
        elif frame != 10:
            made.add(FrameRecord(frame, instances(frame, frame % 4), (0, -1, -1)[: frame % 4]))
    made.end = 40
    return made


def tracks(made: Recording) -> dict[int, tuple[int | None, ...]]:
    """As they were recorded."""
    return {frame: tuple(None if one < 0 else one for one in of) for frame, of in made.tracks.items()}


def write_journal(path, made: Recording) -> None:
    """The recording as a file."""
    journal = Journal(path, made.facts)
    for frame in sorted([*made.frames, *made.failures]):
        if frame in made.frames:
            journal.add(FrameRecord(frame, made.frames[frame], made.tracks[frame]))
        else:
            journal.add(FailureRecord(frame, made.failures[frame]))
    journal.close()
