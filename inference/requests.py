"""What a viewer may ask of the pipeline: one class for each kind of run, and all that the pipeline asks of
them.

What makes a video's run differ from a text's stands here, and nowhere else on this floor: the pipeline
moves items, and does not look into them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from inference.catalog import ModelFile, video_key
from inference.messages import (
    FrameResult,
    Opened,
    OpenText,
    OpenVideo,
    PoseOptions,
    Result,
    RunStarted,
    TextOptions,
    TextResult,
    TextStarted,
    TextState,
)
from inference.pieces import WINDOW, pieces_of, start_of
from inference.settings import Settings, Source


@dataclass
class Progress:
    """How far a run is: all that it takes to open it again.

    `next` is the next item for its viewer, who has `untaken` items that were not given back yet. A live
    source has given `sequence` frames so far, those that were dropped too. A text stands at `state`.
    """

    next: int
    untaken: int = 0
    sequence: int = 0
    state: TextState | None = None


class Request(Protocol):
    """A run as it was asked for."""

    @property
    def start(self) -> int:
        """The first item that is wanted."""

    @property
    def end(self) -> int | None:
        """The first item that is not wanted any more, where it is sure that there are all before it."""

    @property
    def live(self) -> bool:
        """Whether only the newest item counts: nothing is kept for the viewer, and there is no window."""

    @property
    def chained(self) -> bool:
        """Whether each item is made from the one before: one that fails ends the run."""

    def files(self, exact: bool) -> list[ModelFile]:
        """The models to be loaded for it; not `exact`: computed less exactly where that can be tried
        before.
        """

    def version(self) -> str:
        """What is another text once its source was replaced."""

    def opening(self, run: str, models: Sequence[str], at: Progress) -> OpenVideo | OpenText:
        """The order to open it with models of these keys, where it is by now."""

    def started(self, run: str, opened: Any, infos: Sequence[Any]) -> RunStarted | TextStarted:
        """What its viewer is told once it is open and its models are ready."""

    def window(self, settings: Settings, opened: Any) -> int:
        """Items that it may have between producer and viewer, or a few less."""

    def follow(self, result: Result, at: Progress) -> None:
        """Note how far it is with this result, which goes to the viewer next."""

    def where(self, index: int) -> str:
        """An item in a sentence, such as "frame 7"."""

    def lost(self, index: int, how: str) -> str:
        """The sentence that it ends with if the producer dies each time at this item, and how."""

    @property
    def name(self) -> str:
        """What it is made from, in a sentence."""


@dataclass(frozen=True)
class VideoRequest:
    """Frames `start` to, not including, `stop` of a video, for one model or two.

    A live source's frames are numbered from `start` in the order in which they are predicted. `image_width`
    as in `OpenVideo`.
    """

    video: Path | Source
    model: ModelFile
    start: int = 0
    stop: int | None = None
    image_width: int | None = None
    options: PoseOptions = field(default_factory=PoseOptions)
    compare: ModelFile | None = None

    @property
    def live(self) -> bool:
        """Whether the video is a live source."""
        return isinstance(self.video, Source)

    @property
    def end(self) -> int | None:
        """A live source has every frame; of a file only decoding tells."""
        return self.stop if self.live else None

    @property
    def chained(self) -> bool:
        """Frames are predicted one by one."""
        return False

    @property
    def name(self) -> str:
        """The video's."""
        return self.video.name

    def files(self, exact: bool) -> list[ModelFile]:
        """One model, or two that are compared."""
        files = [self.model] if self.compare is None else [self.model, self.compare]
        if exact or isinstance(self.video, Source):
            return files
        key = video_key(self.video)
        return [dataclasses.replace(file, video=self.video, video_key=key) for file in files]

    def version(self) -> str:
        """The video's."""
        return "" if isinstance(self.video, Source) else video_key(self.video)

    def opening(self, run: str, models: Sequence[str], at: Progress) -> OpenVideo:
        """Decode from the next frame on."""
        return OpenVideo(
            run,
            self.video.name if self.live else str(self.video),
            models[0],
            models[1] if self.compare else None,
            at.next,
            self.stop,
            self.image_width,
            self.options,
            self.live,
            at.untaken,
            at.sequence,
        )

    def started(self, run: str, opened: Opened, infos: Sequence[Any]) -> RunStarted:
        """What the video is, and what the models."""
        return RunStarted(
            run,
            self.name,
            self.model.names,
            opened,
            infos[0],
            self.options,
            compare_names=self.compare.names if self.compare else (),
            compare=infos[1] if self.compare else None,
            live=self.live,
        )

    def window(self, settings: Settings, opened: Opened | None) -> int:
        """As many frames as fit into the memory for them."""
        pixels = opened.width * opened.height if opened else 0
        return min(settings.window, max(2 * settings.batch_size, settings.window_bytes // max(1, 3 * pixels)))

    def follow(self, result: Result, at: Progress) -> None:
        """Of a live source: how many frames it has given."""
        if isinstance(result, FrameResult) and result.sequence is not None:
            at.sequence = result.sequence + 1

    def where(self, index: int) -> str:
        """A frame by its number."""
        return f"frame {index}"

    def lost(self, index: int, how: str) -> str:
        """It is the video, or its decoder."""
        return (
            f"{self.name} cannot be read on at {self.where(index)}: each time the process that decodes it "
            f"died ({how})."
        )


@dataclass(frozen=True)
class TextRequest:
    """A text of `length` characters behind `seed`, from piece `start` on."""

    model: ModelFile
    seed: str
    length: int
    options: TextOptions
    start: int = 0
    live: bool = field(default=False, init=False)
    chained: bool = field(default=True, init=False)

    @property
    def end(self) -> int:
        """As many pieces as its characters make."""
        return pieces_of(self.length)

    @property
    def name(self) -> str:
        """The model's."""
        return self.model.name

    def files(self, exact: bool) -> list[ModelFile]:
        """One model, exactly as it is."""
        return [self.model]

    def version(self) -> str:
        """A prompt cannot be replaced."""
        return ""

    def opening(self, run: str, models: Sequence[str], at: Progress) -> OpenText:
        """Write on where it is; from the seed, if no piece is there yet."""
        return OpenText(run, models[0], self.seed, self.length, at.next, self.options, at.untaken, at.state)

    def started(self, run: str, opened: Any, infos: Sequence[Any]) -> TextStarted:
        """What the text was asked for with."""
        return TextStarted(run, self.name, infos[0], self.seed, self.length, self.options)

    def window(self, settings: Settings, opened: Any) -> int:
        """A few pieces."""
        return WINDOW

    def follow(self, result: Result, at: Progress) -> None:
        """Its state behind the piece."""
        if isinstance(result, TextResult):
            at.state = result.piece.state

    def where(self, index: int) -> str:
        """A piece by its first character."""
        return f"character {start_of(index)}"

    def lost(self, index: int, how: str) -> str:
        """A prompt does no process any harm; whatever it was, it did not go away."""
        return (
            f"The text cannot be written on at {self.where(index)}: each time the process that prepares the "
            f"work died ({how})."
        )
