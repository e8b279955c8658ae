"""The real server over the real pipeline, in this process, with predictors of the kit."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from httpx_sse import connect_sse

import app as web
from inference.catalog import Catalog
from inference.pipeline import Pipeline
from inference.settings import Settings
from tests.kit import barcode
from tests.kit.char_models import TEXT_KIND
from tests.kit.predictors import KINDS as VIDEO_KINDS

KINDS = (*VIDEO_KINDS, TEXT_KIND)

MODELS = {
    "m.number": "",
    "bad.fails_in_predict": "frame=5",
    "late.slow": "setup=3 seconds=0.2",
    "none.fails_in_setup": "",
    "nan.gives_nan": "",
    "nonsense.gives_nonsense": "",
}


@dataclass
class Site:
    """A running server: its address, its folder (data and models both) and its pipeline."""

    address: str
    folder: Path
    pipeline: Pipeline

    def stream(self, **query: Any) -> list[tuple[str, str, dict]]:
        """All events of a stream as (name, id, data), read by a client that nobody here wrote."""
        headers = {"Last-Event-ID": str(query.pop("last_event_id"))} if "last_event_id" in query else {}
        with (
            httpx.Client(base_url=self.address, timeout=60) as client,
            connect_sse(client, "GET", "/generate_predictions", params=query, headers=headers) as source,
        ):
            return [(event.event, event.id, json.loads(event.data)) for event in source.iter_sse()]


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The server that the tests of this folder share."""
    with running_site(tmp_path_factory.mktemp("site")) as running:
        yield running


@contextmanager
def running_site(folder: Path) -> Iterator[Site]:
    """A server on a folder that is filled for it."""
    barcode.write(folder / "a.avi", 100)
    barcode.write(folder / "long.mp4", 2000)
    for name, says in MODELS.items():
        (folder / name).write_text(says)
    settings = Settings(
        data=folder, models=folder, runs=folder / "runs", kinds=KINDS, n_servers=2, upload_bytes=1_000_000
    )
    listener = web.listen("127.0.0.1", 0)
    with Pipeline(settings) as pipeline:
        pipeline.start([Catalog(folder, folder, KINDS).model("m.number")])
        server = web.Server(web.create_app(settings, pipeline), listener)
        yield Site(web.address_of(listener), folder, pipeline)
        pipeline.close()
        server.close()
