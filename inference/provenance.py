"""Where a result comes from: video and models with their hashes, versions, settings, frames.

Reads the files it hashes; one that was changed since the run is said to be, not hashed.
"""

from __future__ import annotations

import dataclasses
import hashlib
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from inference.catalog import files_in, key_of, video_key
from inference.journal import Recording
from inference.settings import PRECISIONS

_CHUNK = 1 << 20
CHANGED = "not known: changed or moved since the run"


def provenance(recording: Recording) -> dict[str, Any]:
    """All that is known of a recording's origin, as nested dictionaries that JSON can say."""
    facts = recording.facts
    seen = sorted([*recording.frames, *recording.failures])
    models = [Path(model) for model in facts.models]
    key, _, precision = facts.model_key.rpartition("#")
    if precision not in PRECISIONS:
        key, precision = facts.model_key, "exact"
    same = key_of(models) == key
    return {
        "run_id": facts.run,
        "created": datetime.fromtimestamp(facts.created, timezone.utc).isoformat(timespec="seconds"),
        "video": {"path": facts.video, "sha256": _video_hash(Path(facts.video), facts.video_key)},
        "models": [
            {"path": str(model), "sha256": _model_hashes(model) if same else CHANGED} for model in models
        ],
        "settings": {
            "peak_threshold": facts.options.threshold,
            "max_instances": facts.options.max_instances,
            "refinement": facts.options.refinement or "offsets where the model predicts them, else integral",
            "precision": precision,
            "engine": facts.info.engine or "not recorded",
            "tracking": dataclasses.asdict(facts.tracking) if facts.tracking else None,
        },
        "versions": facts.versions,
        "frames": {
            "decoded": len(seen),
            "predicted": len(recording.frames),
            "failed": len(recording.failures),
            "first": seen[0] if seen else None,
            "last": seen[-1] if seen else None,
            "failures": {str(frame): said for frame, said in sorted(recording.failures.items())},
        },
    }


def _video_hash(path: Path, key: str) -> str:
    return sha256(path) if path.is_file() and video_key(path) == key else CHANGED


def _model_hashes(model: Path) -> dict[str, str]:
    files = [model] if model.is_file() else files_in(model, model.parent)
    return {file.name: sha256(file) for file in files}


def sha256(path: Path) -> str:
    """Hash of a file's content, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
