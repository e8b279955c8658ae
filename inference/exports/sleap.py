"""SLEAP's own formats, written by sleap-io: labels, CSV and analysis HDF5.

- slp holds all there is: instances without a track, frames in which nothing was found, scores, provenance.
- csv has a row for each instance (track, frame_idx, instance.score, then x, y and score of each node), with a
  blank where there is no track. Provenance has no place in it.
- h5 is dense, from the video's first frame to its last, with a place for each track in each frame: instances
  without one get placeholders. A frame in which nothing was found looks like one that was not predicted.

Scores of animals and tracks are float32 in slp; all else is float64 everywhere.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import sleap_io

from inference.exports.job import Job
from inference.exports.labels import labels_of

_H5_BYTES = 40
"""Memory for each node of each track of each frame: x, y and score, and a copy of x and y to compress."""


def _write_slp(job: Job) -> None:
    job.refuse_full_disk()
    with warnings.catch_warnings():
        # of provenance, which is long where many frames failed, it keeps one copy then instead of two
        warnings.filterwarnings("ignore", "Labels metadata JSON")
        sleap_io.save_slp(labels_of(job, placeholders=False), str(job.path), verbose=False)


def _write_csv(job: Job) -> None:
    job.refuse_empty("CSV")
    sleap_io.save_csv(labels_of(job, placeholders=False), str(job.path))


def _write_h5(job: Job) -> None:
    job.refuse_empty("analysis HDF5")
    job.refuse_full_disk()
    labels = labels_of(job, placeholders=True)
    places = job.length * len(labels.tracks) * len(labels.skeleton.nodes)
    job.refuse_larger_than_memory(places * _H5_BYTES, "analysis HDF5")
    sleap_io.save_analysis_h5(labels, str(job.path))


WRITERS: dict[str, Callable[[Job], None]] = {"slp": _write_slp, "csv": _write_csv, "h5": _write_h5}
