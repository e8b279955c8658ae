"""Films with one awkward trait each, written by ffmpeg; every frame carries its number (`barcode.py`).

A function is named for its trait. It takes the file to write, whose ending chooses the container, and
gives it back.
"""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Iterable
from pathlib import Path

import imageio_ffmpeg
import numpy as np

from tests.kit import barcode

COUNT = 90
"""Frames of a film, unless said otherwise."""
H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-threads", "1")
HEVC = (
    "-c:v",
    "libx265",
    "-preset",
    "ultrafast",
    "-pix_fmt",
    "yuv420p",
    "-x265-params",
    "log-level=error:pools=1",
)
MPEG4 = ("-c:v", "mpeg4", "-q:v", "3", "-bf", "2")
XVID = ("-c:v", "libxvid", "-q:v", "3", "-bf", "2")
"""Packs two frames into one packet, with an empty one after them."""
VP8 = ("-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8")
VP9 = (
    "-c:v",
    "libvpx-vp9",
    "-deadline",
    "good",
    "-cpu-used",
    "8",
    "-lag-in-frames",
    "12",
    "-auto-alt-ref",
    "1",
)
AV1 = ("-c:v", "libsvtav1", "-preset", "12", "-pix_fmt", "yuv420p")
_UNEVEN = "floor(N/3)*8+mod(N,3)+gt(mod(N,3),1)"
"""Frames that last 1, 2 and 5 ticks, in turn."""


def run_ffmpeg(*arguments: str | Path, given: bytes | None = None) -> None:
    """Run ffmpeg; the test fails with its words."""
    ffmpeg = imageio_ffmpeg.get_ffmpeg_exe()
    command = [ffmpeg, "-hide_banner", "-loglevel", "error", "-y", *map(str, arguments)]
    done = subprocess.run(command, input=given, capture_output=True)
    assert done.returncode == 0, done.stderr.decode(errors="replace")


def write(path: Path, frames: Iterable[np.ndarray], *options: str | Path) -> Path:
    """Write gray frames of one size at 30 frames/s, encoded as `options` say."""
    pictures = list(frames)
    height, width = pictures[0].shape[:2]
    source = ("-f", "rawvideo", "-pix_fmt", "gray", "-s", f"{width}x{height}", "-r", "30", "-i", "-")
    run_ffmpeg(*source, *options, path, given=b"".join(picture.tobytes() for picture in pictures))
    return path


def numbered(count: int = COUNT, **look: int) -> list[np.ndarray]:
    """Frames 0, 1, 2, …"""
    return [barcode.draw(index, **look) for index in range(count)]


def constant_rate(path: Path, count: int = COUNT, codec: tuple[str, ...] = H264, **look: int) -> Path:
    """As most are."""
    return write(path, numbered(count, **look), *codec, "-g", "12")


def b_frames(path: Path, count: int = COUNT) -> Path:
    """Frames stored in another order than they are shown in, with two key frames in the whole film."""
    return write(
        path, numbered(count), *H264, "-bf", "3", "-g", "50", "-x264-params", "b-pyramid=normal:scenecut=0"
    )


def open_gop(path: Path) -> Path:
    """Frames before a key frame are made of what comes after it."""
    more = "open-gop=1:keyint=12:min-keyint=12:bframes=3:scenecut=0:b-adapt=0"
    return write(path, numbered(), *H264, "-bf", "3", "-x264-params", more)


def variable_rate(path: Path, codec: tuple[str, ...] = (*H264, "-bf", "2")) -> Path:
    """Frames that last 1, 2 and 5 ticks in turn."""
    return _timed(path, _UNEVEN, *codec)


def gaps(path: Path, codec: tuple[str, ...] = (*H264, "-bf", "2")) -> Path:
    """A constant rate with pauses of 10 s and 4 s, as motion-triggered cameras make them."""
    return _timed(path, "N+gte(N,30)*300+gte(N,61)*120", *codec)


def gap_and_uneven(path: Path) -> Path:
    """Both together."""
    return _timed(path, f"{_UNEVEN}+gte(N,40)*200", *H264, "-bf", "2")


def _timed(path: Path, ticks: str, *codec: str, count: int = COUNT) -> Path:
    """Each frame N at `ticks` thirtieths of a second."""
    timing = ("-vf", f"settb=1/30,setpts='{ticks}'", "-fps_mode", "passthrough", "-enc_time_base", "1:30")
    return write(path, numbered(count), *timing, *codec, "-g", "25")


def late_start(path: Path) -> Path:
    """The first frame is shown at 2 s."""
    return write(path, numbered(), "-vf", "setpts=PTS+2/TB", "-copyts", *H264, "-bf", "2", "-g", "25")


def edit_list(path: Path) -> Path:
    """Cut without encoding anew: the film begins in the middle of a group, by the container's edit list."""
    whole = b_frames(path.with_name(f"whole-{path.name}"))
    run_ffmpeg("-ss", "1.0", "-i", whole, "-c", "copy", path)
    return path


def rotated(path: Path, degrees: int) -> Path:
    """Stored turned; the container says how to turn it back for showing."""
    turned = [np.rot90(picture, -degrees // 90) for picture in numbered(30)]
    stored = write(
        path.with_name(f"stored-{path.name}"), map(np.ascontiguousarray, turned), *H264, "-g", "12"
    )
    run_ffmpeg("-display_rotation", str(degrees), "-i", stored, "-c", "copy", path)
    return path


def with_sound(path: Path) -> Path:
    """A tone beside the pictures, which begins before them."""
    silent = b_frames(path.with_name(f"silent-{path.name}"))
    tone = ("-f", "lavfi", "-i", "sine=frequency=440:duration=3")
    sound = {".webm": "libopus", ".avi": "mp2"}.get(path.suffix, "aac")
    run_ffmpeg("-i", silent, *tone, "-map", "1:a", "-map", "0:v", "-c:v", "copy", "-c:a", sound, path)
    return path


def two_videos(path: Path) -> Path:
    """Two streams of pictures: a small one with another count, and the film."""
    small = write(path.with_name(f"small-{path.name}"), numbered(20, width=64, height=48), *H264)
    large = b_frames(path.with_name(f"large-{path.name}"))
    run_ffmpeg("-i", small, "-i", large, "-map", "0:v", "-map", "1:v", "-c", "copy", path)
    return path


def cut(path: Path, share: float = 0.5) -> Path:
    """Only the first part of a film's bytes."""
    content = b_frames(path).read_bytes()
    length = int(len(content) * share)
    path.write_bytes(content[: length + (length % 188 == 0)])  # not between two packets of a transport stream
    return path


def claiming(path: Path, seconds: float) -> Path:
    """A Matroska file that says it lasts so long, whatever is in it."""
    content = bytearray(constant_rate(path).read_bytes())
    at = content.index(b"\x44\x89\x88") + 3  # the duration: in ms, a double
    content[at : at + 8] = struct.pack(">d", 1000 * seconds)
    path.write_bytes(content)
    return path


def claiming_frames(path: Path, count: int) -> Path:
    """An AVI whose headers say it has so many frames, whatever is in it."""
    content = bytearray(constant_rate(path, codec=MPEG4).read_bytes())
    for at in (content.index(b"avih") + 8 + 16, content.index(b"strh") + 8 + 32):
        content[at : at + 4] = struct.pack("<I", count)
    path.write_bytes(content)
    return path


def fragmented(path: Path) -> Path:
    """An mp4 without one table of its frames: each piece has its own."""
    return write(path, numbered(), *H264, "-bf", "2", "-g", "25", "-movflags", "frag_keyframe+empty_moov")


def without_frames(path: Path) -> Path:
    """A container with a stream and no frame in it."""
    run_ffmpeg("-f", "lavfi", "-i", "color=size=128x96:rate=30", "-frames:v", "0", *H264, path)
    return path


def damaged(path: Path, packet: int = 40) -> Path:
    """Noise in place of one packet, in the middle of the film."""
    whole = write(path.with_name(f"whole-{path.name}"), numbered(), *H264, "-bf", "0", "-g", "15")
    run_ffmpeg("-i", whole, "-c", "copy", "-bsf:v", f"noise=amount=eq(n\\,{packet})", path)
    return path
