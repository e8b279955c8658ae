"""What tests in every folder share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# the machine may be busy with other things: a slow example is no failure
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real models and videos; a test that asks for it is skipped where there is none."""
    folder = ROOT / os.environ.get("INFERENCE_TEST_DATA", "../shared/data")
    if not (folder / "sleap").is_dir():
        pytest.skip("no shared test data: set INFERENCE_TEST_DATA to its folder")
    return folder.resolve()
