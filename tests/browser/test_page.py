"""The page in real Chromium, against a server that replays recordings with known positions."""

from __future__ import annotations

import time
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import LIMIT, PHONE
from tests.browser.recording import WEAK, make_recording, position
from tests.browser.replay_server import BREAKS_AFTER, HOLES, ReplayServer
from tests.kit.waiting import wait_until_still

POINTS = "document.getElementById('frame').data[0]"


def button(page: Page, name: str):
    return page.get_by_role("button", name=name, exact=True)


def until(condition: Callable[[], object], limit: float = LIMIT / 1000) -> float:
    """Waits for a condition outside of the page; gives the seconds that it took."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < limit, "it did not happen in time"
        time.sleep(0.01)
    return time.monotonic() - began


def wait(page: Page, condition: str) -> None:
    """Waits for a condition in the page. Playwright's own way is an `eval` a look, which the page forbids."""
    page.evaluate(
        f"""new Promise((resolve, reject) => {{
          const began = performance.now()
          const look = () => {{
            if ({condition}) resolve()
            else if (performance.now() - began < {LIMIT}) requestAnimationFrame(look)
            else reject(new Error('it did not come true in time'))
          }}
          look()
        }})"""
    )


def play(page: Page, video: str = "dots.mp4", frames: int = 5) -> None:
    """Chooses a video, starts it and waits until some frames were drawn."""
    page.get_by_label("Video", exact=True).select_option(video)
    button(page, "Start").click()
    wait(page, f"viewer.drawn >= {frames}")


def pause(page: Page) -> int:
    """Pauses, and gives the frame that stays on the screen."""
    button(page, "Pause").click()
    number = "Number(document.getElementById('frame-number').value)"
    wait(page, f"viewer.state === 'paused' && viewer.frameIdx === {number}")
    return settled(page, "viewer.frameIdx")


def settled(page: Page, what: str):
    """A value once it stays the same for some screen frames."""
    return page.evaluate(
        f"""async () => {{
          for (let same = 0, before; same < 8; ) {{
            await new Promise(requestAnimationFrame)
            const now = {what}
            same = now === before ? same + 1 : 0
            before = now
          }}
          return {what}
        }}"""
    )


def type_frame(page: Page, frame: int) -> None:
    page.get_by_label("Frame", exact=True).fill(str(frame))
    page.get_by_label("Frame", exact=True).press("Enter")


def go_to(page: Page, frame: int) -> None:
    """Goes to a frame while nothing plays: it is there to stay."""
    type_frame(page, frame)
    wait(page, f"viewer.frameIdx === {frame}")


@pytest.fixture
def page(open_page, server: ReplayServer) -> Page:
    return open_page(server.url)


# ---- choosing ----


def test_the_lists_show_what_the_server_has_and_the_usual_model_is_chosen(page, server):
    assert page.locator("#video option").all_text_contents() == server.videos
    expect(page.get_by_label("Model", exact=True)).to_have_value("best_model.h5")


def test_the_lists_follow_the_folders_without_a_reload(page, server):
    server.videos.append("zebra.mp4")
    button(page, "Refresh the lists").click()
    expect(page.locator("#video option").last).to_have_text("zebra.mp4")
    server.videos.append("zoo.mp4")
    page.get_by_label("Video", exact=True).focus()
    expect(page.locator("#video option").last).to_have_text("zoo.mp4")
    expect(page.get_by_label("Video", exact=True)).to_have_value(server.videos[0])


def test_an_empty_folder_says_where_to_put_files_and_is_seen_to_fill(page, server):
    names, server.videos = server.videos, []
    page.reload()
    expect(page.get_by_text("No video yet. Put one into the folder data")).to_be_visible()
    button(page, "Start").click()
    expect(page.get_by_role("alert")).to_contain_text("Choose a video first.")
    server.videos = names
    expect(page.get_by_text("No video yet.")).to_be_hidden()
    expect(page.get_by_label("Video", exact=True)).to_have_value(names[0])


def test_choosing_another_video_puts_the_one_before_away(page, server):
    play(page)
    page.get_by_label("Video", exact=True).select_option("slow.mp4")
    wait(page, "viewer.state === 'idle' && viewer.frameIdx === null && viewer.kept === 0")
    until(lambda: server.streams[0].ended is not None)


# ---- drawing ----


def test_points_and_image_are_of_the_same_frame_and_in_their_places(page, server):
    play(page)
    frame = pause(page)
    message = server.recording.messages[frame]
    shown = page.evaluate(
        f"""() => {{
          const {{ x, y, marker }} = {POINTS}
          const image = document.querySelector('#frame image')
          const middle = (node) => {{
            const {{ left, top, width, height }} = node.getBoundingClientRect()
            return [left + width / 2, top + height / 2]
          }}
          const {{ left, top, width, height }} = image.getBoundingClientRect()
          return {{
            x, y, symbol: marker.symbol, source: image.href.baseVal,
            box: [left, top, width, height],
            marks: [...document.querySelectorAll('#frame .points path')].map(middle),
          }}
        }}"""
    )
    true = [position(frame, 0, node, 2, 384) for node in (0, 1)]
    assert shown["symbol"] == "x"
    assert shown["source"] == message["img"]
    assert list(zip(shown["x"], shown["y"], strict=True)) == [pytest.approx(at, abs=0.001) for at in true]
    left, top, width, height = shown["box"]
    assert width == pytest.approx(height, rel=0.001)
    scale = width / 384
    for mark, (x, y) in zip(shown["marks"], true, strict=True):
        assert mark == pytest.approx([left + (x + 0.5) * scale, top + (y + 0.5) * scale], abs=0.6)


def test_hovering_a_point_says_node_and_score(page, server):
    play(page)
    frame = pause(page)
    box = page.locator("#frame .points path").first.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    label = page.locator("#frame .hoverlayer .hovertext")
    expect(label).to_contain_text("head")
    expect(label).to_contain_text(f"{server.recording.messages[frame]['peak_vals'][0]:.2f}")


def test_the_threshold_acts_at_once_and_asks_anew_only_when_it_is_let_go(page, server):
    play(page)
    pause(page)
    slider = page.get_by_label("Threshold", exact=True)
    count = f"{POINTS}.x.length"

    def drag(to: str) -> None:
        slider.evaluate("(node, to) => { node.value = to; node.dispatchEvent(new Event('input')) }", to)

    assert page.evaluate(count) == 2
    drag("0.05")
    assert page.evaluate(count) == 3 and page.evaluate(f"{POINTS}.customdata.at(-1)[0]") == WEAK
    drag("0.95")
    assert page.evaluate(count) == 0
    drag("0.3")
    assert page.evaluate(count) == 2
    assert len(server.streams) == 1 and float(server.streams[0].query["floor"]) == 0.05
    frame = page.evaluate("viewer.frameIdx")
    slider.dispatch_event("change")  # instances are made at the threshold, by the server
    until(lambda: len(server.streams) == 2)
    asked = server.streams[1]
    assert (asked.start, asked.query["threshold"]) == (frame, "0.3")
    assert asked.query["run_id"] != server.streams[0].query["run_id"]
    assert page.evaluate("viewer.state") == "paused"


def test_a_node_is_hidden_and_shown_by_its_name(page):
    play(page)
    pause(page)
    head = page.get_by_role("button", name="head", exact=True)
    head.click()
    expect(head).to_have_attribute("aria-pressed", "false")
    assert page.evaluate(f"{POINTS}.text") == ["tail"]
    head.click()
    assert page.evaluate(f"{POINTS}.text") == ["head", "tail"]


def test_a_hidden_node_stays_hidden_after_a_seek(page):
    play(page)
    pause(page)
    page.get_by_role("button", name="head", exact=True).click()
    go_to(page, 140)
    expect(page.get_by_role("button", name="head", exact=True)).to_have_attribute("aria-pressed", "false")
    assert page.evaluate(f"{POINTS}.text") == ["tail"]


def test_zoom_and_pan_stay_while_it_plays(page):
    page.get_by_label("Speed").select_option("0.25")  # so that it still plays in the end
    play(page)
    box = page.locator("#frame").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2 + 40, box["y"] + box["height"] / 2)
    page.mouse.wheel(0, -300)
    layout = "document.getElementById('frame').layout"
    ranges = f"JSON.stringify([{layout}.xaxis.range, {layout}.yaxis.range])"
    wait(page, f"{layout}.yaxis.range[0] < 380")
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2 - 20, box["y"] + box["height"] / 2 + 30, steps=4)
    page.mouse.up()
    zoomed = settled(page, ranges)
    wait(page, f"viewer.drawn >= {page.evaluate('viewer.drawn')} + 3")
    assert page.evaluate(ranges) == zoomed
    button(page, "Show the whole frame").click()
    wait(page, f"{layout}.yaxis.range[0] >= 383.5")


def test_24_nodes_are_all_drawn(page):
    play(page, "skeleton.mp4", frames=2)
    pause(page)
    assert page.evaluate(f"new Set({POINTS}.text).size") == 24
    expect(page.get_by_role("group", name="Nodes shown").get_by_role("button")).to_have_count(24)


def test_the_chart_follows_and_a_click_on_it_seeks(page, server):
    play(page, frames=20)
    pause(page)
    wait(page, "!document.getElementById('mark').hidden")
    ink = """() => {
      const { width, height } = document.getElementById('chart')
      const { data } = document.getElementById('chart').getContext('2d').getImageData(0, 0, width, height)
      return data.some((value) => value > 0)
    }"""
    assert page.evaluate(ink)
    page.locator("#chart").click(position={"x": 31, "y": 40})
    wait(page, "viewer.frameIdx === 0")
    assert len(server.streams) == 1
    page.locator("#chart").hover(position={"x": 32, "y": 40})
    expect(page.locator("#tip")).to_contain_text("head 0.75")


# ---- playing ----


def test_pause_and_resume_lose_nothing(page, server):
    play(page)
    shown = pause(page)
    assert settled(page, "viewer.received") <= shown + 2
    button(page, "Resume").click()
    wait(page, f"viewer.frameIdx > {shown}")
    pause(page)
    button(page, "Resume").click()
    wait(page, "viewer.state === 'done'")
    frames = len(server.recording.messages)
    assert len(server.streams) == 1 and server.streams[0].sent == list(range(frames))
    assert page.evaluate("viewer.received") == frames
    wait(page, f"viewer.drawn + viewer.skipped === {frames} && viewer.frameIdx === {frames - 1}")
    expect(page.locator("#state")).to_have_text("Done")


def test_a_paused_page_holds_the_server_back(open_page):
    recording = make_recording(frames=240, size=1024)  # 24 MB: more than all buffers on the way hold
    with ReplayServer(recording) as server:
        page = open_page(server.url)
        page.get_by_label("Speed", exact=True).select_option("0.1")
        play(page, "flood.mp4", frames=1)
        button(page, "Pause").click()
        page.get_by_label("Speed", exact=True).select_option("max")
        sent = server.streams[0].sent
        wait_until_still(lambda: len(sent))
        assert len(sent) < 240
        received = page.evaluate("viewer.received")
        button(page, "Resume").click()
        wait(page, "viewer.state === 'done'")
        assert received < len(sent) == page.evaluate("viewer.received") == 240


def test_stop_ends_the_stream_within_a_second(page, server):
    play(page, "slow.mp4", frames=1)
    button(page, "Stop").click()
    assert until(lambda: server.streams[0].ended) < 1
    expect(button(page, "Start")).to_be_enabled()
    expect(page.locator("#state")).to_have_text("Ready")


def test_start_says_where_it_begins(page, server):
    play(page, "pair.mp4", frames=3)
    frame = pause(page)
    button(page, "Stop").click()
    expect(button(page, "Start")).to_have_attribute("title", f"Start from frame {frame}")
    button(page, "Start").click()
    wait(page, "viewer.state === 'done'")
    assert server.streams[-1].query["start"] == str(frame)
    expect(button(page, "Start")).to_have_attribute("title", "Start")


@pytest.mark.parametrize("video", ["slow.mp4", "loading.mp4"])
def test_leaving_the_page_ends_the_stream_within_a_second(page, server, video):
    page.get_by_label("Video", exact=True).select_option(video)
    button(page, "Start").click()
    until(lambda: server.streams)
    page.goto("about:blank")
    assert until(lambda: server.streams[0].ended) < 1


def test_a_double_click_on_start_starts_once(page, server):
    page.get_by_label("Video", exact=True).select_option("dots.mp4")
    button(page, "Start").dblclick()
    wait(page, "viewer.drawn > 3 && viewer.state === 'playing'")
    assert len(server.streams) == 1


def test_a_flood_is_skipped_and_counted_and_does_not_pile_up(page, server):
    play(page, "flood.mp4", frames=1)
    wait(page, "viewer.state === 'done'")
    frames = len(server.recording.messages)
    wait(page, f"viewer.frameIdx === {frames - 1}")
    received, drawn, skipped = page.evaluate("[viewer.received, viewer.drawn, viewer.skipped]")
    assert received == frames == drawn + skipped
    assert skipped > 0
    expect(page.locator("#skipped")).to_have_text(str(skipped))


def test_a_hidden_tab_draws_nothing_goes_on_and_comes_back_to_the_newest(page):
    play(page)
    page.evaluate(
        """() => {
          Object.defineProperty(document, 'hidden', { value: true, configurable: true })
          document.dispatchEvent(new Event('visibilitychange'))
        }"""
    )
    drawn = settled(page, "viewer.drawn")
    wait(page, f"viewer.received > {page.evaluate('viewer.received')} + 20")
    assert page.evaluate("viewer.drawn") == drawn
    page.evaluate(
        """() => {
          delete document.hidden
          document.dispatchEvent(new Event('visibilitychange'))
        }"""
    )
    wait(page, f"viewer.drawn > {drawn} && viewer.frameIdx > {drawn} + 15")


def test_at_the_videos_own_rate_frames_come_no_faster(page, server):
    page.get_by_label("Speed", exact=True).select_option("1")
    play(page, "flood.mp4", frames=2)
    first, began = page.evaluate("[viewer.frameIdx, performance.now()]")
    wait(page, f"viewer.frameIdx >= {first + 40}")
    last, ended = page.evaluate("[viewer.frameIdx, performance.now()]")
    assert (last - first) / ((ended - began) / 1000) < server.recording.fps * 1.1
    page.get_by_label("Speed", exact=True).select_option("max")
    wait(page, "viewer.state === 'done'")


# ---- going to a frame ----


def test_a_typed_frame_starts_a_stream_there(page, server):
    play(page)
    pause(page)
    go_to(page, 120)
    assert len(server.streams) == 2 and server.streams[1].start == 120
    assert settled(page, "viewer.frameIdx") == 120 and page.evaluate("viewer.state") == "paused"
    until(lambda: server.streams[0].ended)
    button(page, "Resume").click()
    wait(page, "viewer.state === 'done'")
    assert server.streams[1].sent == list(range(120, 150))


def test_the_number_stands_still_while_it_is_typed_and_goes_on_counting_after(page):
    play(page)
    field = page.get_by_label("Frame", exact=True)
    field.focus()
    number = field.input_value()
    wait(page, f"viewer.drawn > {page.evaluate('viewer.drawn')} + 5")
    assert field.input_value() == number
    type_frame(page, 60)
    wait(page, "Number(document.getElementById('frame-number').value) > 65")
    wait(page, "Number(new URLSearchParams(location.search).get('frame')) > 65")


def test_the_seek_bar_asks_once_when_it_rests_and_plays_on_from_there(page, server):
    play(page)
    box = page.get_by_label("Seek", exact=True).bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + box["height"] / 2)
    page.mouse.down()
    for share in (0.5, 0.6, 0.7, 0.8):
        page.mouse.move(box["x"] + box["width"] * share, box["y"] + box["height"] / 2)
    page.mouse.up()
    wait(page, "viewer.frameIdx > 110 && viewer.state === 'playing'")
    assert len(server.streams) == 2
    assert 110 < server.streams[1].start < 130


def test_frames_seen_already_are_shown_again_with_no_new_request(page, server):
    play(page, frames=15)
    shown = pause(page)
    for _ in range(3):
        button(page, "One frame back").click()
    wait(page, f"viewer.frameIdx === {shown - 3}")
    go_to(page, 2)
    assert page.evaluate(f"{POINTS}.x[0]") == pytest.approx(position(2, 0, 0, 2, 384)[0], abs=0.001)
    button(page, "One frame forward").click()
    wait(page, "viewer.frameIdx === 3")
    assert len(server.streams) == 1
    button(page, "Resume").click()  # goes through what is kept, then on with the same stream
    wait(page, "viewer.state === 'done'")
    assert len(server.streams) == 1 and page.evaluate("viewer.received") == 150


def test_stepping_past_the_newest_frame_reads_one_more(page, server):
    play(page)
    shown = pause(page)
    for step in range(1, 6):
        button(page, "One frame forward").click()
        wait(page, f"viewer.frameIdx === {shown + step}")
    assert len(server.streams) == 1 and page.evaluate("viewer.state") == "paused"


def test_after_the_end_frames_can_be_stepped_through_and_start_begins_anew(page, server):
    play(page, "skeleton.mp4")
    wait(page, "viewer.state === 'done' && viewer.frameIdx === 59")
    button(page, "One frame back").click()
    wait(page, "viewer.frameIdx === 58 && viewer.state === 'paused'")
    button(page, "Resume").click()
    wait(page, "viewer.state === 'done'")
    assert len(server.streams) == 1
    button(page, "Start").click()
    wait(page, "viewer.state === 'playing'")
    assert [stream.start for stream in server.streams] == [0, 0]


def test_the_keyboard_plays_and_steps(page, server):
    page.get_by_label("Video", exact=True).select_option("dots.mp4")
    page.locator("h1").click()
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("Space")
    wait(page, "viewer.drawn > 12 && viewer.frameIdx > 12")
    page.keyboard.press("Space")
    wait(page, "viewer.state === 'paused'")
    shown = settled(page, "viewer.frameIdx")
    page.keyboard.press("ArrowLeft")
    wait(page, f"viewer.frameIdx === {shown - 1}")
    page.keyboard.press("Shift+ArrowLeft")
    wait(page, f"viewer.frameIdx === {shown - 11}")
    page.keyboard.press("ArrowRight")
    wait(page, f"viewer.frameIdx === {shown - 10}")
    page.keyboard.press("Space")
    wait(page, "viewer.state === 'playing'")
    assert len(server.streams) == 1


def test_keys_in_a_field_belong_to_the_field_until_enter(page):
    page.get_by_label("Video", exact=True).select_option("dots.mp4")
    page.get_by_label("Frame", exact=True).focus()
    page.keyboard.press("Space")
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("viewer.state") == "idle"
    page.keyboard.press("Enter")
    page.keyboard.press("Space")
    wait(page, "viewer.state === 'playing'")


# ---- the address ----


def test_a_reload_comes_back_to_video_model_frame_and_threshold(page, server):
    page.get_by_label("Model", exact=True).select_option("other.h5")
    play(page)
    pause(page)
    go_to(page, 33)
    page.get_by_label("Threshold", exact=True).fill("0.35")
    wait(page, "location.search.includes('threshold')")
    place = parse_qs(urlsplit(page.url).query)
    assert place == {"video": ["dots.mp4"], "model": ["other.h5"], "frame": ["33"], "threshold": ["0.35"]}
    page.reload()
    expect(page.get_by_label("Video", exact=True)).to_have_value("dots.mp4")
    expect(page.get_by_label("Model", exact=True)).to_have_value("other.h5")
    expect(page.get_by_label("Frame", exact=True)).to_have_value("33")
    expect(page.get_by_label("Threshold", exact=True)).to_have_value("0.35")
    begun = len(server.streams)
    button(page, "Start").click()
    wait(page, "viewer.frameIdx !== null && viewer.frameIdx >= 33")
    last = server.streams[-1]
    assert len(server.streams) == begun + 1 and last.start == 33
    assert (last.query["model_name"], last.query["threshold"]) == ("other.h5", "0.35")


def test_a_link_to_a_video_that_is_gone_says_so(page, server):
    page.goto(f"{server.url}?video=gone.mp4")
    expect(page.locator("#video option").first).to_have_text("gone.mp4 (not in the folder)")
    button(page, "Start").click()
    expect(page.get_by_role("alert")).to_contain_text("no video named gone.mp4")


# ---- when something is wrong ----


def test_an_error_before_the_stream_stands_on_the_page_until_the_next_start(page):
    page.get_by_label("Video", exact=True).select_option("lost.mp4")
    button(page, "Start").click()
    expect(page.get_by_role("alert")).to_contain_text("There is no video named lost.mp4 in the data folder.")
    assert page.evaluate("viewer.state") == "failed"
    play(page, "dots.mp4", frames=1)
    expect(page.get_by_role("alert")).to_be_hidden()


def test_a_failed_run_says_why_and_keeps_what_came(page, server):
    play(page, "truncated.mp4", frames=1)
    expect(page.get_by_role("alert")).to_contain_text(f"The video broke at frame {BREAKS_AFTER}")
    assert page.evaluate("viewer.received") == BREAKS_AFTER and page.evaluate("viewer.state") == "failed"
    go_to(page, 3)
    assert len(server.streams) == 1
    expect(page.get_by_role("alert")).to_be_visible()


def test_a_failed_frame_is_counted_and_the_run_goes_on(page):
    play(page, "holes.mp4")
    wait(page, "viewer.received > 20")
    pause(page)
    assert page.evaluate("viewer.failed") == len(HOLES)
    type_frame(page, HOLES[0])
    expect(page.get_by_text(f"Frame {HOLES[0]} failed: The model stumbled.")).to_be_visible()
    type_frame(page, 5)
    expect(page.get_by_text("The model stumbled.")).to_be_hidden()


def test_a_broken_connection_is_taken_up_again_after_the_last_frame(page, server):
    play(page, "broken.mp4", frames=1)
    expect(page.locator("#notice")).to_contain_text("Connection lost. Trying again in 0.5 s (1 of 5).")
    wait(page, "viewer.state === 'done'")
    frames = len(server.recording.messages)
    # What was on its way when the connection broke may be lost with it: what counts is what arrived.
    first, second = (stream.last_event_id for stream in server.streams)
    assert first is None
    assert int(second) < BREAKS_AFTER
    assert server.streams[1].sent == list(range(int(second) + 1, frames))
    assert page.evaluate("viewer.received") == frames
    expect(page.locator("#notice")).to_be_empty()


def test_a_server_that_is_gone_is_said(page, server):
    play(page, "slow.mp4", frames=1)
    server.close()
    expect(page.locator("#notice")).to_contain_text("Connection lost.")
    button(page, "Stop").click()
    button(page, "Start").click()
    expect(page.get_by_role("alert")).to_contain_text("The server does not answer.")
    expect(page.locator("#health")).to_have_text("The server does not answer")


def test_what_the_workers_do_while_a_model_loads_is_said(page, server):
    page.get_by_label("Video", exact=True).select_option("loading.mp4")
    button(page, "Start").click()
    expect(page.locator("#waiting")).to_contain_text("Loading best_model.h5 …")
    expect(page.locator("#state")).to_have_text("Starting")
    server.release.set()
    wait(page, "viewer.drawn > 3")
    expect(page.locator("#waiting")).to_be_hidden()


def test_pause_while_loading_shows_the_first_frame_and_stays(page, server):
    page.get_by_label("Video", exact=True).select_option("loading.mp4")
    button(page, "Start").click()
    button(page, "Pause").click()
    server.release.set()
    wait(page, "viewer.frameIdx === 0")
    assert settled(page, "viewer.frameIdx") == 0 and page.evaluate("viewer.state") == "paused"


def test_the_workers_health_is_shown_and_followed(page, server):
    health = page.locator("#health")
    expect(health).to_have_text("2 workers ready")
    server.health = {"status": "loading", "reason": "1 of 2 workers is ready", "workers": 1, "models": []}
    page.reload()
    expect(health).to_have_text("1 of 2 workers is ready")
    server.health = {"status": "failed", "reason": "TensorFlow is missing.", "workers": 0, "models": []}
    expect(health).to_have_text("TensorFlow is missing.")


# ---- for everybody, everywhere ----


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_both_themes_and_the_switch_between_them(open_page, server, scheme):
    page = open_page(server.url, color_scheme=scheme)
    ground = "getComputedStyle(document.body).backgroundColor"
    is_dark = lambda: sum(map(int, page.evaluate(ground)[4:-1].split(","))) < 150  # noqa: E731
    assert is_dark() == (scheme == "dark")
    button(page, "Light or dark").click()
    assert is_dark() == (scheme == "light")
    page.reload()
    assert is_dark() == (scheme == "light")


def test_a_phone_needs_no_scrolling_sideways(open_page, server):
    page = open_page(server.url, viewport=PHONE, has_touch=True, is_mobile=True)
    play(page, "skeleton.mp4", frames=2)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    for name in ("Pause", "Stop"):
        expect(button(page, name)).to_be_in_viewport()
    expect(page.locator("#frame image")).to_be_in_viewport()


def test_everything_that_matters_is_in_sight_at_1280_by_800(page):
    play(page)
    for name in ("#frame", "#seek", "#start", "#chart", "#threshold", "#fps", "#latency"):
        expect(page.locator(name)).to_be_in_viewport(ratio=1)
    assert page.evaluate("document.documentElement.scrollHeight") <= 800
    assert page.locator("#frame image").bounding_box()["height"] > 350


def test_every_control_has_a_name(page):
    play(page)
    nameless = page.evaluate(
        """[...document.querySelectorAll('button, input, select')]
          .filter((control) => !control.getAttribute('aria-label') && !control.labels?.length
            && !control.textContent.trim())
          .map((control) => control.outerHTML)"""
    )
    assert nameless == []
    for role in ("status", "alert", "progressbar"):
        assert page.get_by_role(role, include_hidden=True).count() > 0


def test_the_focus_moves_on_when_its_button_goes(page):
    play(page)
    button(page, "Pause").focus()
    page.keyboard.press("Enter")
    wait(page, "document.activeElement.id === 'resume'")
    page.keyboard.press("Enter")
    wait(page, "document.activeElement.id === 'pause'")


def test_nothing_is_fetched_from_elsewhere(open_page, server):
    page = open_page(server.url)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.reload()
    wait(page, "window.viewer && document.getElementById('model').options.length > 0")
    play(page)
    assert asked and all(url.startswith((server.url, "data:")) for url in asked)


def test_the_page_runs_under_a_strict_content_policy(open_page, server):
    policy = "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'"

    def with_policy(route):
        answer = route.fetch()
        route.fulfill(response=answer, headers={**answer.headers, "content-security-policy": policy})

    page = open_page(server.url)
    page.route(server.url, with_policy)
    page.reload()
    page.get_by_label("Video", exact=True).select_option("pair.mp4")
    button(page, "Start").click()
    expect(page.locator("#state")).to_have_text("Done", timeout=LIMIT)
    expect(page.locator("#frame .points path")).to_have_count(4)


# ---- what a newcomer stumbled over ----


def test_the_picture_fills_its_place_again_after_the_window_changed(page):
    play(page)
    pause(page)
    for width, height in ((1000, 640), (600, 800), (1280, 800), (900, 700), (1280, 800)):
        page.set_viewport_size({"width": width, "height": height})
        settled(page, "JSON.stringify(document.getElementById('frame').layout.xaxis.range)")
    wait(page, "Math.abs(document.getElementById('frame').layout.yaxis.range[0] - 383.5) < 1")


def test_a_shared_link_stays_in_the_address_and_says_what_start_will_do(open_page, server):
    page = open_page(f"{server.url}?video=slow.mp4&model=best_model.h5&frame=7")
    expect(page.get_by_text("Press Start to watch slow.mp4 from frame 7.")).to_be_visible()
    assert parse_qs(urlsplit(page.url).query) == {
        "video": ["slow.mp4"],
        "model": ["best_model.h5"],
        "frame": ["7"],
    }


def test_a_frame_past_the_end_is_said_to_be_none(open_page, server):
    page = open_page(f"{server.url}?video=dots.mp4&frame=99999")
    button(page, "Start").click()
    last = len(server.recording.messages) - 1
    expect(page.get_by_role("alert")).to_contain_text(f"There is no frame 99999: the last one is {last}.")


def test_an_empty_frame_number_changes_nothing(page):
    play(page)
    pause(page)
    go_to(page, 12)
    page.get_by_label("Frame", exact=True).fill("")
    page.get_by_label("Frame", exact=True).press("Enter")
    expect(page.get_by_label("Frame", exact=True)).to_have_value("12")
    assert page.evaluate("viewer.frameIdx") == 12


def test_space_is_the_players_again_after_a_click_on_a_button(page):
    play(page, "slow.mp4", frames=3)
    pause(page)
    button(page, "Zoom in").click()
    page.keyboard.press("Space")
    wait(page, "viewer.state === 'playing'")
