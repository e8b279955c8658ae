"""A recorded run as a file: SLEAP's labels, analysis HDF5, NWB and CSV by sleap-io, a video, JSON.

Every instance that was recorded is in every format. Where one can hold only instances with a track, those
without get placeholders ("untracked 1", …), as many as the fullest frame needs. sleap-io is imported only
when something is written: that takes seconds.
"""

from __future__ import annotations

import json
import uuid
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from inference.errors import Conflict, InferenceError, VideoError
from inference.journal import Recording
from inference.messages import Instances

if TYPE_CHECKING:
    import sleap_io

Tracks = Mapping[int, tuple[int | None, ...]]
Progress = Callable[[int, int], None]

SKELETON = "skeleton"
"""Its name, which SLEAP's configurations do not say and NWB needs."""


@dataclass(frozen=True)
class Format:
    """A kind of file: how its name ends and what it is over HTTP."""

    suffix: str
    mimetype: str


FORMATS = {
    "csv": Format(".csv", "text/csv"),
    "slp": Format(".slp", "application/x-hdf5"),
    "h5": Format(".h5", "application/x-hdf5"),
    "nwb": Format(".nwb", "application/x-hdf5"),
    "mp4": Format(".mp4", "video/mp4"),
    "json": Format(".json", "application/json"),
}
"""csv, slp, h5 and nwb hold the points, mp4 shows them, json says only where they come from."""


def write(
    recording: Recording,
    tracks: Tracks,
    path: Path,
    form: str,
    *,
    video: Path | None,
    provenance: dict[str, Any],
    progress: Progress = lambda done, total: None,
) -> None:
    """Write a recording to `path`, which has the whole file or stays as it was.

    `tracks` are the identities by frame, one an instance; `video` is where the video is now, if anywhere.
    Raises an InferenceError, with a sentence, where the format cannot hold this recording or the disk the
    file.
    """
    # the ending stays: libraries go by it
    part = path.with_name(f".{uuid.uuid4().hex[:8]}-{path.stem}{FORMATS[form].suffix}")
    try:
        with warnings.catch_warnings():
            # of units, names and times that are as they have to be
            warnings.filterwarnings("ignore", module=r"(pynwb|hdmf|ndx_pose|sleap_io|pandas)")
            _WRITERS[form](_Job(recording, tracks, part, video, provenance, progress))
        part.replace(path)
    except OSError as error:
        raise InferenceError(f"{path.name} cannot be written: {error.strerror or error}.") from error
    finally:
        part.unlink(missing_ok=True)


@dataclass(frozen=True)
class _Job:
    recording: Recording
    tracks: Tracks
    path: Path
    video: Path | None
    provenance: dict[str, Any]
    progress: Progress


def _write_json(job: _Job) -> None:
    job.path.write_text(json.dumps(job.provenance, indent=2) + "\n")


def _write_slp(job: _Job) -> None:
    import sleap_io

    sleap_io.save_slp(_labels(job, placeholders=False), str(job.path), verbose=False)


def _write_csv(job: _Job) -> None:
    import sleap_io

    _refuse_empty(job, "CSV")
    sleap_io.save_csv(_labels(job, placeholders=False), str(job.path))


def _write_h5(job: _Job) -> None:
    import sleap_io

    _refuse_empty(job, "analysis HDF5")
    sleap_io.save_analysis_h5(_labels(job, placeholders=True), str(job.path))


def _write_nwb(job: _Job) -> None:
    from sleap_io.io.nwb_predictions import write_nwb

    _refuse_empty(job, "NWB")
    labels = _labels(job, placeholders=True)
    times = np.arange(_length(job.recording)) / (job.recording.facts.fps or 1.0)
    write_nwb(
        labels,
        str(job.path),
        {
            "session_description": f"Poses predicted in {Path(job.recording.facts.video).name}",
            "identifier": job.recording.facts.run,
            "notes": json.dumps(job.provenance),
        },
        {"video_timestamps": times, "scorer": "; ".join(job.recording.facts.models)},
    )
    _write_true_times(job.path, labels, times)


def _write_true_times(path: Path, labels: sleap_io.Labels, times: np.ndarray[Any, Any]) -> None:
    """Put the times of evenly spaced points into an NWB file.

    sleap-io keeps only their rate, and of that the whole number: 29.97 frames/s would become 29.
    """
    import h5py

    frames: dict[tuple[str, str], list[int]] = {}
    for labeled in labels.labeled_frames:
        for instance in labeled.instances:
            for node, point in zip(instance.skeleton.node_names, instance.numpy(), strict=True):
                if np.isfinite(point).all():
                    frames.setdefault((instance.track.name, node), []).append(labeled.frame_idx)
    with h5py.File(path, "r+") as file:
        (module,) = (group for name, group in file["processing"].items() if name.startswith("SLEAP"))
        for (track, node), seen in frames.items():
            series = module[f"track={track}"][node]
            if "starting_time" in series:
                del series["starting_time"]
                stamps = series.create_dataset("timestamps", data=times[seen])
                stamps.attrs.update(interval=np.int32(1), unit="seconds")


def _write_mp4(job: _Job) -> None:
    from inference import overlay

    if job.video is None:
        raise VideoError("The video is not there any more: without it there is no picture to draw on.")
    overlay.write(job.recording, job.tracks, job.path, job.video, json.dumps(job.provenance), job.progress)


_WRITERS: dict[str, Callable[[_Job], None]] = {
    "csv": _write_csv,
    "slp": _write_slp,
    "h5": _write_h5,
    "nwb": _write_nwb,
    "mp4": _write_mp4,
    "json": _write_json,
}


def _refuse_empty(job: _Job, form: str) -> None:
    if not any(len(instances) for instances in job.recording.frames.values()):
        raise Conflict(f"No animal was found in this run, and {form} has no way to say so: choose slp.")


def _length(recording: Recording) -> int:
    """Frames of the video, as far as anybody knows."""
    last = max([*recording.frames, *recording.failures], default=-1)
    return max(recording.end or recording.facts.n_frames or 0, last + 1)


def _labels(job: _Job, *, placeholders: bool) -> sleap_io.Labels:
    """The recording in sleap-io's terms; with `placeholders` every instance has a track."""
    import sleap_io

    recording, info = job.recording, job.recording.facts.info
    nodes = [sleap_io.Node(name) for name in info.nodes]
    skeleton = sleap_io.Skeleton(
        nodes,
        [sleap_io.Edge(nodes[source], nodes[destination]) for source, destination in info.edges],
        [sleap_io.Symmetry([nodes[one], nodes[other]]) for one, other in info.symmetries],
        name=SKELETON,
    )
    facts = recording.facts
    shape = (_length(recording), facts.height, facts.width, 1)
    video = sleap_io.Video(
        facts.video, backend_metadata={"shape": shape, "fps": facts.fps}, open_backend=False
    )
    book = _Book(info.classes)
    frames = []
    for done, frame in enumerate(sorted(recording.frames)):
        instances = recording.frames[frame]
        of_frame = book.tracks(job.tracks.get(frame, (None,) * len(instances)), placeholders)
        frames.append(
            sleap_io.LabeledFrame(
                video=video, frame_idx=frame, instances=_instances(instances, of_frame, skeleton)
            )
        )
        job.progress(done + 1, len(recording.frames))
    labels = sleap_io.Labels(
        labeled_frames=frames, videos=[video], skeletons=[skeleton], tracks=book.all_tracks()
    )
    labels.provenance.update(job.provenance)
    return labels


def _instances(
    instances: Instances, tracks: list[sleap_io.Track | None], skeleton: sleap_io.Skeleton
) -> list[sleap_io.PredictedInstance]:
    import sleap_io

    return [
        sleap_io.PredictedInstance.from_numpy(
            instances.points[i],
            skeleton,
            point_scores=np.nan_to_num(instances.values[i]),
            score=float(instances.scores[i]),
            track=track,
            tracking_score=float(np.nan_to_num(instances.class_scores[i])),
        )
        for i, track in enumerate(tracks)
    ]


class _Book:
    """The tracks so far, by number, and the placeholders."""

    def __init__(self, classes: tuple[str, ...]) -> None:
        self._classes = classes
        self._known: dict[int, sleap_io.Track] = {}
        self._placeholders: list[sleap_io.Track] = []

    def tracks(self, numbers: tuple[int | None, ...], placeholders: bool) -> list[sleap_io.Track | None]:
        """The track of each instance of one frame."""
        untracked = iter(range(len(numbers)))
        return [
            self._track(number)
            if number is not None
            else self._placeholder(next(untracked))
            if placeholders
            else None
            for number in numbers
        ]

    def _track(self, number: int) -> sleap_io.Track:
        import sleap_io

        if number not in self._known:
            named = number < len(self._classes)
            self._known[number] = sleap_io.Track(self._classes[number] if named else f"track_{number}")
        return self._known[number]

    def _placeholder(self, position: int) -> sleap_io.Track:
        import sleap_io

        while len(self._placeholders) <= position:
            self._placeholders.append(sleap_io.Track(f"untracked {len(self._placeholders) + 1}"))
        return self._placeholders[position]

    def all_tracks(self) -> list[sleap_io.Track]:
        """By number, the placeholders last."""
        return [self._known[number] for number in sorted(self._known)] + self._placeholders
