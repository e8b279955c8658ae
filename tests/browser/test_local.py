"""Character models in the browser: TF.js in real Chromium, held against the same models on the server.

The page is the real one; what it loads comes from a server that writes down every request.
"""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from playwright.sync_api import expect

from inference.messages import Prompt, TextOptions
from inference.text import files, tfjs
from inference.text.generation import generate
from inference.text.recurrent import Network, Steps
from inference.text.sampling import cut, probabilities
from inference.text.vocabulary import decode
from tests.browser.conftest import LIMIT
from tests.browser.local_server import LocalServer
from tfjs import LOCK, SERVED
from tfjs.__main__ import NotFetched, fetch, is_here

SEED = "The meaning of life is "
CLOSE = 1e-5
"""How far probabilities in the browser may be from those on the server."""
TEXT = "It is a truth universally acknowledged, that a single man must be in want of a wife.\n"

pytestmark = pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")

WRITE = """async (settings) => {
  const { start } = await import('./static/text/local.js')
  const events = []
  const usual = { length: 100, topN: 1, temperature: 1, randomState: 0 }
  await new Promise((resolve) => start({ ...usual, ...settings }, (event) => {
    events.push([event.type, event.data])
    if (event.type === 'done' || event.type === 'failure') resolve()
  }))
  return events
}"""

TUNE = """async (asked) => {
  const { tune } = await import('./static/text/local.js')
  const events = []
  await new Promise((resolve) => tune(asked, (event) => {
    events.push([event.type, event.data])
    if (event.type === 'done' || event.type === 'failure') resolve()
  }))
  return events
}"""

STEPPER = """
  const { loadModel, loadTf, Stepper } = await import('./static/text/local/network.js')
  const tf = await loadTf(['cpu'])
  const open = async (path) => {
    const trained = await loadModel(tf, new URL(path, document.baseURI).href)
    return [trained, await Stepper.of(tf, trained)]
  }
"""


@pytest.fixture(scope="module", autouse=True)
def _tfjs():
    """TF.js, fetched now where `make test` did not."""
    try:
        if not is_here():
            fetch()
    except NotFetched as error:
        pytest.skip(f"TF.js cannot be fetched: {error}")


@pytest.fixture(scope="module")
def kit():
    from tests.kit import keras_chars

    return keras_chars


@pytest.fixture(scope="module")
def folder(kit, tmp_path_factory):
    """Models that are written for TF.js, when they are first asked for, in shards of few bytes."""
    folder = tmp_path_factory.mktemp("models")
    for name, make in kit.MODELS.items():
        kit.save(make(), folder / name)
    kit.save(kit.gru(kit.keras, reset_after=True), folder / "behind.keras")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tfjs, "SHARD", 10_000)
        yield folder


@pytest.fixture
def site(folder):
    with LocalServer(folder) as site:
        yield site


@pytest.fixture(scope="module")
def tweets(tmp_path_factory, shared_data):
    """The real model, and a server of it and of what somebody else's converter made of it."""
    stored = shared_data / "charrnn"
    if not stored.is_dir():
        pytest.skip("no shared character model")
    folder = tmp_path_factory.mktemp("real")
    shutil.copy(stored / "model-keras2.2.hdf5", folder / "tweets.hdf5")
    with LocalServer(folder, others=stored / "tfjs") as site:
        yield folder / "tweets.hdf5", site


def written(path, options, length=100, seed=SEED):
    """The text that the server writes, and the piece."""
    model = files.read(path)
    (piece,) = generate(Network(model), [Prompt("", 0, seed, None, length, options)])
    return decode(piece.ids.tolist(), model.vocabulary.characters), piece


def text_of(events):
    return "".join(data["text"] for name, data in events if name == "message")


def test_every_layer_gives_the_same_probabilities_as_on_the_server(kit, folder, site, open_page):
    ids = np.random.default_rng(1).integers(0, kit.SIZE, 40)
    ids[7] = 0
    page = open_page(site.url)
    for name in kit.MODELS:
        network = Network(files.read(folder / name))
        steps = Steps(network, np.zeros((1, network.memory), np.float32))
        expected = []
        for one in ids:
            steps.feed(np.array([one]))
            expected.append(probabilities(steps.logits()[0]))
        script = f"""async ([path, ids]) => {{{STEPPER}
          const [, stepper] = await open(path)
          return ids.map((id) => [...stepper.feed(id)])
        }}"""
        found = page.evaluate(script, [f"text_models/{name}/tfjs/model.json", ids.tolist()])
        assert np.ptp(expected) > 0.1, f"{name} says nothing"
        assert np.abs(np.array(found) - expected).max() < CLOSE, name


def test_a_real_model_writes_the_servers_text_offline_and_asks_for_no_character(tweets, open_page):
    tweets, site = tweets
    page = open_page(site.url)
    asked = []
    page.context.on("request", lambda request: asked.append(request.url))
    page.evaluate(WRITE, {"model": "tweets.hdf5", "seed": "a", "length": 1})
    asked.clear()
    page.evaluate(WRITE, {"model": "tweets.hdf5", "seed": SEED, "length": 300})
    assert [url for url in asked if "/text_models/" in url or "generate_text" in url] == [
        f"{site.url}text_models/tweets.hdf5/tfjs/model.json"  # whether it is still the same
    ]
    page.context.set_offline(True)
    greedy, piece = written(tweets, TextOptions(top_n=1))
    events = page.evaluate(WRITE, {"model": "tweets.hdf5", "seed": SEED})
    assert text_of(events) == greedy and events[-1] == ["done", {"characters": 100}]
    messages = [data for name, data in events if name == "message"]
    assert [message["index"] for message in messages] == [0, 1, 2, 4, 8, 16, 32, 64, 96]
    for key, expected in (("probs", piece.probs), ("entropies", piece.entropies)):
        found = np.concatenate([message[key] for message in messages])
        assert np.abs(found - expected).max() < (CLOSE * 10 if key == "entropies" else CLOSE), key
    likeliest = [each for message in messages for each in message["alternatives"]]
    found = [[chance for _, chance in alternatives] for alternatives in likeliest]
    assert np.abs(np.array(found) - piece.likelihoods).max() < CLOSE
    # the same draws from the same generator, and the settings as the server has them
    settings = {"topN": 10, "temperature": 0.8, "randomState": 10**15 - 1, "seed": SEED + "é"}
    events = page.evaluate(WRITE, {"model": "tweets.hdf5", **settings})
    options = TextOptions(top_n=10, temperature=0.8, random_state=10**15 - 1)
    assert text_of(events) == written(tweets, options, seed=SEED + "é")[0]
    start = next(data for name, data in events if name == "start")
    assert (start["unknown"], start["random_state"], start["vocabulary"]) == (["é"], 10**15 - 1, 98)


def test_a_model_that_is_replaced_on_the_server_writes_at_the_next_start(folder, open_page, tmp_path):
    (tmp_path / "models").mkdir()
    model = tmp_path / "models" / "mine.h5"
    shutil.copyfile(folder / "gru-keras2.h5", model)
    asked = {"model": "mine.h5", "seed": SEED, "length": 1}
    with LocalServer(model.parent) as site:
        page = open_page(site.url)
        old = page.evaluate(WRITE, asked)
        shutil.copyfile(folder / "lstm-keras2.h5", model)
        new = page.evaluate(WRITE, asked)
        page.context.set_offline(True)
        offline = page.evaluate(WRITE, asked)
        page.context.set_offline(False)
        model.unlink()
        gone = page.evaluate(WRITE, asked)
    expected = written(folder / "lstm-keras2.h5", TextOptions(top_n=1), length=1)[1].probs
    assert np.abs(_probs(new) - expected).max() < CLOSE < np.abs(_probs(old) - expected).max()
    assert _probs(offline) == _probs(new)
    assert gone[-1][0] == "failure" and "There is no model named 'mine.h5'" in gone[-1][1]["message"]


def test_our_files_are_read_as_the_converters_are_and_memory_stays_flat(tweets, open_page):
    _, site = tweets
    script = f"""async () => {{{STEPPER}
      const made = {{}}
      for (const folder of ['text_models/tweets.hdf5/tfjs', 'others']) {{
        const [trained, stepper] = await open(`${{folder}}/model.json`)
        let id = 37
        const ids = []
        const step = () => {{
          const chances = stepper.feed(id)
          id = chances.indexOf(Math.max(...chances))
          ids.push(id)
        }}
        step()
        const before = tf.memory().numTensors
        while (ids.length < 501) step()
        const after = tf.memory().numTensors
        stepper.dispose()
        trained.dispose()
        made[folder] = {{ ids: ids.slice(0, 100), grown: after - before, left: tf.memory().numTensors }}
      }}
      return [made, tf.version.tfjs]
    }}"""
    made, version = open_page(site.url).evaluate(script)
    ours, theirs = made["text_models/tweets.hdf5/tfjs"], made["others"]
    assert ours["ids"] == theirs["ids"] and len(set(ours["ids"])) > 5
    assert (ours["grown"], theirs["grown"], ours["left"]) == (0, 0, 0)
    assert version == json.loads(LOCK.read_text())["packages"]["node_modules/@tensorflow/tfjs"]["version"]


def test_fine_tuning_lowers_the_loss_and_what_was_learned_is_there_after_a_reload(site, open_page, tmp_path):
    page = open_page(f"{site.url}?model=gru-keras2.h5&length=60")
    (tmp_path / "austen.txt").write_text(TEXT * 12)
    page.get_by_text("Fine-tune in this browser").click()
    page.get_by_label("Text file to learn from").set_input_files(tmp_path / "austen.txt")
    page.get_by_label("Epochs").fill("2")
    expect(page.get_by_label("Save as")).to_have_value("gru-keras2 on austen", timeout=LIMIT)
    page.get_by_role("button", name="Fine-tune", exact=True).click()
    expect(page.locator("#tune-state")).to_have_text("Saved as gru-keras2 on austen.", timeout=90_000)
    batches, held_out = page.evaluate("document.getElementById('losses').data.map(({ y }) => y)")
    assert len(held_out) == 3 and held_out[2] < held_out[1] < held_out[0] and len(batches) >= 2
    expect(page.locator("#model")).to_have_value("browser:gru-keras2 on austen", timeout=LIMIT)
    assert page.locator("#model").get_attribute("title") == "gru-keras2 on austen (in this browser)"
    page.goto(f"{site.url}?length=60")
    page.locator("#model").select_option("browser:gru-keras2 on austen")
    expect(page.locator("#run-browser")).to_be_checked(timeout=LIMIT)
    expect(page.locator("#run-server")).to_be_disabled(timeout=LIMIT)
    expect(page.locator("#reference-text")).to_contain_text("austen.txt", timeout=LIMIT)
    page.context.set_offline(True)
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page.locator("#first [data-part=state]")).to_have_text("Done", timeout=LIMIT)
    learned = page.evaluate(WRITE, {"model": "browser:gru-keras2 on austen", "seed": SEED, "length": 30})
    page.context.set_offline(False)
    before = page.evaluate(WRITE, {"model": "gru-keras2.h5", "seed": SEED, "length": 30})
    assert learned[-1] == before[-1] == ["done", {"characters": 30}]
    assert _probs(learned)[0] != _probs(before)[0]
    page.locator("#model").select_option("gru-keras2.h5")
    choose_text(page, tmp_path, TEXT)
    page.get_by_label("Save as").fill("gru-keras2 on austen")
    page.get_by_role("button", name="Fine-tune", exact=True).click()
    expect(page.locator("#tune-error")).to_contain_text("is kept in this browser already")
    page.get_by_role("button", name="Use gru-keras2 on austen").click()
    page.get_by_role("button", name="Fine-tune", exact=True).click()  # it may learn more
    expect(page.locator("#tune-error")).to_contain_text("at least 641 are needed", timeout=LIMIT)
    page.get_by_role("button", name="Delete gru-keras2 on austen").click()
    expect(page.locator("#none-saved")).to_be_visible(timeout=LIMIT)
    first = page.locator("#model option").first.get_attribute("value")
    expect(page.locator("#model")).to_have_value(first, timeout=LIMIT)
    assert page.evaluate("document.querySelectorAll('#model option[value^=browser]').length") == 0


def test_two_texts_of_one_model_are_written_at_once(site, open_page):
    both = WRITE.replace("async (settings) =>", "const write = async (settings) =>")
    script = f"""async ([first, second]) => {{
      {both}
      const [one, other] = await Promise.all([write(first), write(second)])
      return [one, other, await write(second)]
    }}"""
    settings = {"model": "lstm-keras3.h5", "seed": SEED, "topN": 20}
    asked = [{**settings, "randomState": 1}, {**settings, "randomState": 2}]
    one, other, alone = map(text_of, open_page(site.url).evaluate(script, asked))
    assert len(one) == len(other) == 100 and one != other == alone


def _probs(events):
    return [chance for name, data in events if name == "message" for chance in data["probs"]]


def test_what_was_learned_is_kept_when_it_is_stopped(site, open_page):
    page = open_page(site.url)
    stop = TUNE.replace(
        "await new Promise((resolve) => tune(", "await new Promise((resolve) => { const stop = tune("
    )
    stop = stop.replace("resolve()\n  }))", "resolve()\n    if (event.type === 'batch') stop()\n  }) })")
    asked = {"model": "gru-keras2.h5", "text": TEXT * 60, "about": "austen", "epochs": 50, "name": "cut"}
    events = page.evaluate(stop, asked)
    names = [name for name, _ in events]
    assert names[:3] == ["start", "epoch", "batch"] and names[-2:] == ["saved", "done"]
    assert set(names[3:-2]) <= {"batch"}, "no epoch came to its end"
    saved = page.evaluate("async () => (await import('./static/text/local.js')).saved()")
    assert [each["name"] for each in saved] == ["cut"]


def test_a_stop_is_heard_within_a_long_seed_and_means_nothing_after_the_end(site, open_page):
    script = """async ([address, seed]) => {
      const worker = new Worker('./static/text/local/worker.js', { type: 'module' })
      const settings = { seed: 'a', length: 1, topN: 1, temperature: 1, randomState: 0 }
      const events = []
      const write = (number, changed) => worker.postMessage(
        { number, what: 'write', address, model: '', settings: { ...settings, ...changed } })
      const stop = (number) => worker.postMessage({ number, what: 'stop' })
      const ended = (which) => new Promise((resolve) => {
        worker.onmessage = ({ data: { number, type } }) => {
          events.push([number, type])
          if (number === which && type === 'done') resolve()
        }
      })
      write(1, { seed })
      stop(1)
      stop(2) // of a text that is over, so to say
      write(2, {})
      write(3, { length: 200 })
      await ended(3)
      worker.terminate()
      return events.filter(([number, type]) => number < 3 && type !== 'status')
    }"""
    address = f"{site.url}text_models/lstm-keras3.h5/tfjs/model.json"
    events = open_page(site.url).evaluate(script, [address, "a" * 1000])
    assert sorted(map(tuple, events)) == [(1, "start"), (2, "done"), (2, "message"), (2, "start")]


def test_a_stop_before_anything_was_learned_saves_nothing_and_leaves_the_remark(site, open_page, tmp_path):
    page = open_page(f"{site.url}?model=gru-keras2.h5")
    choose_text(page, tmp_path, (TEXT * 200).replace("\n", "\r") + "é☃")
    page.evaluate("['tune-start', 'tune-stop'].forEach((id) => document.getElementById(id).click())")
    expect(page.locator("#tune-state")).to_have_text(
        "Stopped before anything was learned; nothing was saved.", timeout=LIMIT
    )
    expect(page.locator("#tune-remarks")).to_have_text(
        "The model does not know “é”, “☃”: each is fed as an unknown character."
    )
    assert page.evaluate("document.getElementById('losses').data.every(({ y }) => y.length === 0)")
    expect(page.locator("#none-saved")).to_be_visible()
    expect(page.locator("#model")).to_have_value("gru-keras2.h5")


def choose_text(page, folder, text):
    """Opens the panel, and chooses a text to learn from."""
    (folder / "mine.txt").write_text(text)
    page.get_by_text("Fine-tune in this browser").click()
    page.get_by_label("Text file to learn from").set_input_files(folder / "mine.txt")
    expect(page.locator("#tune-text")).to_contain_text("mine.txt", timeout=LIMIT)


def test_what_makes_no_sense_is_a_sentence(site, open_page):
    page = open_page(site.url)
    for wrong, said in (
        ({"seed": ""}, "Type a seed"),
        ({"topN": 0}, "Top-n has to be"),
        ({"temperature": 0.009}, "The temperature has to be"),
        ({"length": 100_001}, "The length has to be"),
        ({"model": "missing.h5"}, "There is no model named 'missing.h5'"),
        ({"model": "behind.keras"}, "behind.keras cannot run in a browser: the reset gate"),
        ({"model": "browser:gone"}, "That model is not in this browser any more."),
    ):
        events = page.evaluate(WRITE, {"model": "lstm-keras2.h5", "seed": SEED, **wrong})
        name, data = events[-1]
        assert name == "failure" and data["index"] is None and said in data["message"]
    asked = {"model": "gru-keras2.h5", "text": "short", "about": "", "epochs": 1, "name": "none"}
    assert "at least 641 are needed" in page.evaluate(TUNE, asked)[-1][1]["message"]
    asked["text"] = "Жили-были дед да баба. " * 50
    assert "does not know most of the characters" in page.evaluate(TUNE, asked)[-1][1]["message"]


def test_without_tfjs_the_page_says_how_to_get_it(site, open_page, monkeypatch, tmp_path):
    monkeypatch.setattr("inference.web.tfjs.SERVED", tmp_path / SERVED.name)
    page = open_page(f"{site.url}?model=lstm-keras2.h5")
    expect(page.locator("#not-here")).to_contain_text("make tfjs", timeout=LIMIT)
    expect(page.locator("#run-browser")).to_be_disabled()
    name, data = page.evaluate(WRITE, {"model": "lstm-keras2.h5", "seed": SEED})[-1]
    assert name == "failure" and "make tfjs" in data["message"]


def test_draws_are_those_of_numpy(site, open_page):
    page = open_page(site.url)
    states = [0, 1, 12345, 2**32 - 1, 2**32, 2**53 - 1]
    script = """async (states) => {
      const { Random } = await import('./static/text/local/random.js')
      return states.map((state) => {
        const random = new Random(state)
        return Array.from({ length: 200 }, () => random.next())
      })
    }"""
    expected = [np.random.default_rng(state).random(200).tolist() for state in states]
    assert page.evaluate(script, states) == expected


def test_sampling_is_that_of_the_server(site, open_page):
    random = np.random.default_rng(3)
    logits = random.normal(0, 3, (50, 20)).round(1)  # rounded, so that some are equal
    chances, draws = probabilities(logits), random.random(50)
    script = """async ([rows, draws, temperature, topN]) => {
      const { cut, draw, heated } = await import('./static/text/local/sampling.js')
      return rows.map((row, i) => {
        const kept = cut(heated(row, temperature), topN)
        return [[...kept], draw(kept, draws[i])]
      })
    }"""
    page = open_page(site.url)
    for temperature, top_n in ((1, 20), (0.5, 5), (2, 3), (1, 1), (1, 100)):
        found = page.evaluate(script, [chances.tolist(), draws.tolist(), temperature, top_n])
        for row, uniform, (kept, drawn) in zip(logits, draws, found, strict=True):
            expected = cut(probabilities(row, temperature), top_n)
            assert np.count_nonzero(kept) == min(top_n, 20)
            if temperature == 1:  # else rounding may tell equal ones apart
                assert np.array_equal(np.flatnonzero(kept), np.flatnonzero(expected))
            assert np.abs(np.sort(kept) - np.sort(expected)).max() < 1e-12
            assert drawn == np.searchsorted(np.cumsum(kept) / np.sum(kept), uniform, side="right")
    example = page.evaluate(script, [[[0.13, 0.42, 0.33, 0.12]], [0.5], 1, 2])[0][0]
    assert example == pytest.approx([0, 0.56, 0.44, 0])
