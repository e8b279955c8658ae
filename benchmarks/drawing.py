"""How many frames a second the page draws, from replayed messages: no inference, real Chromium.

Run as `python -m benchmarks.drawing`; prints a table, or with `--json` the figures. The chart, the
figures and everything else on the page are on, as for a user.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

from playwright.sync_api import Page, sync_playwright

from tests.browser.chromium import ARGUMENTS, find_chromium
from tests.browser.recording import make_recording
from tests.browser.replay_server import ReplayServer

WATCH = """() => {
  const at = window.drawnAt = []
  let before = 0
  const look = () => {
    if (viewer.drawn !== before) at.push(performance.now())
    before = viewer.drawn
    if (viewer.state !== 'done') requestAnimationFrame(look)
  }
  requestAnimationFrame(look)
}"""


def measure(
    size: int = 384, rate: float | None = 60.0, nodes: int = 2, animals: int = 20, frames: int = 600
) -> dict[str, Any]:
    """Replays frames of `size` x `size` with `animals * nodes` points, `rate` a second or as fast as read.

    The frames are as they come: the page holds none back, so one that comes too soon is skipped.
    """
    recording = make_recording(frames=frames, size=size, animals=animals, nodes=nodes, fps=rate or 60.0)
    with ReplayServer(recording, rate=rate or float("inf")) as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=ARGUMENTS)
        page = browser.new_page(viewport={"width": 1280, "height": 800}, bypass_csp=True)
        page.goto(f"{server.url}?video=dots.mp4")
        page.wait_for_function("document.getElementById('video').value === 'dots.mp4'")
        page.evaluate(WATCH)
        processor = _MainThread(page)
        before = processor.seconds()
        page.get_by_role("button", name="Start").click()
        page.wait_for_function("viewer.state === 'done'", timeout=(30 + 10 * frames / 30) * 1000)
        busy = processor.seconds() - before
        seen = page.evaluate(
            "({received: viewer.received, drawn: viewer.drawn, skipped: viewer.skipped, drawnAt})"
        )
        browser.close()
    times = seen.pop("drawnAt")
    seconds = (times[-1] - times[0]) / 1000
    return {
        "size": size,
        "points": nodes * animals,
        "nodes": nodes,
        "asked_per_second": rate,
        "drawn_per_second": round((seen["drawn"] - 1) / seconds, 1),
        **seen,
        "main_thread_ms_per_drawn_frame": round(busy / seen["drawn"] * 1000, 1),
    }


class _MainThread:
    """Processor time of the page's main thread: other programs' load counts little in it."""

    def __init__(self, page: Page) -> None:
        self._session = page.context.new_cdp_session(page)
        self._session.send("Performance.setTimeDomain", {"timeDomain": "threadTicks"})
        self._session.send("Performance.enable")

    def seconds(self) -> float:
        metrics = self._session.send("Performance.getMetrics")["metrics"]
        return float(next(metric["value"] for metric in metrics if metric["name"] == "ThreadTime"))


CASES: tuple[dict[str, Any], ...] = (
    {"size": 384, "rate": 60.0},
    {"size": 384, "rate": None},
    {"size": 384, "rate": 60.0, "nodes": 20, "animals": 2},
    {"size": 1024, "rate": 30.0, "frames": 300},
    {"size": 1024, "rate": 60.0, "frames": 300},
)


def main() -> None:
    """Measures every case and prints what came out."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    as_json = parser.parse_args().json
    figures = [measure(**case) for case in CASES]
    if as_json:
        print(json.dumps(figures, indent=2))
        return
    show(figures)


def show(figures: list[dict[str, Any]]) -> None:
    """Prints the figures as a table."""
    columns = ("asked/s", 8), ("drawn/s", 8), ("drawn", 6), ("skipped", 8), ("CPU ms", 7)
    print(f"{'frames':>12} {'points':>14}", *(f"{name:>{width}}" for name, width in columns))
    for row in figures:
        asked = row["asked_per_second"] or "all"
        points = f"{row['points']} of {row['nodes']} nodes"
        print(
            f"{row['size']:>6}x{row['size']:<5} {points:>14} {asked:>8} {row['drawn_per_second']:>8} "
            f"{row['drawn']:>6} {row['skipped']:>8} {row['main_thread_ms_per_drawn_frame']:>7}"
        )


if __name__ == "__main__":
    main()
