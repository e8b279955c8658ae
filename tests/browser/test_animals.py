"""The page with several animals, maps, two models, uploads and recorded runs, on the replaying server."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.recording import APART, APART_FROM
from tests.browser.replay_server import UNRECORDED_FROM, ReplayServer
from tests.browser.test_page import POINTS, button, go_to, pause, play, until, wait

RUN = {
    "run_id": "12345678-abcd", "video_name": "clip.mp4", "model_name": "a + b", "created": 1.7e9,
    "frames": 120, "failed": 1, "first": 0, "last": 120, "bytes": 34_000, "active": False,
}  # fmt: skip


@pytest.fixture
def page(open_page, server: ReplayServer) -> Page:
    return open_page(server.url)


def paths(page: Page, layer: str) -> list[dict]:
    return page.evaluate(
        f"[...document.querySelectorAll('.overlay .{layer} path')].map((path) => "
        "({ d: path.getAttribute('d'), color: path.getAttribute('stroke') }))"
    )


def legend(page: Page) -> tuple[set[str], str]:
    """The shapes of its marks, and what it says when pointed at."""
    shapes = page.eval_on_selector_all("#legend path", "all => all.map((path) => path.getAttribute('d'))")
    return set(shapes), page.locator("#legend").get_attribute("title") or ""


def test_each_animal_has_its_skeleton_colour_and_trail(page, server):
    play(page, "pair.mp4", frames=20)
    frame = pause(page)
    colors = page.evaluate("import('./static/palette.js').then(({ nodeColor }) => [0, 1].map(nodeColor))")
    assert [path["color"] for path in paths(page, "skeletons")] == colors
    assert page.evaluate(f"{POINTS}.marker.color") == [colors[0]] * 2 + [colors[1]] * 2
    assert {path["color"] for path in paths(page, "trails")} == set(colors)
    assert page.evaluate("viewer.tracks") == [0, 1]
    box = page.evaluate("document.querySelector('.overlay .skeletons').getBBox().x")
    assert 0 <= box <= 384, frame
    assert legend(page) == (
        {"M1 10q4.5-11 9 0t9 0"},
        "The colours of the curves in the chart. In the picture each animal has its own.",
    )


def test_one_animal_has_a_white_skeleton_and_no_trail(page):
    play(page)
    pause(page)
    assert [path["color"] for path in paths(page, "skeletons")] == ["rgb(255, 255, 255)"]
    assert paths(page, "trails") == []
    assert legend(page) == ({"m3 3 14 14M17 3 3 17"}, "")


def test_what_is_drawn_can_be_chosen(page):
    play(page, "pair.mp4", frames=12)
    pause(page)
    texts = page.locator(".overlay text")
    expect(texts).to_have_count(0)
    page.get_by_label("Animal names").check()
    assert texts.all_text_contents() == ["track 0", "track 1"]
    page.get_by_label("Node names").check()
    assert set(texts.all_text_contents()) == {"track 0", "track 1", "head", "tail"}
    page.get_by_label("Skeleton").uncheck()
    assert paths(page, "skeletons") == []
    page.get_by_label("Trails").uncheck()
    assert paths(page, "trails") == []


def test_lines_follow_zoom_and_pan(page):
    play(page, "pair.mp4", frames=5)
    pause(page)
    seen = """() => {
      const middle = (node) => { const b = node.getBoundingClientRect(); return b.left + b.width / 2 }
      const dot = document.querySelector('#frame .points path')
      const line = document.querySelector('.overlay .skeletons path')
      const start = line.getPointAtLength(0).matrixTransform(line.getScreenCTM())
      return Math.abs(middle(dot) - start.x)
    }"""
    assert page.evaluate(seen) < 1.5
    button(page, "Zoom in").click()
    wait(page, "document.getElementById('frame').layout.yaxis.range[0] < 350")
    assert page.evaluate(seen) < 1.5


def test_maps_are_asked_for_only_when_they_are_looked_at(page, server):
    play(page)
    pause(page)
    page.get_by_text("Animals, tracks and maps").click()
    page.get_by_label("Overlay").select_option("confmaps")
    until(lambda: len(server.streams) == 2)
    assert "maps" not in server.streams[0].query and server.streams[1].query["maps"] == "confmaps"
    layer = "document.getElementById('frame').layout.images[1]"
    wait(page, f"{layer}.visible && {layer}.source.startsWith('data:image/png')")
    assert server.streams[0].query["run_id"] == server.streams[1].query["run_id"]
    page.get_by_label("Overlay").select_option("")
    wait(page, f"!{layer}.visible")


def test_settings_are_asked_for_and_stand_in_the_address(page, server):
    play(page, "pair.mp4")
    pause(page)
    page.get_by_text("Animals, tracks and maps").click()
    page.get_by_label("Animals at most").fill("1")
    page.get_by_label("Animals at most").press("Tab")
    page.get_by_label("Tracking").select_option("flow")
    until(lambda: len(server.streams) == 3)
    query = server.streams[-1].query
    assert (query["max_instances"], query["tracking"]) == ("1", "flow")
    assert "max_instances=1" in page.url and "tracking=flow" in page.url
    page.reload()
    expect(page.locator("#tracking")).to_have_value("flow")


def test_a_model_of_one_animal_offers_no_tracking(page):
    play(page)
    pause(page)
    page.get_by_text("Animals, tracks and maps").click()
    expect(page.get_by_label("Tracking")).to_be_disabled()
    page.get_by_label("Model", exact=True).select_option("other.h5")
    expect(page.get_by_label("Tracking")).to_be_enabled()
    page.get_by_label("Tracking").select_option("none")
    expect(page.get_by_label("Tracks at most")).to_be_disabled()


def test_another_threshold_makes_the_animals_anew_once_the_slider_rests(page, server):
    play(page, "pair.mp4", frames=5)
    frame = pause(page)
    page.get_by_label("Threshold", exact=True).focus()
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    until(lambda: len(server.streams) == 2)
    wait(page, f"viewer.frameIdx === {frame}")
    first, second = (stream.query for stream in server.streams)
    assert (first["threshold"], second["threshold"]) == ("0.2", "0.24")
    assert first["run_id"] != second["run_id"] and server.streams[1].start == frame


def test_a_run_that_is_not_recorded_any_more_is_said_while_frames_come(page, server):
    play(page, "unrecorded.mp4", frames=5)
    expect(page.locator("#notice")).to_contain_text("not recorded")
    wait(page, f"viewer.drawn > {UNRECORDED_FROM + 10}")
    expect(page.locator("#notice")).to_contain_text("not recorded")


def test_a_seek_is_of_the_same_run_and_the_next_start_of_another(page, server):
    play(page, "slow.mp4", frames=2)
    page.get_by_label("Frame", exact=True).fill("120")
    page.keyboard.press("Enter")
    until(lambda: len(server.streams) == 2)
    button(page, "Stop").click()
    button(page, "Start").click()
    until(lambda: len(server.streams) == 3)
    names = [stream.query["run_id"] for stream in server.streams]
    assert names[0] == names[1] != names[2]


def test_two_models_work_as_one(page, server):
    page.get_by_text("Two models").click()
    page.get_by_label("Second model of the pair").select_option("other.h5")
    play(page)
    assert server.streams[0].models == ["best_model.h5", "other.h5"]
    assert page.url.count("model=") == 2


def test_two_models_are_compared_and_a_click_goes_to_where_they_disagree(page, server):
    page.get_by_text("Two models").click()
    page.get_by_label("Compare with").select_option("other.h5")
    play(page, frames=1)
    wait(page, "viewer.state === 'done'")
    chart = page.get_by_label("How far the two models are apart in each frame, in px")
    expect(chart).to_be_visible()
    go_to(page, APART_FROM - 1)
    second = "document.getElementById('frame').data[1]"
    gap = f"{second}.x[0] - {POINTS}.x[0]"
    assert page.evaluate(gap) == 0
    go_to(page, APART_FROM)
    assert page.evaluate(gap) == pytest.approx(APART)
    assert page.evaluate(f"{second}.marker.symbol") == "circle-open"
    assert len(paths(page, "second")) == 1
    ring = "document.querySelectorAll('#frame .scatterlayer .trace')[1].querySelector('.point')"
    assert page.evaluate(f"getComputedStyle({ring}).stroke") == page.evaluate(
        "import('./static/palette.js').then(({ nodeColor }) => nodeColor(0))"
    )
    expect(page.locator("#models-shown")).to_contain_text("other.h5")
    box = chart.bounding_box()
    chart.click(position={"x": box["width"] - 12, "y": 30})
    wait(page, f"viewer.frameIdx >= {APART_FROM}")


def test_a_video_is_uploaded_and_chosen(page, server):
    page.set_input_files("#upload-file", {"name": "new.mp4", "mimeType": "video/mp4", "buffer": b"x" * 5000})
    expect(page.get_by_label("Video", exact=True)).to_have_value("new.mp4")
    assert server.uploads == {"new.mp4": b"x" * 5000}
    expect(page.get_by_role("alert")).to_be_hidden()


DROP = """(name) => {
  const transfer = new DataTransfer()
  transfer.items.add(new File(['abc'], name))
  for (const kind of ['dragenter', 'dragover', 'drop']) {
    dispatchEvent(new DragEvent(kind, { dataTransfer: transfer, bubbles: true, cancelable: true }))
  }
}"""


def test_a_dropped_video_is_uploaded(page, server):
    page.evaluate(DROP, "dropped.avi")
    expect(page.get_by_label("Video", exact=True)).to_have_value("dropped.avi")
    assert server.uploads["dropped.avi"] == b"abc"
    expect(page.locator("#drop")).to_be_hidden()


def test_what_cannot_be_uploaded_is_said(page, server):
    page.evaluate(DROP, "notes.txt")
    expect(page.get_by_role("alert")).to_contain_text("no video's name")
    server.upload_bytes = 2
    page.evaluate(DROP, "big.mp4")
    expect(page.get_by_role("alert")).to_contain_text("big.mp4 has")
    assert server.uploads == {}


def test_recorded_runs_are_listed_saved_and_deleted(page, server):
    server.runs = [RUN, {**RUN, "run_id": "87654321-going", "active": True}]
    page.get_by_text("Recorded runs").click()
    rows = page.locator("#runs .run")
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("120 frames (0 to 120), 1 failed")
    expect(rows.last.get_by_role("button", name="Delete")).to_be_disabled()
    rows.first.get_by_role("combobox").select_option("csv")
    with page.expect_download() as saved:
        rows.first.get_by_role("button", name="Save").click()
    assert saved.value.suggested_filename == "clip.12345678.csv"
    rows.first.get_by_role("combobox").select_option("nwb")
    rows.first.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_contain_text("No animal was found")
    rows.first.get_by_role("button", name="Delete").click()
    expect(rows).to_have_count(2)
    rows.first.get_by_role("button", name="Really delete?").click()
    expect(rows).to_have_count(1)
