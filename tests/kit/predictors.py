"""Real predictors that run in real workers: one that reads a frame's number, and some that misbehave.

Their model is a text file; its suffix chooses the predictor (see `KINDS`), its content says when to
misbehave: `frame=N` at frame N, `once=PATH` only if there is no file of that name yet.
"""

from __future__ import annotations

import ctypes
import dataclasses
import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from inference.errors import FrameError, ModelError
from inference.messages import Frame, ModelInfo, PoseOptions, PosePrediction
from inference.predictors.instances import of_points
from inference.settings import Kind
from tests.kit import barcode


class ReadsNumber:
    """Predicts one point, (the number that the frame carries, the pixel sum), in no time."""

    info = ModelInfo(("number",))

    def __init__(self, *paths: Path, threads: int, allow_model_code: bool) -> None:
        text = " ".join(path.read_text() for path in paths if path.is_file())
        self.say = dict(item.split("=", 1) for item in text.split())
        self.stages: dict[str, float] = {}

    def setup(self) -> None:
        """Nothing to load."""

    def feed(self, raw: Frame) -> Any:
        """The frame's number."""
        return barcode.read(raw)

    def predict(self, batch: Sequence[Any], options: PoseOptions) -> list[PosePrediction]:
        """One point a frame."""
        return [self._one(number) for number in batch]

    def _one(self, number: int) -> PosePrediction:
        point = np.array([[float(number), 0.0]])
        instances = of_points(point[None], np.ones((1, 1)), np.ones(1))
        return PosePrediction(point, np.ones(1), np.zeros(1, np.int64), instances)

    def due(self, batch: Sequence[Any]) -> bool:
        """Whether it is time to misbehave."""
        if int(self.say.get("frame", -1)) not in batch:
            return False
        once = self.say.get("once")
        if once is not None:
            try:
                os.close(os.open(once, os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                return False
        return True


class KilledInPredict(ReadsNumber):
    """Its process is killed when it predicts the frame."""

    def predict(self, batch: Sequence[Any], options: PoseOptions) -> list[PosePrediction]:
        """Die, as by `kill -9`, or predict."""
        if self.due(batch):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().predict(batch, options)


class HangsInPredict(ReadsNumber):
    """Never gets done with the frame; with `gil=1` no other thread of its process gets to run either."""

    def predict(self, batch: Sequence[Any], options: PoseOptions) -> list[PosePrediction]:
        """Hang, or predict."""
        if self.due(batch):
            library = ctypes.PyDLL if self.say.get("gil") else ctypes.CDLL
            library(None).sleep(3600)
        return super().predict(batch, options)


class HangsInSetup(ReadsNumber):
    """Never gets done with loading."""

    def setup(self) -> None:
        """Hang."""
        time.sleep(3600)


class KilledInSetup(ReadsNumber):
    """Its process is killed while it loads."""

    def setup(self) -> None:
        """Die."""
        os.kill(os.getpid(), signal.SIGKILL)


class FailsInSetup(ReadsNumber):
    """Cannot be loaded."""

    def setup(self) -> None:
        """Say why."""
        raise ModelError("This model is no model: a test wrote it.")


class StumblesInSetup(ReadsNumber):
    """Cannot be loaded, for a reason that no user understands."""

    def setup(self) -> None:
        """Raise something internal."""
        raise RuntimeError("secret/internal/path exploded")


class FailsInFeed(ReadsNumber):
    """Refuses one frame."""

    def feed(self, raw: Frame) -> Any:
        """Refuse the frame, or read it."""
        number = super().feed(raw)
        if number == int(self.say["frame"]):
            raise FrameError("it has the wrong colour")
        return number


class FailsInPredict(ReadsNumber):
    """Cannot predict a batch with the frame in it."""

    def predict(self, batch: Sequence[Any], options: PoseOptions) -> list[PosePrediction]:
        """Fail as an engine does: with an error nobody foresaw."""
        if int(self.say["frame"]) in batch:
            raise RuntimeError("secret/internal/path exploded")
        return super().predict(batch, options)


class GivesNan(ReadsNumber):
    """Predicts points, scores and an animal that no JSON can say, beside the one point that it can."""

    def _one(self, number: int) -> PosePrediction:
        points = np.array([[float(number), 0.0], [np.nan, 0.0], [1.0, -np.inf], [2.0, 3.0]])
        values = np.array([1.0, 0.5, np.inf, np.nan])
        animals = of_points(points[:, None], values[:, None], np.array([1.0, np.nan, np.inf, -np.inf]))
        return PosePrediction(points, values, np.zeros(4, np.int64), animals)


class GivesNonsense(ReadsNumber):
    """Predicts an animal of a class that its model does not have."""

    def _one(self, number: int) -> PosePrediction:
        good = super()._one(number)
        point, one = np.zeros((1, 1, 2)), np.ones(1)
        return dataclasses.replace(good, instances=of_points(point, one[:, None], one, np.array([7])))


class Slow(ReadsNumber):
    """Takes `seconds` for a batch, and as long to load as `setup` says, or until there is the file `until`.

    The file `began` gets a line when it begins to load.
    """

    def setup(self) -> None:
        """Load slowly."""
        if "began" in self.say:
            with Path(self.say["began"]).open("a") as file:
                print(os.getpid(), file=file)
        time.sleep(float(self.say.get("setup", 0)))
        while "until" in self.say and not Path(self.say["until"]).exists():
            time.sleep(0.02)

    def predict(self, batch: Sequence[Any], options: PoseOptions) -> list[PosePrediction]:
        """Predict slowly."""
        time.sleep(float(self.say.get("seconds", 0)))
        return super().predict(batch, options)


PREDICTORS = {
    "number": ReadsNumber,
    "hangs_in_predict": HangsInPredict,
    "hangs_in_setup": HangsInSetup,
    "killed_in_predict": KilledInPredict,
    "killed_in_setup": KilledInSetup,
    "fails_in_setup": FailsInSetup,
    "stumbles_in_setup": StumblesInSetup,
    "fails_in_feed": FailsInFeed,
    "fails_in_predict": FailsInPredict,
    "gives_nan": GivesNan,
    "gives_nonsense": GivesNonsense,
    "slow": Slow,
}
KINDS = tuple(
    Kind(suffix, (f".{suffix}",), f"{__name__}:{predictor.__name__}")
    for suffix, predictor in PREDICTORS.items()
)
