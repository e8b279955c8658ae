"""A real RTSP camera on loopback: RTP over its own connection, JPEG frames with their number (RFC 2435)."""

from __future__ import annotations

import itertools
import re
import socketserver
import struct
import threading
import time
from typing import Any

import cv2

from tests.kit import barcode

WIDTH, HEIGHT = 128, 96
MOST = 1200
"""Bytes of a picture in one packet."""
DESCRIPTION = (
    "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=camera\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\n"
    "m=video 0 RTP/AVP 26\r\na=rtpmap:26 JPEG/90000\r\na=control:track\r\n"
)


class RtspServer(socketserver.ThreadingTCPServer):
    """Serves numbered frames, 30 a second, to whoever says PLAY."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Session)
        self.url = f"rtsp://keeper:hush-hush@127.0.0.1:{self.server_address[1]}/live"
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that leaves is no error."""

    def __exit__(self, *error: Any) -> None:
        self.shutdown()
        super().__exit__(*error)


class _Session(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        """Answer requests until PLAY, then send frames until the client leaves."""
        while lines := list(iter(lambda: self.rfile.readline().decode().strip(), "")):
            method = lines[0].split()[0]
            sequence = next(line for line in lines if line.lower().startswith("cseq"))
            more, body = {
                "OPTIONS": ("Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n", ""),
                "DESCRIBE": ("Content-Type: application/sdp\r\n", DESCRIPTION),
                "SETUP": ("Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n", ""),
            }.get(method, ("", ""))
            head = f"RTSP/1.0 200 OK\r\n{sequence}\r\nSession: 1\r\n{more}Content-Length: {len(body)}\r\n\r\n"
            self.wfile.write((head + body).encode())
            if method == "PLAY":
                self._play()
                return

    def _play(self) -> None:
        counter, never = itertools.count(), threading.Event()
        for number in itertools.count(1):
            for offset, piece, last in _pieces(number):
                header = struct.pack(
                    "!BBHII", 0x80, 26 | last << 7, next(counter) & 0xFFFF, number * 3000 & 0xFFFFFFFF, 1
                )
                head = struct.pack("!I4B", offset, 1, 255, WIDTH // 8, HEIGHT // 8)
                packet = header + head + piece
                self.wfile.write(struct.pack("!cBH", b"$", 0, len(packet)) + packet)
            never.wait(max(0.0, 1 / 30 - time.monotonic() % (1 / 30)))


def _pieces(number: int) -> list[tuple[int, bytes, bool]]:
    """A frame's scan in pieces: offset, bytes (the first with the quantization tables), is it the last."""
    frame = barcode.draw(number, WIDTH, HEIGHT, channels=3)
    jpeg = cv2.imencode(".jpg", frame[..., ::-1])[1].tobytes()
    tables = b"".join(jpeg[at.end() + 3 : at.end() + 67] for at in re.finditer(rb"\xff\xdb", jpeg))
    start = jpeg.index(b"\xff\xda")
    scan = jpeg[start + 2 + int.from_bytes(jpeg[start + 2 : start + 4], "big") : -2]
    tables = struct.pack("!BBH", 0, 0, len(tables)) + tables
    return [
        (offset, (tables if offset == 0 else b"") + scan[offset : offset + MOST], offset + MOST >= len(scan))
        for offset in range(0, len(scan), MOST)
    ]
