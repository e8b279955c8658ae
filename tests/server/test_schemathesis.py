"""The server answers any request as its own description says: neither more nor less, and never with a 500.

Schemathesis makes the requests: what the description allows, its bounds, and what it does not allow.
"""

from __future__ import annotations

from collections import Counter

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from inference.web.operations import OPERATIONS
from tests.kit import char_models
from tests.server.conftest import running_site

schemathesis = pytest.importorskip("schemathesis")

from schemathesis.generation import GenerationMode  # noqa: E402

TEXT_MODEL = "small.h5"
SHORT = {
    "/generate_predictions": {
        "video_name": "a.avi",
        "model_name": ["m.number"],
        "compare": [],
        "start": 3,
        "stop": 4,
    },
    "/generate_text": {"model_name": TEXT_MODEL, "length": 3},
}
"""What makes each stream a short one, of a model that takes no time."""
EXAMPLES = dict.fromkeys(SHORT, 60)
"""Of requests that come up by chance, beside the bounds and the opposites of what is described; else 10."""
FREE = {path for path, _ in OPERATIONS if "{" not in path} - {*SHORT, "/videos"} | {
    "/static/{filename}",
    "/text_models/{name}",
}
"""Where nothing is asked for, or anything may be, so that nothing can be wrong."""
CASES = [
    (*operation, mode)
    for operation in sorted(OPERATIONS)
    for mode in GenerationMode
    if mode is GenerationMode.POSITIVE or operation[0] not in FREE
]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A server of its own, since it gets videos with odd names."""
    with running_site(tmp_path_factory.mktemp("described")) as running:
        char_models.small(running.folder / TEXT_MODEL)
        yield running


@pytest.fixture(scope="module")
def api(site):
    described = httpx.get(f"{site.address}openapi.json").json()
    config = schemathesis.Config.from_dict({"generation": {"deterministic": True}})
    schema = schemathesis.openapi.from_dict(described, config=config)
    schema.config.update(base_url=site.address)
    return schema


def test_the_description_is_openapi(api):
    api.validate()


@pytest.mark.parametrize(("path", "method", "mode"), CASES, ids=str)
def test_every_answer_is_as_described(site, api, path, method, mode):
    operation, answers = api[path][method.upper()], Counter()

    def ask(case):
        if path in SHORT:
            case.query = short(case, SHORT[path])
        if path == "/generate_text" and mode is GenerationMode.POSITIVE:
            # it has to be the id of a message, which a description cannot say
            case.headers.pop("Last-Event-ID", None)
        if path == "/videos" and mode is GenerationMode.POSITIVE:
            # it must not be a text, which a description of bytes cannot say
            case.body = type(case.body)(b"\0" + case.body.data)
        answer = case.call_and_validate()
        answers[answer.status_code] += 1

    by_chance = settings(
        max_examples=EXAMPLES.get(path, 10),
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )(given(operation.as_strategy(generation_mode=mode))(ask))
    for case in api.iter_coverage_cases(
        operation, generation_modes=[mode], generation_config=api.config.generation
    ):
        ask(case)
    by_chance()
    assert answers and not any(status >= 500 for status in answers)


def short(case, wanted):
    """A case's query, as `wanted`, so that its stream is soon over; what is wrong on purpose stays wrong."""
    data = case.meta.phase.data
    wrong = {data.parameter, *(each.parameter for each in data.mutations)}
    query = dict(case.query or {})
    kept = {name for name in wrong if name} if case.meta.generation.mode is GenerationMode.NEGATIVE else set()
    return query | {name: value for name, value in wanted.items() if name not in kept}
