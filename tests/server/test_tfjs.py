"""What text in the browser asks of the real server: TF.js, and models as TF.js has them."""

from __future__ import annotations

import httpx
import numpy as np
import pytest

from inference.text import files
from inference.text.vocabulary import DEFAULT
from tests.kit import char_models
from tfjs import SERVED

MODEL = "for browsers.h5"


@pytest.fixture(scope="module")
def models(site):
    """The shared server with a character model in its folder."""
    char_models.small(site.folder / MODEL)
    return site


def get(site, name, file):
    return httpx.get(f"{site.address}text_models/{name}/tfjs/{file}")


def weights(site, name=MODEL):
    """The vocabulary and all weights, as the browser gets them."""
    content = get(site, name, "model.json")
    assert content.status_code == 200 and content.headers["Content-Type"] == "application/json"
    (group,) = content.json()["weightsManifest"]
    shards = [get(site, name, path) for path in group["paths"]]
    assert all(shard.status_code == 200 for shard in shards)
    held = np.frombuffer(b"".join(shard.content for shard in shards), "<f4")
    return content.json()["userDefinedMetadata"]["vocabulary"], held


def trained(path):
    layers = files.read(path).layers
    return np.concatenate([values.ravel() for layer in layers for values in layer.weights.values()])


def test_a_model_is_served_as_it_is_in_its_folder_now(models):
    vocabulary, held = weights(models)
    path = models.folder / MODEL
    assert vocabulary == list(DEFAULT) and np.array_equal(held, trained(path))
    char_models.small(path, random_state=1)
    assert np.array_equal(weights(models)[1], trained(path)) and not np.array_equal(weights(models)[1], held)


@pytest.mark.parametrize("file", [".used", "model.weights", "..%2Fmodel.json", "group1-shard9of9.bin"])
def test_nothing_else_of_the_cache_is_served(models, file):
    assert get(models, MODEL, file).status_code == 404


def test_what_is_no_character_model_is_refused_in_a_sentence(models):
    behind = char_models.entries(char_models.recurrent("GRU", reset_after=True))
    char_models.write(models.folder / "behind.h5", behind)
    for name, status, said in (
        ("behind.h5", 400, "behind.h5 cannot run in a browser: the reset gate"),
        ("missing.h5", 404, "There is no model named 'missing.h5'"),
    ):
        answer = get(models, name, "model.json")
        assert (answer.status_code, said in answer.json()["error"]) == (status, True), answer.text


def test_tfjs_comes_from_this_server_or_there_is_a_sentence(models):
    answer = httpx.get(f"{models.address}tfjs/tf.min.js")
    if SERVED.is_file():
        assert answer.status_code == 200 and answer.headers["Content-Type"].startswith("text/javascript")
        assert answer.content == SERVED.read_bytes()
    else:
        assert answer.status_code == 404 and "make tfjs" in answer.json()["error"]
