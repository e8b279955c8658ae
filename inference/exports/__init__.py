"""A recorded run as a file. Here stands which formats there are, and that none is ever left half written.

Every instance that was recorded is in every format; what each can say beyond that stands with its writer.
sleap-io and what it brings are imported only when something is written: that takes seconds.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inference.errors import InferenceError
from inference.exports.job import Job, Progress, Tracks
from inference.journal import Recording

log = logging.getLogger(__name__)

_REASONS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES)


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

    `tracks` are the identities by frame, one an instance (None: it has none); `video` is where the video is
    now, if anywhere. `provenance` is kept in the file, but for csv, which has no place for it.
    `progress` is told of (frames done, frames in all).

    Raises an InferenceError, with a sentence: Conflict where the format cannot hold this recording,
    VideoError where the video is needed and cannot be read, and others where the file cannot be written.
    """
    if not path.parent.is_dir():
        raise InferenceError(f"{path.name} cannot be written: there is no folder {path.parent.name}.")
    # the ending stays: libraries go by it
    part = path.with_name(f".{uuid.uuid4().hex[:12]}{FORMATS[form].suffix}")
    try:
        _write(form, Job(recording, tracks, part, video, provenance, progress))
        part.replace(path)
    except (OSError, RuntimeError) as error:
        # HDF5 says so too that a disk is full while it closes a file
        log.warning("%s cannot be written", path, exc_info=True)
        raise InferenceError(f"{path.name} cannot be written: {_reason(error)}.") from error
    finally:
        part.unlink(missing_ok=True)


def _write(form: str, job: Job) -> None:
    if form == "json":
        job.path.write_text(json.dumps(job.provenance, indent=2) + "\n")
    elif form == "mp4":
        from inference.exports import movie

        movie.write(job)
    elif form == "nwb":
        from inference.exports import nwb

        nwb.write(job)
    else:
        from inference.exports import sleap

        sleap.WRITERS[form](job)


def _reason(error: Exception) -> str:
    """What the system says, without the paths and addresses that libraries put around it."""
    said = str(error)
    return next((reason for code in _REASONS if (reason := os.strerror(code)) in said), "the log says why")
