"""The page in real Chromium on the real program, with the model and the video that it ships with."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from playwright.sync_api import expect

from inference.settings import HERE
from sample import make_video
from sample.scene import NODES
from tests.browser.conftest import LIMIT
from tests.browser.test_page import POINTS, button, go_to, pause, until, wait
from tests.kit import barcode
from tests.kit.program import Program

NEAR = 5
"""A point this near to the truth (px) is that point."""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """The program on copies of what ships, beside files that are broken on purpose."""
    folder = tmp_path_factory.mktemp("shipped")
    data, models = (Path(shutil.copytree(HERE / name, folder / name)) for name in ("data", "models"))
    (data / "text.mp4").write_text("this is text")
    whole = barcode.write(data / "cut.avi", 90, width=384, height=384).read_bytes()
    (data / "cut.avi").write_bytes(whole[: len(whole) // 2])
    (models / "text.h5").write_text("this is text")
    running = Program("--data", str(data), "--models", str(models), "--port", "0")
    yield running
    running.kill()


@pytest.fixture
def page(open_page, program):
    return open_page(program.address)


def marks(page) -> dict[str, np.ndarray]:
    """What is drawn now: the frame, and (n, 2) positions of the Xs by their node's name."""
    seen = page.evaluate(
        f"(() => {{ const {{ x, y, text, marker }} = {POINTS}; "
        "return { x, y, text, symbol: marker.symbol, frame: viewer.frameIdx } })()"
    )
    assert seen["symbol"] == "x"
    points = np.array([seen["x"], seen["y"]], float).T
    of_node = {name: points[np.array(seen["text"]) == name] for name in set(seen["text"])}
    return {"frame": seen["frame"], **of_node}


def truth(frame: int, node: str) -> np.ndarray:
    """(animals, 2) true positions of a node in a frame of the shipped video."""
    shot = list(make_video.shots(frame + 1))[frame]
    return shot.points[:, NODES.index(node)]


def test_a_newcomer_clicks_start_and_sees_every_animal(page):
    expect(page.get_by_label("Video", exact=True)).to_have_value("cut.avi")
    page.get_by_label("Video", exact=True).select_option("flies.mp4")
    button(page, "Start").click()
    wait(page, "viewer.drawn >= 20")
    pause(page)
    seen = marks(page)
    for node in ("head", "thorax"):
        apart = np.linalg.norm(truth(seen["frame"], node)[:, None] - seen[node][None], axis=2)
        assert (apart.min(axis=1) < NEAR).mean() >= 0.75, f"{node} of frame {seen['frame']}"
    go_to(page, 200)
    go_to(page, 3)
    page.get_by_label("Speed", exact=True).select_option("1")
    button(page, "Resume").click()
    wait(page, "viewer.frameIdx > 10")
    button(page, "Stop").click()
    wait(page, "viewer.state === 'idle'")


def test_a_run_comes_to_its_end(page):
    page.get_by_label("Video", exact=True).select_option("flies.mp4")
    button(page, "Start").click()
    wait(page, f"viewer.received === {make_video.FRAMES}")
    wait(page, f"viewer.state === 'done' && viewer.frameIdx === {make_video.FRAMES - 1}")
    assert page.evaluate("viewer.drawn + viewer.skipped") == make_video.FRAMES


@pytest.mark.parametrize(
    ("video", "model", "said"),
    [
        ("text.mp4", "best_model.h5", "text.mp4 cannot be read as a video"),
        ("flies.mp4", "text.h5", "text.h5 is no model"),
        ("cut.avi", "best_model.h5", "breaks off"),
    ],
)
def test_what_goes_wrong_stands_on_the_page_in_plain_words(page, video, model, said):
    page.get_by_label("Video", exact=True).select_option(video)
    page.get_by_label("Model", exact=True).select_option(model)
    button(page, "Start").click()
    expect(page.get_by_role("alert")).to_contain_text(said, timeout=LIMIT)
    assert "Traceback" not in page.content()


def test_closing_the_page_ends_its_run(open_page, program):
    page = open_page(f"{program.address}?video=flies.mp4")
    button(page, "Start").click()
    wait(page, "viewer.drawn >= 3")
    assert runs(program) == 1
    page.close()
    assert until(lambda: runs(program) == 0) < 1.5


def runs(program: Program) -> int:
    lines = httpx.get(f"{program.address}metrics").text.splitlines()
    return next(int(float(line.split()[1])) for line in lines if line.startswith("inference_runs_active"))
