"""A video of the recording, drawn by `overlay.py`, as H.264 in MP4 that any browser plays.

It goes from the first frame that was predicted, or failed, to the last; frames in between that were not
recorded are shown as they are. One frame at a time is in memory. An odd width or height gets one more px,
black, at the right or bottom, because H.264 halves them. Provenance is the file's comment.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import IO

import imageio_ffmpeg

from inference import overlay
from inference.errors import Conflict, VideoError
from inference.exports.job import Job
from inference.messages import RunFacts
from inference.video import Video

FPS = 25.0
"""Where the video does not say."""
_ENCODING = (
    *("-c:v", "libx264", "-preset", "veryfast", "-crf", "20", "-pix_fmt", "yuv420p"),
    # players guess the matrix by the picture's size unless they are told
    *("-vf", "scale=out_color_matrix=bt709:out_range=tv", "-color_range", "tv"),
    *("-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709"),
    *("-movflags", "+faststart", "-f", "mp4"),
)
_TO_ESCAPE = str.maketrans({sign: f"\\{sign}" for sign in "\\=;#\n"})


def write(job: Job) -> None:
    """Write the video; VideoError if its frames cannot be read, or are not those of the run."""
    if job.video is None:
        raise VideoError("The video is not there any more: without it there is no picture to draw on.")
    if not job.seen:
        raise Conflict("No frame was recorded in this run: there is nothing to show.")
    first, stop = job.seen[0], job.seen[-1] + 1
    with Video(job.video) as source:
        _refuse_other(source, job.recording.facts, job.video.name)
        size = (overlay.even(source.width), overlay.even(source.height))
        with _encoder(job.path, size, source.fps or FPS, json.dumps(job.provenance)) as send:
            for done, picture in enumerate(_pictures(job, source, first, stop), 1):
                send(picture)
                job.progress(done, stop - first)


def _refuse_other(source: Video, facts: RunFacts, name: str) -> None:
    if (source.width, source.height) != (facts.width, facts.height):
        raise VideoError(
            f"{name} is not the video of this run any more: its frames are {source.width} × {source.height} "
            f"px, those of the run {facts.width} × {facts.height}."
        )


def _pictures(job: Job, source: Video, first: int, stop: int) -> Iterator[overlay.Picture]:
    frame = first
    for image in source.frames(first, stop):
        picture = overlay.canvas(image)
        if frame in job.recording.frames:
            found = job.recording.frames[frame]
            overlay.draw(picture, found, job.tracks_of(frame), job.recording.facts.info)
        yield picture
        frame += 1
    if frame < stop:
        raise VideoError(f"The video ends before frame {frame}; the run has frames up to {stop - 1}.")


@contextmanager
def _encoder(
    path: Path, size: tuple[int, int], fps: float, comment: str
) -> Iterator[Callable[[overlay.Picture], None]]:
    """ffmpeg, that takes pictures of (width, height) px; OSError if it does not get to the file's end."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as tags, tempfile.TemporaryFile() as said:
        # as a file: too long for an argument where many frames failed
        tags.write(f";FFMETADATA1\ncomment={comment.translate(_TO_ESCAPE)}\n")
        tags.flush()
        ffmpeg = subprocess.Popen(  # noqa: S603 - nothing here is a user's
            _command(path, size, fps, tags.name),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=said,
        )
        assert ffmpeg.stdin is not None  # noqa: S101
        try:
            yield _sender(ffmpeg.stdin)
            _finish(ffmpeg, ffmpeg.stdin)
        except _Stopped:
            ffmpeg.wait()
        finally:
            _end(ffmpeg, ffmpeg.stdin)
        if ffmpeg.returncode != 0:
            said.seek(0)
            raise OSError(f"ffmpeg: {said.read().decode(errors='replace').strip()}")


class _Stopped(Exception):
    """ffmpeg takes no more pictures; it has said why."""


def _sender(pipe: IO[bytes]) -> Callable[[overlay.Picture], None]:
    def send(picture: overlay.Picture) -> None:
        try:
            pipe.write(picture.data)
        except BrokenPipeError:
            raise _Stopped from None

    return send


def _finish(ffmpeg: subprocess.Popen[bytes], pipe: IO[bytes]) -> None:
    with suppress(BrokenPipeError):
        pipe.close()
    ffmpeg.wait()


def _end(ffmpeg: subprocess.Popen[bytes], pipe: IO[bytes]) -> None:
    """Whatever happened: neither the process nor the pipe is left."""
    if ffmpeg.poll() is None:
        ffmpeg.kill()
        ffmpeg.wait()
    with suppress(BrokenPipeError):
        pipe.close()


def _command(path: Path, size: tuple[int, int], fps: float, tags: str) -> list[str]:
    rate = Fraction(fps).limit_denominator(100_000)
    return [
        *(imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-loglevel", "error"),
        *("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{size[0]}x{size[1]}"),
        *("-framerate", str(rate), "-i", "pipe:0"),
        *("-f", "ffmetadata", "-i", tags, "-map", "0:v", "-map_metadata", "1"),
        *_ENCODING,
        str(path),
    ]
