"""The text page in real Chromium, against a server that replays texts with known probabilities."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect

from inference.text.query import PARAMETERS
from inference.web.guard import LONGEST as LONGEST_SEED
from tests.browser import chain
from tests.browser.conftest import PHONE
from tests.browser.replay_server import ReplayServer
from tests.browser.replay_text import BEHAVIOURS, TRAINED_ON
from tests.browser.test_page import button, until, wait

STATIC = Path(__file__).resolve().parents[2] / "static"
SEED = "The lamp "
RAW, MEAN = 0, 1
"""The entropy chart's two lines of a text."""


def begin(page: Page, model: str = "chain.h5", *, length: int = 400, seed: str = SEED, **controls) -> None:
    """Chooses what is asked, and starts."""
    page.get_by_label("Model", exact=True).select_option(model)
    page.get_by_label("Seed", exact=True).fill(seed)
    page.get_by_label("Length", exact=True).fill(str(length))
    for name, value in controls.items():
        page.locator(f"#{name}").fill(str(value))
    button(page, "Start").click()


def write(page: Page, model: str = "chain.h5", **settings) -> str:
    """Writes a text to its end, waits until it stands on the page, and gives it."""
    begin(page, model, **settings)
    wait(page, "['done', 'failed'].includes(writer.states[0]) && writer.shown[0] === writer.lengths[0]")
    return page.evaluate("writer.texts[0]")


def sheet(page: Page, letter: str = "A"):
    return page.get_by_role("group", name=f"Text {letter} as written")


def middle(page: Page, index: int) -> tuple[float, float]:
    """Where a character of text A stands on the screen."""
    return tuple(
        page.evaluate(
            """(index) => {
              const walker = document.createTreeWalker(document.querySelector('.text'), NodeFilter.SHOW_TEXT)
              walker.nextNode() // the seed
              for (let left = index; walker.nextNode(); left -= walker.currentNode.length) {
                if (left >= walker.currentNode.length) continue
                const range = document.createRange()
                range.setStart(walker.currentNode, left)
                range.setEnd(walker.currentNode, left + 1)
                const { x, y, width, height } = range.getBoundingClientRect()
                return [x + width / 2, y + height / 2]
              }
            }""",
            index,
        )
    )


def shades(page: Page) -> list[str]:
    """The shade of each character of the texts' nodes, "" for none, as the browser has it."""
    return page.evaluate(
        """() => {
          const node = document.querySelector('.text > div').lastChild
          const shades = Array(node.length).fill('')
          for (const [name, ranges] of CSS.highlights) {
            if (!name.startsWith('shade-')) continue
            for (const { startContainer, startOffset, endOffset } of ranges) {
              if (startContainer === node) shades.fill(name, startOffset, endOffset)
            }
          }
          return shades
        }"""
    )


def expected_shade(prob: float) -> str:
    bounds = [0.9, 0.5, 0.25, 0.1, 0.05, 0.02, 0.01]
    shade = next((i for i, bound in enumerate(bounds) if prob >= bound), len(bounds))
    return f"shade-{shade}" if shade else ""


@pytest.fixture
def server():
    with ReplayServer() as server:
        server.text_rate = 4000.0
        yield server


@pytest.fixture
def page(open_page, server: ReplayServer) -> Page:
    return open_page(f"{server.url}text")


def drawn(server: ReplayServer) -> int:
    """The random state that the page drew for the last text."""
    return int(server.text_streams[-1].query["random_state"])


# ---- the text ----


def test_the_text_is_what_was_sent_and_every_character_has_the_shade_of_its_probability(page, server):
    text = write(page, random_state=7)
    assert text == chain.text(SEED, 400, 10, 1.0, 7)
    assert sheet(page).text_content() == SEED + text
    assert sheet(page).locator("b").text_content() == SEED  # told apart from what was sampled
    before = SEED[-1] + text
    probs = [chain.probabilities(one)[other] for one, other in zip(before, text, strict=False)]
    assert shades(page) == [expected_shade(prob) for prob in probs]


def test_what_is_asked_of_the_server_is_what_the_controls_say(page, server):
    write(page, top_n=4, temperature=0.7, random_state=999_999_999_999_999, seed="a &?+é%\nb ")
    assert server.text_streams[0].query == {
        "model_name": "chain.h5",
        "seed": "a &?+é%\nb ",
        "length": "400",
        "top_n": "4",
        "temperature": "0.7",
        "random_state": "999999999999999",
    }


def test_the_text_appears_while_it_is_sampled_and_stop_ends_it(page, server):
    begin(page, "slow.h5", length=2000)
    wait(page, "writer.shown[0] >= 8 && writer.states[0] === 'writing'")
    button(page, "Stop").click()
    expect(page.get_by_role("status").filter(has_text="Stopped")).to_be_visible()
    until(lambda: server.text_streams[0].ended is not None)
    length = page.evaluate("writer.lengths[0]")
    expect(page.locator("[data-part=characters]").first).to_have_text(f"{length} of 2000")
    assert page.evaluate("writer.texts[0]") == chain.text(SEED, 2000, 10, 1.0, drawn(server))[:length]


def test_leaving_the_page_stops_the_text(page, server):
    begin(page, "slow.h5", length=2000)
    wait(page, "writer.shown[0] >= 2")
    page.get_by_role("link", name="Video").click()
    expect(page.locator("#video")).to_be_visible()
    until(lambda: server.text_streams[0].ended is not None)


def test_a_long_text_is_followed_to_its_end_and_kept_light(page, server):
    text = write(page, "flood.h5", length=100_000)
    assert text == chain.text(SEED, 100_000, 10, 1.0, drawn(server))
    element = "document.querySelector('.text')"
    wait(page, f"{element}.scrollTop + {element}.clientHeight >= {element}.scrollHeight - 2")
    assert page.evaluate("document.querySelectorAll('.text *').length") < 400
    ranges = "[...CSS.highlights.values()].reduce((sum, ranges) => sum + ranges.size, 0)"
    wait(page, f"{ranges} < 8000")
    assert sheet(page).text_content() == SEED + text


def test_whoever_scrolls_back_is_left_there_while_the_text_goes_on(page, server):
    server.text_rate = 800
    begin(page, length=6000)
    element = "document.querySelector('.text')"
    wait(page, f"{element}.scrollTop > 200")
    sheet(page).hover()

    def is_back() -> bool:
        page.mouse.wheel(0, -5000)  # one may be undone by what is written at the same moment
        return page.evaluate(f"{element}.scrollTop") == 0

    until(is_back)
    shown = page.evaluate("writer.shown[0]")
    wait(page, f"writer.shown[0] > {shown + 400}")
    assert page.evaluate(f"{element}.scrollTop") == 0


def test_copied_by_hand_over_many_blocks_it_is_the_same_text(page, server):
    text = write(page, length=3000)
    page.evaluate("getSelection().selectAllChildren(document.querySelector('.text'))")
    chosen = page.evaluate("getSelection().toString()")
    assert page.evaluate("document.querySelectorAll('.text > div').length") > 2
    assert chosen.rstrip("\n") == (SEED + text).rstrip("\n")


# ---- single characters ----


def test_hovering_a_character_tells_its_probability_and_the_five_likeliest(page, server):
    text = write(page)
    card = page.locator("#card")
    index = text.index("e", 60)
    page.mouse.move(*middle(page, index))
    likeliest = chain.likeliest(text[index - 1])
    prob = chain.probabilities(text[index - 1])["e"]
    expect(card.locator("li")).to_have_count(5)
    expect(card.locator(".head")).to_contain_text("e")
    expect(card.locator(".head .share")).to_have_text(f"{100 * prob:.{1 if prob < 0.0995 else 0}f} %")
    signs = {" ": "␣", "\n": "↵"}
    shown = [signs.get(character, character) for character, _ in likeliest]
    assert card.locator("li .sign").all_text_contents() == shown
    expect(card.locator("li.chosen")).to_have_count(1 if "e" in shown else 0)
    expect(card.locator(".foot")).to_contain_text(f"character {index + 1}")
    page.mouse.move(5, 5)
    expect(card).to_be_empty()


def test_the_arrow_keys_go_from_character_to_character(page, server):
    text = write(page, "chain.h5")
    sheet(page).focus()
    foot = page.locator("#card .foot")
    page.keyboard.press("ArrowRight")
    expect(foot).to_contain_text("character 1,")
    page.keyboard.press("Shift+ArrowRight")
    expect(foot).to_contain_text("character 11,")
    page.keyboard.press("ArrowLeft")
    expect(foot).to_contain_text("character 10,")
    page.keyboard.press("End")
    expect(foot).to_contain_text(f"character {len(text)},")
    assert page.evaluate("[...CSS.highlights.get('here')].map(String).length") == 1
    page.keyboard.press("Escape")
    expect(page.locator("#card")).to_be_empty()


def test_a_tap_tells_of_a_character_and_a_second_one_puts_it_away(open_page, server):
    page = open_page(f"{server.url}text", viewport=PHONE, has_touch=True)
    text = write(page, length=200)
    page.touchscreen.tap(*middle(page, 150))
    expect(page.locator("#card .foot")).to_contain_text("character 151,")
    assert len(text) == 200
    page.touchscreen.tap(*middle(page, 150))
    expect(page.locator("#card")).to_be_empty()


# ---- the random state ----


def test_the_random_state_that_was_drawn_is_taken_over_with_one_click_and_repeats_the_text(page, server):
    first = write(page)
    page.get_by_role("button", name="Keep this random state for text A").click()
    state = drawn(server)
    expect(page.get_by_label("Random state", exact=True)).to_have_value(str(state))
    assert write(page) == first
    assert drawn(server) == state
    page.get_by_label("Random state", exact=True).fill("")
    write(page)
    assert drawn(server) != state


# ---- the address ----


def test_a_reload_comes_back_to_what_was_set(page, server):
    page.get_by_label("Compare two settings").check()
    begin(page, length=77, seed="x & é\n", top_n=4, temperature=0.5, random_state=3, temperature_b=2)
    page.locator("#model_b").select_option("slow.h5")
    page.reload()
    expect(page.locator("#model_b")).to_have_value("slow.h5")
    controls = ["model", "seed", "length", "top_n", "temperature", "random_state", "temperature_b", "top_n_b"]
    values = [page.locator(f"#{name}").input_value() for name in controls]
    assert values == ["chain.h5", "x & é\n", "77", "4", "0.5", "3", "2", "3"]
    expect(page.get_by_role("article", name="Text B", exact=True)).to_be_visible()


def test_the_address_says_only_what_differs(page):
    page.get_by_label("Length", exact=True).fill("99")
    page.get_by_label("Length", exact=True).blur()
    query = parse_qs(urlsplit(page.url).query)
    assert query == {"model": ["chain.h5"], "seed": ["The meaning of life is "], "length": ["99"]}


# ---- comparing ----


def test_two_settings_write_side_by_side_on_the_same_seed(page, server):
    page.get_by_label("Compare two settings").check()
    begin(page, top_n=10, top_n_b=1, random_state=1, random_state_b=2)
    wait(page, "writer.states.join() === 'done,done' && writer.shown.join() === '400,400'")
    assert page.evaluate("writer.texts") == [chain.text(SEED, 400, 10, 1, 1), chain.text(SEED, 400, 1, 1, 2)]
    boxes = [page.get_by_role("article", name=f"Text {letter}", exact=True).bounding_box() for letter in "AB"]
    assert boxes[0]["y"] == boxes[1]["y"] and boxes[0]["x"] + boxes[0]["width"] < boxes[1]["x"]
    probs = page.locator("[data-part=prob]").all_text_contents()
    assert float(probs[0]) < float(probs[1])  # the greedy text is the likelier one
    wait(page, "document.getElementById('entropy').data.length === 4")
    page.get_by_label("Compare two settings").uncheck()
    expect(page.get_by_role("article", name="Text B", exact=True)).to_be_hidden()


def test_on_a_phone_the_two_stand_one_below_the_other_and_nothing_is_cut(open_page, server):
    page = open_page(f"{server.url}text?compare=1", viewport=PHONE)
    button(page, "Start").click()
    wait(page, "writer.states.join() === 'done,done'")
    boxes = [page.get_by_role("article", name=f"Text {letter}", exact=True).bounding_box() for letter in "AB"]
    assert boxes[0]["x"] == boxes[1]["x"] and boxes[0]["y"] + boxes[0]["height"] < boxes[1]["y"]
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    cut = """[...document.querySelectorAll('dd, dt, label, figcaption')]
      .filter((one) => one.checkVisibility() && one.scrollWidth > one.clientWidth + 1)
      .map((one) => one.textContent)"""
    assert page.evaluate(cut) == []


# ---- the charts ----


def test_the_entropy_chart_has_every_value_and_a_click_goes_to_the_character(page, server):
    text = write(page, length=300)
    lines = "document.getElementById('entropy').data"
    wait(page, f"{lines}[{RAW}]?.x.length === 300")
    entropies = [chain.entropy(one) for one in (SEED[-1] + text)[:-1]]
    assert page.evaluate(f"{lines}[{RAW}].y") == pytest.approx(entropies, abs=1e-6)
    means = [sum(entropies[max(0, i - 31) : i + 1]) / min(i + 1, 32) for i in range(300)]
    assert page.evaluate(f"{lines}[{MEAN}].y") == pytest.approx(means, abs=1e-6)
    titles = page.locator("#entropy").locator(".xtitle, .ytitle").all_text_contents()
    assert titles == ["Character", "Entropy (bits)"]
    box = page.locator("#entropy .nsewdrag").bounding_box()
    x = box["x"] + box["width"] * 200 / 301
    page.mouse.move(x, box["y"] + box["height"] / 2)
    expect(page.locator("#entropy .hoverlayer")).to_contain_text("bits")
    page.mouse.click(x, box["y"] + box["height"] / 2)
    expect(page.locator("#card .foot")).to_contain_text("character 20")


def test_the_frequencies_and_their_distance_from_the_training_text_are_right(page, server):
    text = write(page, length=2000)
    bars = "document.getElementById('frequencies').data"
    expect(page.locator("#reference-text")).to_contain_text(TRAINED_ON)
    wait(page, f"{bars}.length === 2 && {bars}[1].y.reduce((a, b) => a + b) > 60")
    signs, reference, shares = page.evaluate(f"[{bars}[0].x, {bars}[0].y, {bars}[1].y]")
    characters = {"␣": " ", "↵": "\n", "&lt;": "<", "&amp;": "&"}
    ranked = [characters.get(sign, sign) for sign in signs]
    learned, wrote = Counter(chain.LEARNED), Counter(text)
    assert reference == pytest.approx([100 * learned[one] / len(chain.LEARNED) for one in ranked])
    assert reference == sorted(reference, reverse=True)
    wait(page, f"{bars}[1]?.y[0] === {100 * wrote[ranked[0]] / 2000}")
    assert page.evaluate(f"{bars}[1].y") == pytest.approx([100 * wrote[one] / 2000 for one in ranked])
    assert len(shares) == len(ranked)
    expect(page.locator("[data-part=divergence]").first).to_have_text(
        f"{divergence(wrote, learned):.3f} bits"
    )


def divergence(some: Counter, others: Counter) -> float:
    from scipy.spatial.distance import jensenshannon

    both = sorted({*some, *others})
    return float(jensenshannon([some[one] for one in both], [others[one] for one in both], 2)) ** 2


def test_a_file_of_the_users_takes_the_training_texts_place_and_is_never_sent(page, server, tmp_path: Path):
    write(page, "secret.h5", length=300)
    expect(page.locator("#reference-text")).to_contain_text("Nothing is known of the text")
    expect(page.locator("[data-part=divergence]").first).to_have_text("–")
    file = tmp_path / "mine.txt"
    file.write_bytes(b"abba\r\nabba\r\n")
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.method) if request.method != "GET" else None)
    page.locator("#reference-file").set_input_files(file)
    expect(page.locator("#reference-text")).to_have_text("The file mine.txt, 10 characters.")
    bars = "document.getElementById('frequencies').data"
    wait(page, f"{bars}[0]?.x.join() === 'a,b,↵'")
    expect(page.locator("[data-part=divergence]").first).to_contain_text("bits")
    assert set(sent) <= {"HEAD"}


def test_a_file_that_is_no_text_is_said_to_be_none(page, server, tmp_path: Path):
    file = tmp_path / "picture.txt"
    file.write_bytes(b"\x89PNG\r\n\xff\xd8")
    page.locator("#reference-file").set_input_files(file)
    expect(page.get_by_role("alert")).to_contain_text("picture.txt cannot be read as text in UTF-8.")
    expect(page.locator("#reference-text")).to_contain_text(TRAINED_ON)
    for content, said in ((b"", "is empty."), (b"abc\xc3", "cannot be read as text in UTF-8.")):
        file.write_bytes(content)
        page.locator("#reference-file").set_input_files(file)
        expect(page.get_by_role("alert")).to_contain_text(f"picture.txt {said}")


def test_a_file_of_which_only_the_beginning_is_read_says_so(page, server, tmp_path: Path):
    smaller = (STATIC / "text" / "reference.js").read_text().replace("200e6", "1e6")
    page.route("**/reference.js", lambda route: route.fulfill(body=smaller, content_type="text/javascript"))
    page.reload()
    file = tmp_path / "long.txt"
    file.write_text("a" * 999_999 + "é")  # the limit cuts the last character
    page.locator("#reference-file").set_input_files(file)
    expect(page.locator("#reference-text")).to_have_text(
        "The file long.txt, 999,999 characters: of its first 1 MB, as it is larger."
    )


# ---- taken along ----


def test_copy_and_save_give_the_seed_and_the_text(open_page, server):
    page = open_page(
        f"{server.url}text", permissions=["clipboard-read", "clipboard-write"], accept_downloads=True
    )
    text = write(page, length=50, random_state=5)
    button(page, "Copy text A").click()
    expect(page.locator("[data-said]")).to_have_attribute("data-said", "Copied")
    assert page.evaluate("navigator.clipboard.readText()") == SEED + text
    with page.expect_download() as saved:
        button(page, "Save text A").click()
    assert saved.value.suggested_filename == "chain-top10-t1-5.txt"
    assert Path(saved.value.path()).read_text() == SEED + text
    with page.expect_download() as saved:
        button(page, "Save text A with its probabilities").click()
    told = json.loads(Path(saved.value.path()).read_text())
    assert (told["seed"], told["text"], told["random_state"]) == (SEED, text, 5)
    assert [len(each) for each in told["alternatives"]] == [5] * 50
    probs = [chain.probabilities(one)[other] for one, other in zip(SEED[-1] + text, text, strict=False)]
    assert told["probs"] == pytest.approx(probs, abs=1e-6)


# ---- states ----


def test_loading_is_said_until_the_first_character(page, server):
    begin(page, "loading.h5")
    expect(page.locator(".waiting").first).to_contain_text("Loading loading.h5 …")
    expect(page.locator("[data-part=state]").first).to_have_text("Starting")
    server.release.set()
    wait(page, "writer.states[0] === 'done'")
    expect(page.locator(".waiting").first).to_be_hidden()


def test_a_death_is_said_and_not_for_ever(page):
    begin(page, "restarting.h5", length=200)
    notice = page.locator("[data-part=notice]").first
    expect(notice).to_have_text("A worker process died.")
    expect(notice).to_be_empty()
    assert page.evaluate("writer.states[0]") == "writing"
    button(page, "Stop").click()


def test_a_full_server_is_waited_for(page, server):
    begin(page, "full.h5")
    expect(page.locator(".waiting").first).to_contain_text("64 streams are open already. Trying again")
    server.release.set()
    wait(page, "writer.states[0] === 'done'")


def test_a_broken_connection_is_taken_up_again_with_the_random_state_that_was_drawn(page, server):
    begin(page, "broken.h5", length=200)
    wait(page, "writer.lengths[0] === 64")
    server.release.set()
    wait(page, "writer.states[0] === 'done'")
    first, again = server.text_streams
    assert page.evaluate("writer.texts[0]") == chain.text(SEED, 200, 10, 1.0, drawn(server))
    assert again.query == first.query
    assert again.last_event_id == str(first.sent[-1])


def test_what_fails_is_said_and_what_was_written_stays(page, server):
    for model, sentence, characters in [
        ("failing.h5", "The model wrote no number.", 64),
        ("lost.h5", "There is no model named lost.h5 in the models folder.", 0),
        ("torn.h5", "The text that came does not fit at character 16.", 16),
    ]:
        begin(page, model)
        expect(page.get_by_role("alert")).to_contain_text(sentence)
        expect(page.locator("[data-part=state]").first).to_have_text("Stopped by an error")
        assert len(page.evaluate("writer.texts[0]")) == characters
        until(lambda: server.text_streams[-1].ended is not None)
    write(page)
    expect(page.get_by_role("alert")).to_be_hidden()


def test_what_the_model_does_not_know_is_said_and_marked(page, server):
    write(page, "secret.h5", seed="Né <\u2603\u2603")
    remarks = page.locator("[data-part=remarks]").first
    expect(remarks).to_contain_text("The model does not know “é”, “☃”: each is fed as an unknown character.")
    expect(remarks).to_contain_text("It was written with another Keras.")
    marked = (
        "[...CSS.highlights.get('unknown')].map((one) => one.startContainer.data[one.startOffset]).join('')"
    )
    assert page.evaluate(marked) == "é☃☃"


def test_a_character_that_is_unknown_to_the_model_is_written_as_such_and_told(page, server):
    text = write(page, "secret.h5")
    page.mouse.move(*middle(page, text.index(chain.UNKNOWN)))
    expect(page.locator("#card .head")).to_contain_text("unknown to the model")


def test_what_makes_no_sense_is_said_before_it_is_sent(page, server):
    page.get_by_label("Compare two settings").check()
    for control, value, sentence in [
        ("seed", "", "Type a seed"),
        ("seed", "x" * 1001, "The seed has 1001 characters; up to 1000 are taken."),
        ("length", "0", "The length has to be a whole number from 1 to 100000."),
        ("length", "100001", "The length has to be"),
        ("top_n", "0", "Top-n has to be a whole number from 1 to 999999999999999."),
        ("top_n", "", "Top-n has to be"),
        ("temperature", "0", "The temperature has to be from 0.01 to 100."),
        ("temperature", "0.009", "The temperature has to be"),
        ("random_state", "-1", "The random state has to be"),
        ("random_state_b", "1.5", "The random state has to be"),
    ]:
        usual = page.locator(f"#{control}").input_value()
        page.locator(f"#{control}").fill(value)
        button(page, "Start").click()
        expect(page.get_by_role("alert")).to_contain_text(sentence)
        expect(page.locator(f"#{control}")).to_be_focused()
        expect(page.locator(f"#{control}")).to_have_attribute("aria-invalid", "true")
        page.locator(f"#{control}").fill(usual)
    assert not server.text_streams


def test_the_limits_are_those_of_the_server_and_of_the_controls(page):
    limits = page.evaluate("import('./static/text/limits.js').then(({ LIMITS }) => LIMITS)")
    assert limits["seed"] == [1, LONGEST_SEED]
    asked = {each.name: each for each in PARAMETERS}
    for key, name in (
        ("length", "length"),
        ("topN", "top_n"),
        ("temperature", "temperature"),
        ("randomState", "random_state"),
    ):
        least, most = limits[key]
        assert (least, most) == (asked[name].least, asked[name].greatest)
        control = page.locator(f"#{name}")
        bounds = [control.get_attribute(bound) for bound in ("min", "max")]
        assert [float(bound) for bound in bounds] == [least, most]
        control.fill(str(asked[name].least))
        assert control.evaluate("(control) => control.checkValidity()")


def test_an_empty_folder_says_how_to_come_by_a_model(page, server):
    server.text_models = []
    page.goto(f"{server.url}text")
    expect(page.get_by_text("No character model yet. Put one into the folder models")).to_be_visible()
    expect(page.get_by_text("python -m inference train-text")).to_be_visible()
    button(page, "Start").click()
    expect(page.get_by_role("alert")).to_contain_text("Choose a model first.")
    server.text_models = ["chain.h5"]
    expect(page.get_by_label("Model", exact=True)).to_have_value("chain.h5")
    expect(page.get_by_text("Type a seed, then press Start.").first).to_be_visible()
    expect(page.locator("#reference-text")).to_contain_text(TRAINED_ON)


# ---- the keyboard, names and the other page ----


def test_control_enter_starts_and_escape_stops(page, server):
    page.get_by_label("Model", exact=True).select_option("slow.h5")
    page.get_by_label("Seed", exact=True).press("Control+Enter")
    wait(page, "writer.states[0] === 'writing'")
    page.keyboard.press("Escape")
    wait(page, "writer.states[0] === 'stopped'")


def test_every_control_has_a_name_of_its_own(page):
    page.get_by_label("Compare two settings").check()
    names = page.evaluate(
        """[...document.querySelectorAll('button, select, textarea, input:not([hidden]), a')]
          .filter((one) => one.checkVisibility())
          .map((one) => one.ariaLabel || one.labels?.[0]?.textContent.trim() || one.textContent.trim())"""
    )
    assert all(names) and len(set(names)) == len(names)


def test_text_stays_legible_on_every_shade_and_the_shades_get_steadily_stronger(page):
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        colors = page.evaluate(
            """[getComputedStyle(document.body).color, ...Array.from({ length: 7 }, (_, i) =>
              getComputedStyle(document.body, `::highlight(shade-${i + 1})`).backgroundColor)]"""
        )
        text, *shades = (luminance(color) for color in colors)
        contrasts = [(max(text, shade) + 0.05) / (min(text, shade) + 0.05) for shade in shades]
        assert min(contrasts) > 4.5
        assert contrasts == sorted(contrasts, reverse=True)


def luminance(color: str) -> float:
    """The relative luminance of a CSS colour, as WCAG has it."""
    parts = [int(part) / 255 for part in color.removeprefix("rgb(").removesuffix(")").split(",")]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_the_pages_lead_to_each_other(page, server):
    page.get_by_role("link", name="Video").click()
    expect(page.get_by_label("Video", exact=True)).to_be_visible()
    page.get_by_role("link", name="Text").click()
    expect(page.get_by_label("Seed", exact=True)).to_be_visible()
    expect(page.get_by_role("link", name="Text")).to_have_attribute("aria-current", "page")
    expect(page.locator("#model option")).to_have_text(list(BEHAVIOURS))


# ---- in this browser ----


def test_a_model_runs_in_the_browser_only_where_all_that_this_needs_is_there(page, server):
    expect(page.get_by_role("radio", name="this browser")).to_be_disabled()
    page.route("**/tfjs/**", lambda route: route.fulfill(body=""))
    page.reload()
    page.get_by_role("radio", name="this browser").check()
    page.get_by_role("radio", name="this browser").blur()
    page.reload()
    expect(page.get_by_role("radio", name="this browser")).to_be_checked()
