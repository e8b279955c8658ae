"""What tests in every folder share."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from tests.kit.engines import run_here

# the machine may be busy with other things: a slow example is no failure
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

pytest_plugins = ["tests.kit.faults"]

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real models and videos; a test that asks for it is skipped where there is none."""
    folder = ROOT / os.environ.get("INFERENCE_TEST_DATA", "../shared/data")
    if not (folder / "sleap").is_dir():
        pytest.skip("no shared test data: set INFERENCE_TEST_DATA to its folder")
    return folder.resolve()


@pytest.fixture(scope="session")
def open_engine(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Any]:
    """What opens a stored model by an engine's name; models are converted once, in this process."""
    from inference.engines import choice, converted

    cache = converted.Cache(tmp_path_factory.mktemp("cache"), 1 << 30)

    def opener(engine: str) -> Any:
        def open_it(*model: Any, **options: Any) -> Any:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(converted, "run", run_here)
                return choice.opener(engine, cache, lambda step: None)(*model, **options)

        return open_it

    return opener
