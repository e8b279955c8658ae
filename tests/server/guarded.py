"""More servers over the pipeline that the tests of this folder share, with settings of their own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import app as web
from inference.settings import Settings
from tests.kit.predictors import KINDS
from tests.server.conftest import Site

TOKEN = "a-token-for-tests"  # noqa: S105
ALLY = "https://ally.example"


@contextmanager
def guarded(site: Site, **changes: Any) -> Iterator[Site]:
    """A server that asks for `TOKEN`, lets `ALLY` in, and differs from the defaults by `changes`."""
    folder = site.folder
    settings = Settings(
        data=folder, models=folder, runs=folder / "runs", kinds=KINDS, upload_bytes=1_000_000,
        **{"token": TOKEN, "cors_origins": (ALLY,), "allow_hosts": ("lab.example.org",), **changes},
    )  # fmt: skip
    listener = web.listen("127.0.0.1", 0)
    server = web.Server(web.create_app(settings, site.pipeline), listener)
    try:
        yield Site(web.address_of(listener), folder, site.pipeline)
    finally:
        server.close()
