"""What a text's events say as server-sent events. Pure."""

from __future__ import annotations

from typing import Any

from inference import sse
from inference.messages import RunDone, RunEvent, RunFailed, RunStatus, TextPiece, TextResult, TextStarted
from inference.pieces import start_of
from inference.text import vocabulary

DIGITS = 6
"""Of probabilities and entropies."""


class TextEvents:
    """One stream's events in turn: what a character is, its start says."""

    def __init__(self) -> None:
        self._characters = 0
        self._names: list[str] = []

    def of(self, event: RunEvent) -> bytes:
        """The server-sent event that tells a viewer of a run's event."""
        match event:
            case TextResult():
                index = start_of(event.index)
                self._characters += len(event.piece.ids)
                return sse.encode(self._message(index, event.piece), index=index)
            case TextStarted():
                self._names = [character or vocabulary.UNKNOWN for character in event.model.vocabulary]
                return sse.encode(_start(event), "start")
            case RunStatus(state, message):
                return sse.encode({"state": state, "message": message}, "status")
            case RunFailed(message):
                return sse.encode({"index": None, "message": message}, "failure")
            case RunDone():
                return sse.encode({"characters": self._characters}, "done")
        raise TypeError(f"a text's run has said {type(event).__name__}")

    def _message(self, index: int, piece: TextPiece) -> dict[str, Any]:
        names = self._names
        likeliest, likelihoods = piece.likeliest.tolist(), piece.likelihoods.round(DIGITS).tolist()
        return {
            "index": index,
            "text": "".join(names[one] for one in piece.ids.tolist()),
            "probs": piece.probs.round(DIGITS).tolist(),
            "entropies": piece.entropies.round(DIGITS).tolist(),
            "alternatives": [
                [(names[one], likelihood) for one, likelihood in zip(ids, chances, strict=True)]
                for ids, chances in zip(likeliest, likelihoods, strict=True)
            ],
        }


def _start(event: TextStarted) -> dict[str, Any]:
    options, info = event.options, event.model
    return {
        "run_id": event.run,
        "model_name": event.model_name,
        "length": event.length,
        "seed": event.seed,
        "top_n": options.top_n,
        "temperature": options.temperature,
        "random_state": options.random_state,
        "vocabulary": len(info.vocabulary),
        "unknown": vocabulary.unknown(event.seed, info.vocabulary),
        "notes": info.notes,
        "engine": info.engine,
    }
