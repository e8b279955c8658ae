"""Conversion for OpenVINO in the test's own process, which has imported TensorFlow already.

The program does it in a process of its own, which takes seconds to import TensorFlow. That way is tested too,
but not for every model.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from inference.engines import converted

FORMATS = (
    "keras2.h5",
    "keras3.h5",
    "keras2.keras",
    "keras3.keras",
    "keras2_saved_model",
    "keras3_saved_model",
)
"""What models are saved as, each by `keras_models.save`."""


def run_here(module: str, folder: Path, order: dict[str, Any]) -> None:
    """In place of `converted.run`: the same work on the same order, without the process."""
    from inference.engines import conversion

    assert module == "inference.engines.conversion"
    (folder / converted.ORDER).write_text(json.dumps(order))
    conversion.follow(json.loads((folder / converted.ORDER).read_text()), folder)
    (folder / converted.ORDER).unlink()
