"""Videos whose frames are far larger than any camera's: refused, before they cost their memory."""

from __future__ import annotations

import struct
import subprocess
import sys
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from inference.settings import HERE

MOST_MB = 400
"""FFmpeg decodes one frame, here of 144 MB, when it opens a file. Each copy of it would be 432 MB."""

WATCH = """
import resource, sys
from pathlib import Path
from inference.errors import VideoError
from inference.video import Video
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
before = peak()
try:
    with Video(Path(sys.argv[1])) as video:
        print(sum(1 for frame in video.frames(int(sys.argv[2]), None)), "frames")
except VideoError as error:
    print(error)
print((peak() - before) // 1024)
"""


def png(width: int, height: int, rows: int | None = None) -> bytes:
    """A black gray picture; with `rows`, it is cut off after so many."""
    pack, packed = zlib.compressobj(1), []
    for _ in range(height if rows is None else rows):
        packed.append(pack.compress(bytes(1 + width)))
    packed.append(pack.flush())
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", b"".join(packed)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks
    )


def part(kind: bytes, content: bytes) -> bytes:
    return kind + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)


def avi(pictures: list[bytes], width: int, height: int) -> bytes:
    """An AVI file of PNG pictures whose header claims that size."""
    count = len(pictures)
    main = struct.pack("<14I", 100_000, 0, 0, 16, count, 0, 1, 0, width, height, 0, 0, 0, 0)
    stream = b"vidsMPNG" + struct.pack("<IHH8I4h", 0, 0, 0, 0, 1, 10, 0, count, 0, 2**32 - 1, 0, 0, 0, 0, 0)
    form = struct.pack("<IiiHH4sIiiII", 40, width, height, 1, 24, b"MPNG", 0, 0, 0, 0, 0)
    head = part(b"LIST", b"strl" + part(b"strh", stream) + part(b"strf", form))
    movie, index = b"movi", b""
    for picture in pictures:
        index += b"00dc" + struct.pack("<III", 16, len(movie), len(picture))
        movie += part(b"00dc", picture)
    lists = part(b"LIST", b"hdrl" + part(b"avih", main) + head) + part(b"LIST", movie) + part(b"idx1", index)
    return part(b"RIFF", b"AVI " + lists)


def watched(path: Path, start: int = 0) -> tuple[str, int]:
    """What a process of its own gets of a video, and by how many MB its memory grew."""
    order = [sys.executable, "-c", WATCH, str(path), str(start)]
    run = subprocess.run(order, capture_output=True, text=True, cwd=HERE, timeout=60, check=True)
    said, peak = run.stdout.strip().rsplit("\n", 1)
    return said, int(peak)


@pytest.fixture(scope="session")
def giant() -> bytes:
    return png(12_000, 12_000)


@pytest.fixture(scope="session")
def small() -> bytes:
    return cv2.imencode(".png", np.zeros((64, 64), np.uint8))[1].tobytes()


def test_a_small_file_of_giant_frames_is_refused_for_the_memory_of_one(tmp_path, giant):
    content = avi([giant] * 3, 64, 64)
    (tmp_path / "giant.avi").write_bytes(content)
    said, peak = watched(tmp_path / "giant.avi")
    assert said.startswith("giant.avi has frames of 12000 × 12000 pixels") and "64 million" in said
    assert len(content) < 2_000_000
    assert peak < MOST_MB


@pytest.mark.parametrize("start", [0, 5])
def test_frames_that_become_giant_cost_no_more(tmp_path, giant, small, start):
    (tmp_path / "grows.avi").write_bytes(avi([small] * 3 + [giant] * 5, 64, 64))
    said, peak = watched(tmp_path / "grows.avi", start)
    assert said == f"{8 - start} frames" and peak < MOST_MB


def test_a_header_that_claims_more_than_there_is_costs_nothing(tmp_path, small):
    (tmp_path / "claims.avi").write_bytes(avi([small] * 3, 60_000, 60_000))
    said, peak = watched(tmp_path / "claims.avi")
    assert said == "3 frames" and peak < 100
    (tmp_path / "claims.png.mp4").write_bytes(png(60_000, 60_000, rows=10))
    said, peak = watched(tmp_path / "claims.png.mp4")
    assert "cannot be read as a video" in said and peak < 100


def test_8k_is_no_giant(tmp_path):
    (tmp_path / "8k.avi").write_bytes(avi([png(7680, 4320)] * 2, 7680, 4320))
    assert watched(tmp_path / "8k.avi")[0] == "2 frames"
