"""Videos that are sent here: into the data folder, under a name of their own."""

from __future__ import annotations

import os
import re
import uuid
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO

from flask import Flask, jsonify, request
from flask.typing import ResponseReturnValue

from inference.catalog import VIDEO_SUFFIXES
from inference.errors import RequestError, TooLarge
from inference.settings import Settings

TYPE = "application/octet-stream"
"""What an upload has to call itself: a page of another site could not send that without being asked first."""
_CHUNK = 1 << 20
_UNWANTED = re.compile(r"[^\w .()+,=@\[\]-]")
_LONGEST = 120
"""Bytes of a name without its ending: file systems take 255, and a number may be added."""


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
    if the sender stops early.
    """
    part = folder / f".upload-{uuid.uuid4().hex}"
    try:
        with part.open("xb") as file:
            left = length
            while left and (chunk := stream.read(min(left, _CHUNK))):
                file.write(chunk)
                left -= len(chunk)
        if left:
            raise RequestError(f"{name} was cut off: {_size(left)} of it did not come.")
        return _placed(part, folder, name)
    finally:
        part.unlink(missing_ok=True)


def _placed(part: Path, folder: Path, name: str) -> str:
    stem, suffix = Path(name).stem, Path(name).suffix
    number = 1
    while True:
        wanted = name if number == 1 else f"{stem}-{number}{suffix}"
        try:
            os.link(part, folder / wanted)  # unlike a rename, it never replaces a file
        except FileExistsError:
            number += 1
        else:
            return wanted


def _size(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"
