"""NWB with the ndx-pose extension, written by sleap-io and pynwb.

Each track is a PoseEstimation with a series for each node: the frames that it was found in, at their times.
Instances without a track get placeholders. Scores of animals have no place in it; provenance is in the notes.
"""

from __future__ import annotations

import json
import warnings
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import sleap_io
from ndx_pose import PoseEstimationSeries
from pynwb import NWBHDF5IO, NWBFile
from sleap_io.io.nwb_predictions import append_nwb_data

from inference.exports.job import Job
from inference.exports.labels import labels_of

SOFTWARE = "interactive-model-inference"
_BYTES = 900
"""Memory for each node of each instance, while pandas turns them around (measured)."""
_NOT_OURS = (
    r"The '(original_videos|labeled_videos|devices)' constructor argument|Timeseries has a rate of 0.0 Hz"
)
"""What ndx-pose and pynwb say of how sleap-io calls them; the rates are corrected afterwards."""
_HERTZ = 1.0
"""Where the video does not say its frames per second: times are then frame numbers."""

_Seen = dict[str, tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]]


def write(job: Job) -> None:
    """Write the recording; Conflict if there is no animal in it."""
    job.refuse_empty("NWB")
    job.refuse_larger_than_memory(job.points * _BYTES, "NWB")
    job.refuse_full_disk()
    facts = job.recording.facts
    labels = labels_of(job, placeholders=True, rename=_allowed, video_name=_allowed_path(facts.video))
    # to the last frame that is recorded: the video's length may be a claim, and a wrong one
    times = np.arange(job.seen[-1] + 1) / (facts.fps or _HERTZ)
    file = _file(job)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", _NOT_OURS)
        append_nwb_data(labels, file, _about(job, times))
    _put_true_times(file, _seen(labels), labels.skeleton.node_names, times)
    with NWBHDF5IO(str(job.path), "w") as held:
        held.write(file)


def _file(job: Job) -> NWBFile:
    facts = job.recording.facts
    file = NWBFile(
        session_description=f"Poses predicted in {Path(facts.video).name}",
        identifier=facts.run,
        # when the animals were filmed is not known
        session_start_time=datetime.fromtimestamp(facts.created, timezone.utc),
        notes=json.dumps(job.provenance),
    )
    # sleap-io takes this one; its own has a field that pynwb warns about, whenever the file is read
    file.create_device(name="camera_0", description=f"Camera for {Path(facts.video).name}")
    return file


def _about(job: Job, times: npt.NDArray[np.float64]) -> dict[str, Any]:
    facts = job.recording.facts
    return {
        "video_timestamps": times,
        "scorer": "; ".join(Path(model).name for model in facts.models),
        "source_software": SOFTWARE,
        "source_software_version": facts.versions.get(SOFTWARE),
        "original_videos": [facts.video],
        "labeled_videos": [facts.video],
    }


def _seen(labels: sleap_io.Labels) -> _Seen:
    """For each track its frames (n,), and which nodes were found in them (n, nodes)."""
    frames: dict[str, list[int]] = {}
    found: dict[str, list[npt.NDArray[np.bool_]]] = {}
    for labeled in labels.labeled_frames:
        for instance in labeled.instances:
            frames.setdefault(instance.track.name, []).append(labeled.frame_idx)
            found.setdefault(instance.track.name, []).append(np.isfinite(instance.numpy()).all(axis=1))
    return {track: (np.array(frames[track]), np.array(found[track])) for track in frames}


def _put_true_times(file: NWBFile, seen: _Seen, nodes: list[str], times: npt.NDArray[np.float64]) -> None:
    """Give the series that sleap-io found to be evenly spaced the times of their frames, too.

    Of those it keeps the first and the rate, and of the rate the whole number: 29.97 would become 29, and
    less than 1 become 0.
    """
    (module,) = (held for name, held in file.processing.items() if name.startswith("SLEAP_VIDEO"))
    for track, (frames, found) in seen.items():
        for node, name in enumerate(nodes):
            _set_times(module[f"track={track}"][name], times[frames[found[:, node]]])


def _set_times(series: PoseEstimationSeries, times: npt.NDArray[np.float64]) -> None:
    if series.timestamps is None:
        for name in ("rate", "starting_time", "starting_time_unit"):
            series.fields.pop(name, None)
        series.fields.update(timestamps=times, timestamps_unit="seconds", interval=1)


def _allowed(name: str) -> str:
    """NWB's names are HDF5's, in which these two stand for folders and links."""
    return name.replace("/", "_").replace(":", "_")


def _allowed_path(path: str) -> str:
    return str(Path(path).with_name(_allowed(Path(path).name)))
