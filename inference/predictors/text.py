"""Character models: from a prompt to the next piece of its text."""

from __future__ import annotations

import pathlib
import time
from collections.abc import Sequence

from inference.errors import FrameError, ModelError
from inference.messages import Prompt, TextInfo, TextOptions, TextPiece
from inference.text import files
from inference.text.generation import generate
from inference.text.recurrent import Network


class TextPredictor:
    """A character model, from prompts to pieces of text.

    After each `predict`, `stages` says in ms what it took for the whole batch.
    """

    def __init__(self, *paths: pathlib.Path, threads: int = 1, allow_model_code: bool = False) -> None:
        """Name one model, a file or a folder that holds one; nothing is read yet.

        Whatever is allowed, it runs in one thread, and no code of the model's.
        """
        self._paths = paths
        self.stages: dict[str, float] = {}

    def setup(self) -> None:
        """Read the model and write a character with it; ModelError says why that cannot be."""
        if len(self._paths) > 1:
            raise ModelError("A character model writes alone: choose one.")
        model = files.read(self._paths[0])
        self._network = Network(model)
        self.info = TextInfo(model.vocabulary.characters, model.notes, "NumPy, float32")
        try:
            self.predict([Prompt("", 0, " ", None, 1, TextOptions())])
        except FrameError as error:
            raise ModelError(f"{model.name} cannot be run: {error}") from error

    def feed(self, raw: Prompt) -> Prompt:
        """A prompt that `predict` takes; FrameError if it is none, or belongs to another model."""
        if raw.count < 1 or (raw.state is None and not raw.seed):
            raise FrameError("a prompt has to have a seed and to ask for a character")
        state = raw.state
        if state is not None and not (
            state.memory.shape == (self._network.memory,) and 0 <= state.last < len(self.info.vocabulary)
        ):
            raise FrameError("the text was begun with another model")
        return raw

    def predict(self, batch: Sequence[Prompt], options: object = None) -> list[TextPiece]:
        """The next piece of each prompt's text, by its own options; FrameError if the model fails."""
        began = time.perf_counter()
        pieces = generate(self._network, batch)
        self.stages = {"inference": (time.perf_counter() - began) * 1000}
        return pieces
