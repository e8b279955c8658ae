"""What a video file's outermost bytes tell of whether it is whole.

Nothing is decoded, and no length is believed: each is only compared with the file's own.
"""

from __future__ import annotations

import os
from typing import BinaryIO

from inference.mp4 import top_boxes

_TS_PACKET = 188
_EBML, _SEGMENT = 0x1A45DFA3, 0x18538067


def is_cut(file: BinaryIO) -> bool:
    """Whether the file ends before the length that its container promises; False where none is promised."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    head = file.read(64)
    if head[:4] == b"RIFF":
        return 8 + int.from_bytes(head[4:8], "little") > size
    if head[:4] == _EBML.to_bytes(4, "big"):
        return _matroska_end(head) > size
    if is_mp4(file):
        return max((end for _, _, end in top_boxes(file)), default=0) > size
    # Every packet of a transport stream begins with this byte.
    return head[:1] == b"G" and size > _TS_PACKET and size % _TS_PACKET != 0


def promises_length(file: BinaryIO) -> bool:
    """Whether a container of this kind says where it ends, so that `is_cut` can tell."""
    file.seek(0)
    head = file.read(64)
    matroska = head[:4] == _EBML.to_bytes(4, "big") and _matroska_end(head) > 0
    return matroska or is_avi(file) or is_mp4(file)


def is_avi(file: BinaryIO) -> bool:
    """Whether it is AVI."""
    file.seek(0)
    head = file.read(12)
    return head[:4] == b"RIFF" and head[8:] == b"AVI "


def is_mp4(file: BinaryIO) -> bool:
    """Whether it is MP4 or QuickTime."""
    file.seek(4)
    return file.read(4) in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")


def lacks_contents(file: BinaryIO) -> bool:
    """Whether it is an MP4 without its table of contents: nothing in it can be found then."""
    return is_mp4(file) and all(kind != b"moov" for kind, _, _ in top_boxes(file))


def _matroska_end(head: bytes) -> int:
    """Where the segment, which holds everything, should end; 0 if it does not say."""
    at = 4
    length, at = _variable(head, at)
    at += length
    if int.from_bytes(head[at : at + 4], "big") != _SEGMENT:
        return 0
    begin = at + 4
    length, at = _variable(head, begin)
    unknown = length == (1 << 7 * (at - begin)) - 1
    return 0 if unknown else at + length


def _variable(head: bytes, at: int) -> tuple[int, int]:
    """A number of 1 to 8 bytes, whose first says how many, and where what follows it begins."""
    first = head[at] if at < len(head) else 0
    width = 9 - first.bit_length()
    value = int.from_bytes(head[at : at + width], "big")
    return value & ((1 << 7 * width) - 1), at + width
