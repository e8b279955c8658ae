"""Videos that are sent here: into the data folder, under a name of their own."""

from __future__ import annotations

import codecs
import logging
import os
import re
import uuid
from contextlib import suppress
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO, BinaryIO

from flask import Flask, jsonify, request
from flask.typing import ResponseReturnValue

from inference.catalog import VIDEO_SUFFIXES
from inference.containers import lacks_contents
from inference.errors import NotStored, RequestError, TooLarge
from inference.settings import Settings
from inference.web.intake import why_not

log = logging.getLogger(__name__)

TYPE = "application/octet-stream"
"""What an upload has to call itself: a page of another site could not send that without being asked first."""
_CHUNK = 1 << 20
_UNWANTED = re.compile(r"[^\w .()+,=@\[\]-]")
_LONGEST = 120
"""Bytes of a name without its ending: file systems take 255, and a number may be added."""
_LOOKED_AT = 1 << 16
"""Bytes at a file's beginning that are looked at for text: MXF may have so many of others' before its own."""
_OF_TEXT = bytes((*b"\b\t\n\v\f\r\x1b", *range(0x20, 0x100)))
"""Bytes of a text, in any of the usual encodings; every kind of video has others soon, but for this one:"""
_TEXTUAL = b"YUV4MPEG2 "
_MARKS_OF_TEXT = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def add_uploads(app: Flask, settings: Settings) -> None:
    """`POST /videos`, and `GET /limits`, which says how large they may be."""

    @app.get("/limits")
    def limits() -> ResponseReturnValue:
        return jsonify(upload_bytes=settings.upload_bytes)

    @app.post("/videos")
    def upload() -> ResponseReturnValue:
        name = checked_name(request.args.get("name", ""))
        if request.mimetype != TYPE:
            raise RequestError(f"A video is sent as it is, with the header Content-Type: {TYPE}.")
        if not request.content_length:
            raise RequestError("The video is empty, or its length (Content-Length) is not said.")
        if request.content_length > settings.upload_bytes:
            raise TooLarge(
                f"{name} has {_size(request.content_length)}; videos of up to {_size(settings.upload_bytes)} "
                "are taken. Put it into the data folder yourself."
            )
        kept = store(request.stream, request.content_length, settings.data, name)
        return jsonify(video_name=kept), 201


def checked_name(given: str) -> str:
    """A file name without folders and odd characters; RequestError if it is no video's."""
    name = PureWindowsPath(PurePosixPath(given).name).name
    name = _UNWANTED.sub("_", name).strip(" .")
    stem, suffix = Path(name).stem, Path(name).suffix
    if not stem or suffix.lower() not in VIDEO_SUFFIXES:
        shown = given if len(given) <= 60 else given[:60] + "…"
        raise RequestError(
            f"{shown!r} is no video's name: it has to end in .mp4, .avi, .mov, .mkv, .webm or such."
        )
    return stem.encode()[:_LONGEST].decode(errors="ignore").rstrip(" .") + suffix


def store(stream: IO[bytes], length: int, folder: Path, name: str) -> str:
    """Write `length` bytes into the folder; gives the name it got, which no other file has.

    Under a hidden name until it is whole, so that it appears in the list of videos only then. RequestError
    if the sender stops early or it cannot be a video, NotStored if the folder does not take it.
    """
    part = folder / f".upload-{uuid.uuid4().hex}"
    try:
        with part.open("xb+") as file:
            left = length
            while left and (chunk := stream.read(min(left, _CHUNK))):
                file.write(chunk)
                left -= len(chunk)
            if left:
                raise RequestError(f"{name} was cut off: {_size(left)} of it did not come.")
            _check(file, name)
        return _placed(part, folder, name)
    except OSError as error:
        log.exception("an upload could not be stored")
        raise NotStored(f"{name} could not be written to the data folder: {why_not(error)}") from error
    finally:
        with suppress(OSError):
            part.unlink()


def _check(file: BinaryIO, name: str) -> None:
    """RequestError for what certainly is no video, or one in which nothing can be found. Decodes nothing."""
    file.seek(0)
    head = file.read(_LOOKED_AT)
    is_text = head.startswith(_MARKS_OF_TEXT) or not head.translate(None, _OF_TEXT)
    if is_text and not head.startswith(_TEXTUAL):
        raise RequestError(f"{name} holds text: it is no video, whatever its name says, and was not kept.")
    if lacks_contents(file):
        raise RequestError(
            f"{name} has no table of contents (moov), without which no frame can be found: its recording was "
            "not finished, or it was cut off. It was not kept; copy it again from where it came."
        )


def _placed(part: Path, folder: Path, name: str) -> str:
    stem, suffix = Path(name).stem, Path(name).suffix
    number = 1
    while True:
        wanted = name if number == 1 else f"{stem}-{number}{suffix}"
        try:
            _put(part, folder / wanted)
        except FileExistsError:
            number += 1
        else:
            return wanted


def _put(part: Path, place: Path) -> None:
    """Give a file its name; FileExistsError if another has it. A rename alone would replace that."""
    try:
        os.link(part, place)
    except FileExistsError:
        raise
    except OSError:
        # Some disks have no hard links (exFAT, some of the network's).
        place.open("xb").close()
        try:
            part.replace(place)
        except OSError:
            place.unlink()
            raise


def _size(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"
