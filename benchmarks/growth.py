"""How cost grows: frames/s and latency against workers, viewers, frame size and batch; a chart and JSON.

The sample's model on the sample's video, made larger and smaller; the model fits every frame into its own 384
px, so that what grows with the size is the work around it. Latency is from the request to the first
frame message, of a viewer that comes to idle workers, or, of several viewers at once, of the slowest. Their
frames/s are those of all together.
"""

from __future__ import annotations

import itertools
import json
import statistics
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cv2

from benchmarks import rounds
from benchmarks.client import Measured, read_stream
from benchmarks.processes import AppProcess
from inference.settings import HERE, available_cores
from inference.video import Video
from tests.kit import barcode

WORKERS, VIEWERS, SIDES, BATCHES = (1, 2, 4), (1, 2, 4, 8), (192, 384, 512, 768, 1024), (1, 2, 4, 8, 16)
FRAMES = 200
MODEL = "best_model.h5"
TITLES = {
    "workers": "workers",
    "viewers": "viewers at once",
    "side": "frame, px a side",
    "batch": "frames a batch",
}


def measure(folder: Path, number: int) -> dict[str, Any]:
    """Rows of each of the four, with medians over the rounds."""
    videos = {side: _video(folder, side) for side in SIDES}
    cores = available_cores()
    figures: dict[str, list[dict[str, float]]] = {}

    def row(what: str, value: int, app: AppProcess, viewers: int, side: int) -> None:
        rounds.progress(f"growth: {value} {TITLES[what]}")
        query = {"video_name": videos[side].name, "model_name": MODEL, "stop": FRAMES // viewers}
        _together(app, {**query, "stop": 32}, viewers)
        seen = [_together(app, query, viewers) for _ in range(number)]
        figures.setdefault(what, []).append(
            {
                what: value,
                "frames_per_second": statistics.median(rate for rate, _ in seen),
                "first_frame_ms": statistics.median(first for _, first in seen),
            }
        )

    for workers in WORKERS:
        with _App(folder, workers) as app:
            row("workers", workers, app, 1, 384)
    with _App(folder, cores) as app:
        for viewers in VIEWERS:
            row("viewers", viewers, app, viewers, 384)
        for side in SIDES:
            row("side", side, app, 1, side)
    for batch in BATCHES:
        with _App(folder, cores, batch) as app:
            row("batch", batch, app, 1, 384)
    rounds.progress("")
    show(figures)
    return {"model": MODEL, "frames": FRAMES, "workers_elsewhere": cores, **figures}


def _video(folder: Path, side: int) -> Path:
    """The sample's beginning at another size."""
    name = next((HERE / "data").glob("*.mp4"))
    with Video(name) as video:
        frames: Iterable[Any] = itertools.islice(video.frames(0, None), FRAMES)
        sized = (cv2.resize(frame, (side, side)).reshape(side, side, -1) for frame in frames)
        return barcode.write_frames(folder / f"sample{side}.mp4", sized)


class _App(AppProcess):
    """The app on the generated videos and the sample's model."""

    def __init__(self, folder: Path, workers: int, batch: int | None = None) -> None:
        module = None if batch is None else "benchmarks.batch_app"
        more = {} if batch is None else {"BATCH": batch}
        super().__init__(folder, HERE / "models", workers, module=module, environment=more)

    def __enter__(self) -> AppProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _together(app: AppProcess, query: dict[str, Any], viewers: int) -> tuple[float, float]:
    """Frames/s of all viewers together, and the longest wait for a first frame, in ms."""
    seen: list[Measured] = []
    threads = [
        threading.Thread(target=lambda: seen.append(read_stream(app.address, query))) for _ in range(viewers)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    slowest = max(one.seconds for one in seen)
    return sum(one.frames for one in seen) / slowest, 1000 * max(one.first_after for one in seen)


def show(figures: dict[str, Any]) -> None:
    """Print the rows."""
    for what, rows in figures.items():
        print(f"\n{TITLES[what]:>20s} {'frames/s':>10s} {'first frame, ms':>16s}")
        for row in rows:
            print(f"{row[what]:20d} {row['frames_per_second']:10.1f} {row['first_frame_ms']:16.0f}")


def draw(figures: dict[str, Any], chart: Path, earlier: dict[str, Any] | None = None) -> None:
    """Write the chart as a page of its own; `earlier` figures of the same kind are drawn behind, dashed."""
    import plotly.graph_objects as go
    from plotly.subplots import make_subplots

    figure = make_subplots(rows=2, cols=len(TITLES), shared_xaxes=True, vertical_spacing=0.06)
    units = {"frames_per_second": "frames/s", "first_frame_ms": "first frame, ms"}
    for column, (what, title) in enumerate(TITLES.items(), 1):
        for line, key in enumerate(units, 1):
            for source, look in ((earlier, "dash"), (figures, "solid")):
                if source is None or what not in source:
                    continue
                rows = source[what]
                figure.add_trace(
                    go.Scatter(
                        x=[row[what] for row in rows],
                        y=[row[key] for row in rows],
                        mode="lines+markers",
                        line={"dash": look, "color": "#0072b2" if look == "solid" else "#999999"},
                        name="earlier" if look == "dash" else "now",
                        showlegend=earlier is not None and column == line == 1,
                    ),
                    row=line,
                    col=column,
                )
            figure.update_yaxes(rangemode="tozero", row=line, col=column)
        figure.update_xaxes(tickvals=[row[what] for row in figures[what]], row=2, col=column)
        figure.update_xaxes(title_text=title, row=2, col=column)
    for line, unit in enumerate(units.values(), 1):
        figure.update_yaxes(title_text=unit, row=line, col=1)
    figure.update_layout(title="How cost grows: the sample's model, end to end", template="plotly_white")
    figure.write_html(chart, include_plotlyjs=True)


def write(figures: dict[str, Any], folder: Path) -> None:
    """Write growth.json and growth.html into a folder; what stood there is drawn behind, for comparison."""
    data = folder / "growth.json"
    earlier = json.loads(data.read_text()) if data.is_file() else None
    draw(figures, folder / "growth.html", earlier)
    data.write_text(json.dumps(figures, indent=2) + "\n")
    print(f"\nThe chart: {folder / 'growth.html'}")
