"""What is to be written, and what holds for every format that holds points."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inference.errors import Conflict, InferenceError
from inference.journal import Recording

Tracks = Mapping[int, tuple[int | None, ...]]
"""Identities by frame, one an instance."""
Progress = Callable[[int, int], None]
"""Is told of (frames done, frames in all)."""


_DISK_BYTES = 40
"""On disk for each node of each instance, in the largest format (slp, NWB: 33 and 27 were measured)."""


@dataclass(frozen=True)
class Job:
    """A recording and the file that it is written to; see `exports.write`."""

    recording: Recording
    tracks: Tracks
    path: Path
    video: Path | None
    provenance: dict[str, Any]
    progress: Progress

    def tracks_of(self, frame: int) -> tuple[int | None, ...]:
        """The identities of a frame's instances, none where nobody said any."""
        return self.tracks.get(frame, (None,) * len(self.recording.frames[frame]))

    @property
    def seen(self) -> list[int]:
        """The frames that were predicted or failed, in order."""
        return sorted([*self.recording.frames, *self.recording.failures])

    @property
    def length(self) -> int:
        """Frames of the video, as far as anybody knows."""
        counted = self.recording.end or self.recording.facts.n_frames or 0
        return max(counted, max(self.seen, default=-1) + 1)

    @property
    def points(self) -> int:
        """Nodes of all instances, found or not."""
        return sum(map(len, self.recording.frames.values())) * len(self.recording.facts.info.nodes)

    def refuse_full_disk(self) -> None:
        """Raise InferenceError if the points do not fit on the disk.

        HDF5 would find that out by itself, but its library then crashes the process.
        """
        size = self.points * _DISK_BYTES + 2 * len(json.dumps(self.provenance)) + (1 << 20)
        free = shutil.disk_usage(self.path.parent).free
        if size > free:
            raise InferenceError(
                f"There is no room for this file: it takes about {size / 2**20:.0f} MiB, and the disk has "
                f"{free / 2**20:.0f} left."
            )

    def refuse_empty(self, form: str) -> None:
        """Raise Conflict if there is no instance at all, for formats that are made of instances."""
        if not any(len(instances) for instances in self.recording.frames.values()):
            raise Conflict(f"No animal was found in this run, and {form} has no way to say so: choose slp.")

    def refuse_larger_than_memory(self, size: int, form: str) -> None:
        """Raise Conflict if writing takes `size` bytes of memory and the machine does not have them."""
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        if size > memory:
            raise Conflict(
                f"As {form}, this run would take {size / 2**30:.0f} GiB of memory, and this machine has "
                f"{memory / 2**30:.0f}: choose slp or csv."
            )
