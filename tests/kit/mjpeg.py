"""A real network camera on loopback: HTTP, `multipart/x-mixed-replace`, frames that carry their number.

The number goes on counting over every stop and start of the server, as time does for a camera.
"""

from __future__ import annotations

import itertools
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import cv2
import numpy as np

from tests.kit import barcode

BOUNDARY = "frame"


class MjpegServer:
    """Serves numbered frames at `rate` a second to every client, from `start` to `stop`."""

    def __init__(
        self, rate: float = 30.0, width: int = 128, height: int = 96, *, noise: bool = False
    ) -> None:
        """`noise` makes pictures that are large as JPEGs, too."""
        self.rate = rate
        self._noise = (
            np.random.default_rng(0).integers(0, 255, (height, width, 3), np.uint8) if noise else None
        )
        self.size = {"width": width, "height": height}
        self.clients = 0
        self.opened = 0
        self.asked: list[str] = []
        """The request line of every connection there was."""
        self.frames: int | None = None
        """Frames that a client gets before the stream ends, as a file's would; None: it never does."""
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._server: _Server | None = None
        self.port = 0
        self.start()

    @property
    def url(self) -> str:
        """What to open, with a password that nobody must see."""
        return f"http://keeper:hush-hush@127.0.0.1:{self.port}/video"

    def start(self) -> None:
        """Serve, at the same port as before."""
        self._server = _Server(("127.0.0.1", self.port), self)
        self.port = self._server.server_address[1]
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        ).start()

    def stop(self) -> None:
        """Hang up on every client, and take none."""
        if self._server is not None:
            server, self._server = self._server, None
            server.over.set()
            server.shutdown()
            server.server_close()

    @property
    def closed(self) -> bool:
        """Whether it is stopped."""
        return self._server is None

    def picture(self) -> bytes:
        """The next frame as a JPEG."""
        with self._lock:
            number = next(self._numbers)
        frame = barcode.draw(number, **self.size, channels=3)
        if self._noise is not None:
            below = 2 * self.size["width"] // barcode.BITS
            frame[below:] = self._noise[below:]
        return cv2.imencode(".jpg", frame[..., ::-1])[1].tobytes()

    def count(self, change: int) -> None:
        """One client more or less."""
        with self._lock:
            self.clients += change
            self.opened += change > 0

    def __enter__(self) -> MjpegServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], camera: MjpegServer) -> None:
        self.camera = camera
        self.over = threading.Event()
        super().__init__(address, _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that leaves is no error."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        """Send frames until the client leaves, the server is stopped, or there are no more."""
        camera = self.server.camera
        camera.asked.append(self.requestline)
        self.send_response(200)
        self.send_header("Content-Type", f"multipart/x-mixed-replace; boundary={BOUNDARY}")
        self.end_headers()
        camera.count(1)
        try:
            self._send_frames(camera)
        finally:
            camera.count(-1)

    def _send_frames(self, camera: MjpegServer) -> None:
        due = time.monotonic()
        for _ in range(camera.frames) if camera.frames is not None else itertools.count():
            picture = camera.picture()
            head = f"--{BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(picture)}\r\n\r\n"
            self.wfile.write(head.encode() + picture + b"\r\n")
            due += 1 / camera.rate
            if self.server.over.wait(max(0.0, due - time.monotonic())):
                return

    def log_message(self, *_: object) -> None:
        """Say nothing."""
