"""Recorded runs over HTTP: the list, what can be downloaded of each, and deleting.

A file is written by a process of its own (`python -m inference export`): what that needs is heavy, takes
long, and is ended when the one who asked for it leaves.
"""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from flask import Flask, Response, jsonify, request, send_file
from flask.typing import ResponseReturnValue

from inference import exports, journal
from inference.errors import Conflict, RequestError, TooManyStreams
from inference.recordings import Recordings

log = logging.getLogger(__name__)

MOST_AT_ONCE = 2
_LOOK = 0.2
_DECLARED = "error: "
"""How the line of an InferenceError begins (`inference/__main__.py`); a traceback ends otherwise."""
_ROOT = Path(__file__).resolve().parents[2]


class _Progress:
    """How far the exports are that are being written now."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._shares: dict[tuple[str, str], float] = {}

    def begin(self, run: str, form: str) -> None:
        with self._lock:
            if (run, form) in self._shares:
                raise Conflict("This file is being written already; wait for it.")
            if len(self._shares) >= MOST_AT_ONCE:
                raise TooManyStreams(
                    f"{MOST_AT_ONCE} files are being written already. Try again in a moment."
                )
            self._shares[run, form] = 0.0

    def set(self, run: str, form: str, share: float) -> None:
        with self._lock:
            self._shares[run, form] = share

    def end(self, run: str, form: str) -> None:
        with self._lock:
            self._shares.pop((run, form), None)

    def get(self, run: str, form: str) -> float | None:
        with self._lock:
            return self._shares.get((run, form))


def add_runs(app: Flask, recordings: Recordings) -> None:
    """`GET /runs`, `DELETE /runs/<run_id>`, `GET /runs/<run_id>/export` and its progress."""
    progress = _Progress()

    @app.get("/runs")
    def runs() -> Response:
        return jsonify([asdict(summary) for summary in recordings.summaries()])

    @app.delete("/runs/<run_id>")
    def delete(run_id: str) -> ResponseReturnValue:
        recordings.delete(run_id)
        return "", 204

    @app.get("/runs/<run_id>/export/progress")
    def export_progress(run_id: str) -> Response:
        recordings.path(run_id)
        return jsonify(share=progress.get(run_id, _format()))

    @app.get("/runs/<run_id>/export")
    def export(run_id: str) -> Response:
        path, form = recordings.path(run_id), _format()
        facts = journal.facts_of(path)
        name = Path(facts.video).stem if facts else run_id
        gone: Callable[[], bool] = request.environ.get("waitress.client_disconnected", lambda: False)
        progress.begin(run_id, form)
        try:
            with tempfile.TemporaryDirectory() as folder:
                out = Path(folder) / f"out{exports.FORMATS[form].suffix}"
                _write(path, form, out, lambda share: progress.set(run_id, form, share), gone)
                # open, it lives on without its name until it is sent
                file = out.open("rb")
        finally:
            progress.end(run_id, form)
        return send_file(
            file,
            mimetype=exports.FORMATS[form].mimetype,
            as_attachment=True,
            download_name=f"{name}.{run_id[:8]}{exports.FORMATS[form].suffix}",
        )


def _format() -> str:
    form = request.args.get("format", "")
    if form not in exports.FORMATS:
        raise RequestError(f"format must be one of {', '.join(exports.FORMATS)}, not {form[:40]!r}.")
    return form


def _write(
    path: Path, form: str, out: Path, share: Callable[[float], None], gone: Callable[[], bool]
) -> None:
    """Have the file written; Conflict if that fails, with the writer's own sentence where it has one."""
    command = [sys.executable, "-m", "inference", "export", str(path), "--format", form, "-o", str(out)]
    with (
        tempfile.TemporaryFile("w+") as errors,  # a pipe would fill up, and the writer wait for ever
        subprocess.Popen(  # noqa: S603 - a path and a format that were checked
            [*command, "--verbosity", "json"],
            cwd=_ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as writer,
    ):
        said = threading.Thread(target=_follow, args=(writer, share), daemon=True)
        said.start()
        while writer.poll() is None:
            try:
                writer.wait(_LOOK)
            except subprocess.TimeoutExpired:
                if gone():
                    writer.kill()
        said.join(5)
        errors.seek(0)
        error = errors.read().strip()
    if writer.returncode != 0:
        log.error("an export ended with %s: %s", writer.returncode, error)
        raise Conflict(sentence_of(error) or f"The {form} file could not be written; the log says why.")


def sentence_of(said: str) -> str | None:
    """What a writer that failed says for users; None if its last words are meant for the log alone."""
    last = said.splitlines()[-1] if said else ""
    return last.removeprefix(_DECLARED) if last.startswith(_DECLARED) else None


def _follow(writer: subprocess.Popen[str], share: Callable[[float], None]) -> None:
    assert writer.stdout is not None  # noqa: S101
    for line in writer.stdout:
        said = share_of(line)
        if said is None:
            log.debug("an export said: %s", line)
        else:
            share(said)


def share_of(line: str) -> float | None:
    """From 0 to 1, how far the writer says that it is; None if the line says nothing of it."""
    try:
        said = json.loads(line)
        return min(1.0, max(0.0, float(said["done"]) / max(1.0, float(said["total"]))))
    except (ValueError, LookupError, TypeError, ArithmeticError, RecursionError):
        return None
