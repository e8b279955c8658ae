"""What is said between the processes: small frozen dataclasses, grouped by direction.

Only words live here: no encoding (`wire.py`), no sockets (`channels.py`), no behaviour.
"Frame" always means a video frame; "run" is one request for a stream, and its *items* are what it consists
of: a frame's prediction, a few characters of a text. Points are (x, y) in the video's own pixels, with
(0, 0) at the centre of the top left pixel.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Frame = npt.NDArray[np.uint8]
"""A video frame: (height, width, channels) uint8; 1 channel is gray, 3 are red, green, blue."""

Item = tuple[str, int]
"""One item: its run, and its index in it (a frame's number, or that of a piece of text)."""


@dataclass(frozen=True)
class Endpoint:
    """Where a channel is bound, and the key without which nobody can connect to it."""

    address: str
    key: str = field(repr=False)


# What a pose model is and does -----------------------------------------------------------------------


@dataclass(frozen=True)
class ModelInfo:
    """What a viewer has to know of a model before its first prediction.

    `nodes` are the keypoints' names; `edges` and `symmetries` pairs of positions in them; `classes` the names
    of the individuals that the model tells apart. `many` says whether it finds several animals in a frame,
    `layers` which of its maps can be shown ("confmaps", "pafs"). `engine` is what runs it, in words.
    """

    nodes: tuple[str, ...]
    edges: tuple[tuple[int, int], ...] = ()
    symmetries: tuple[tuple[int, int], ...] = ()
    classes: tuple[str, ...] = ()
    many: bool = False
    layers: tuple[str, ...] = ()
    engine: str = ""


@dataclass(frozen=True)
class PoseOptions:
    """What one run asks of a pose model. Scores are in the confidence map's own unit.

    Instances are made of the peaks above `threshold`; peaks down to `floor` are given too. `max_instances`
    keeps the best so many. `refinement` is "integral", "local" or "none"; None takes the offsets that a
    model predicts, where it does, else integral. `layer` names the maps to be drawn ("confmaps", "pafs").
    """

    threshold: float = 0.2
    floor: float = 0.2
    max_instances: int | None = None
    refinement: str | None = None
    layer: str | None = None


@dataclass(frozen=True)
class TrackingOptions:
    """How instances are followed from frame to frame.

    `candidates`: "simple" compares with the instances of the last `window` frames as they were, "flow" with
    where optical flow says that they moved. `similarity`: "instance", "oks", "centroid" or "iou". `matching`:
    "hungarian" or "greedy". At most `max_tracks` identities (None: any number). `keep` leaves the best so
    many instances of a frame (None: all of them): nothing else ever removes one.
    """

    candidates: str = "simple"
    similarity: str = "oks"
    matching: str = "hungarian"
    max_tracks: int | None = None
    window: int = 5
    keep: int | None = None


@dataclass(frozen=True)
class Instances:
    """The animals of one frame, n of them, each with all nodes of its model.

    `points` (n, nodes, 2) float64 (x, y), NaN where a node was not found; `values` (n, nodes) float64 the
    points' scores (NaN likewise); `scores` (n,) float64 the animals'; `classes` (n,) int64 their positions in
    `ModelInfo.classes`, -1 for none; `class_scores` (n,) float64 how sure these are, NaN for none.
    """

    points: npt.NDArray[np.float64]
    values: npt.NDArray[np.float64]
    scores: npt.NDArray[np.float64]
    classes: npt.NDArray[np.int64]
    class_scores: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.scores)


@dataclass(frozen=True)
class Layer:
    """A picture of a model's maps: `png` with transparency, and where its edges lie in the frame, in px."""

    png: bytes
    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True)
class PosePrediction:
    """The peaks of one frame, grouped or not, its instances, and a picture of the maps where asked for.

    `points` (n, 2) float64, `values` (n,) float64, `nodes` (n,) int64.
    """

    points: npt.NDArray[np.float64]
    values: npt.NDArray[np.float64]
    nodes: npt.NDArray[np.int64]
    instances: Instances
    layer: Layer | None = None


# What a character model is and does ---------------------------------------------------------------


@dataclass(frozen=True)
class TextInfo:
    """What a viewer has to know of a character model before its first text.

    `vocabulary` has each id's character, in order: id 0 is "", which stands for every character that the
    model does not know. `notes` are sentences that whoever reads its text has to know. `engine` is what
    runs it, in words.
    """

    vocabulary: tuple[str, ...]
    notes: tuple[str, ...] = ()
    engine: str = ""


@dataclass(frozen=True)
class TextOptions:
    """How characters are drawn from a model's probabilities.

    They are raised to the power 1 / `temperature`, cut to the `top_n` largest, and drawn by the generator
    that `random_state` starts, one draw a character. `exact`: the same text whoever else writes at the
    time, which means that it shares no matrix product with others.
    """

    top_n: int = 10
    temperature: float = 1.0
    random_state: int = 0
    exact: bool = True


@dataclass(frozen=True)
class TextState:
    """Where a text stands: what its next character follows from.

    `memory` (n,) float32: the states of all the model's layers, one after the other. `last` is the id that
    was drawn last and is to be fed next; `index` how many characters were drawn.
    """

    memory: npt.NDArray[np.float32]
    last: int
    index: int


@dataclass(frozen=True)
class TextPiece:
    """A few characters, n of them, and how sure the model was of each, before any temperature or cut.

    `ids` (n,) int64; `probs` (n,) float64 their probabilities; `entropies` (n,) float64, in bits, of all
    characters' probabilities there. `likeliest` (n, k) int64 are the ids that were the k likeliest, k 5 or,
    with a smaller vocabulary, less; `likelihoods` (n, k) float64 their probabilities. `state` is where the
    text goes on.
    """

    ids: npt.NDArray[np.int64]
    probs: npt.NDArray[np.float64]
    entropies: npt.NDArray[np.float64]
    likeliest: npt.NDArray[np.int64]
    likelihoods: npt.NDArray[np.float64]
    state: TextState


# Pipeline to producer -----------------------------------------------------------------------------


@dataclass(frozen=True)
class OpenVideo:
    """Open a video and decode the first frames of a run; send none to a worker yet.

    Frames `start` up to, not including, `stop` (None: the end). `compare` is a second model for the same
    frames. `image_width` is the width of the JPEG that goes with each prediction, in px (None: the video's
    own; 0: nobody looks, so there is none). `live`: it is a live source, and `path` its name.

    A run that a dead producer had open is opened again at its next frame: then `taken` slots of its window
    are in use already, and a live source had given `sequence` frames before.
    """

    run: str
    path: str
    model: str
    compare: str | None
    start: int
    stop: int | None
    image_width: int | None
    options: PoseOptions
    live: bool = False
    taken: int = 0
    sequence: int = 0


@dataclass(frozen=True)
class OpenText:
    """Be ready to have a text of `length` characters written behind `seed`; have none written yet.

    Pieces `start` and later are wanted. One that a dead producer had open goes on at `start` from `state`,
    and then `taken` slots of its window are in use already.
    """

    run: str
    model: str
    seed: str
    length: int
    start: int
    options: TextOptions
    taken: int = 0
    state: TextState | None = None


@dataclass(frozen=True)
class BeginRun:
    """The run's model is ready: its batches may go to the workers."""

    run: str


@dataclass(frozen=True)
class CloseRun:
    """Nobody watches any more: stop decoding and forget the run's frames."""

    run: str


@dataclass(frozen=True)
class Credit:
    """The viewer took so many more items: so many slots of the run's window are free again."""

    run: str
    items: int


@dataclass(frozen=True)
class Capacity:
    """How many batches may be at the workers at once, over all runs."""

    batches: int


@dataclass(frozen=True)
class Finished:
    """Every item of the batch has its result: its inputs need not be kept any longer.

    `states` are where the texts among them, named by their runs, now stand: their next inputs.
    """

    batch: int
    states: tuple[tuple[str, TextState], ...] = ()


@dataclass(frozen=True)
class Resend:
    """A worker died with this batch: run these of its items again (`alone`: each in its own batch)."""

    batch: int
    items: tuple[Item, ...]
    alone: bool


# To any child, and its answer ---------------------------------------------------------------------


@dataclass(frozen=True)
class Ping:
    """Say that you are alive."""


@dataclass(frozen=True)
class Pong:
    """The process runs, whatever its other threads do."""


@dataclass(frozen=True)
class Dropped:
    """So many messages came that were none of ours, and so many peers without the key were refused."""

    messages: int = 0
    peers: int = 0


# Producer to pipeline -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Bound:
    """The producer deals its batches there."""

    work: Endpoint


@dataclass(frozen=True)
class Opened:
    """A run's video is open. Sizes in px; `fps` and `n_frames` are the container's claims."""

    run: str
    width: int
    height: int
    fps: float | None
    n_frames: int | None


@dataclass(frozen=True)
class TextOpened:
    """A run's text can be written."""

    run: str


@dataclass(frozen=True)
class SourceStatus:
    """A run's live source was lost, or is back: one word and a sentence for the viewer."""

    run: str
    state: str
    message: str


@dataclass(frozen=True)
class Sent:
    """A batch of these items went to a worker; nobody knows yet to which."""

    batch: int
    items: tuple[Item, ...]


@dataclass(frozen=True)
class EndOfStream:
    """The run's last item is `end` - 1, a video's counted while reading; `error` says what cut it short."""

    run: str
    end: int
    error: str | None = None


# Producer to worker -------------------------------------------------------------------------------


@dataclass(frozen=True)
class FrameInput:
    """A frame to be predicted: its number, its pixels, and how wide its picture is to be (see `OpenVideo`).

    `decode_ms` is what decoding it took, `since` when that was done (monotonic clock, s). Of a live source,
    `since` is when the frame was captured, and `sequence` counts all frames that the source gave, those that
    were dropped too, from the run's first, 0; None: the source is a file.
    """

    run: str
    index: int
    image: Frame
    image_width: int | None
    decode_ms: float
    since: float
    sequence: int | None = None


@dataclass(frozen=True)
class Prompt:
    """A piece of text to be written: behind the `seed`, or from the `state` that the piece before has left.

    `index` is the piece's number in its run, `count` how many characters it is to have, `since` when it could
    be written (monotonic clock, s).
    """

    run: str
    index: int
    seed: str
    state: TextState | None
    count: int
    options: TextOptions
    since: float = 0.0


Input = FrameInput | Prompt
"""What one item is made from."""


@dataclass(frozen=True)
class Batch:
    """Inputs of one kind for one model, or two that are compared; each input has its answer.

    `options` are those of all the inputs; None: each has its own.
    """

    batch: int
    model: str
    compare: str | None
    options: PoseOptions | None
    inputs: tuple[FrameInput | Prompt, ...]


# Worker to collector ------------------------------------------------------------------------------


@dataclass(frozen=True)
class FrameResult:
    """One frame's prediction, the second model's where there is one, and its picture (empty: none wanted).

    `timing` is what its stages took, in ms; `since` and `sequence` as in `FrameInput`.
    """

    run: str
    index: int
    prediction: PosePrediction
    compare: PosePrediction | None
    image: bytes
    timing: dict[str, float]
    since: float
    sequence: int | None = None


@dataclass(frozen=True)
class TextResult:
    """One piece of text. `timing` is what its stages took, in ms; `since` as in `Prompt`."""

    run: str
    index: int
    piece: TextPiece
    timing: dict[str, float]
    since: float


Result = FrameResult | TextResult


@dataclass(frozen=True)
class Failed:
    """One item that could not be predicted, and why, in words for the viewer."""

    run: str
    index: int
    message: str


@dataclass(frozen=True)
class Answer:
    """All that a worker says to a batch: something for each of its inputs, in its order.

    One message for all of them: each message wakes a thread in another process, on a core that works.
    """

    batch: int
    items: tuple[FrameResult | TextResult | Failed, ...]


# Pool to worker -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Load:
    """Load a model and warm it up. `model` is what it is called from now on, `kind` names the predictor.

    `paths` are one model's, or two models' that work as one. `file_key` says which version of the files is
    meant (see `catalog.signature`). Where it is computed less exactly, `video` is what that is tried on.
    """

    model: str
    kind: str
    paths: tuple[str, ...]
    file_key: str
    video: str | None = None


@dataclass(frozen=True)
class Unload:
    """Forget a model."""

    model: str


@dataclass(frozen=True)
class Connect:
    """Every model asked for so far is warm: take work from there, and send results there."""

    work: Endpoint
    results: Endpoint


@dataclass(frozen=True)
class Quit:
    """End the process."""


# Worker to pool -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Connected:
    """The worker takes work."""


@dataclass(frozen=True)
class Loading:
    """The worker begins to load a model: said first, so that a death in the middle has a cause.

    Said again with a `step`, a few words, when it does something for it that takes long.
    """

    model: str
    step: str = ""


@dataclass(frozen=True)
class Loaded:
    """A model is warm."""

    model: str
    info: ModelInfo | TextInfo


@dataclass(frozen=True)
class LoadFailed:
    """A model cannot be loaded, and why, in words for the viewer."""

    model: str
    message: str


@dataclass(frozen=True)
class Claimed:
    """The worker has taken this batch of so many items: if it dies now, they were in its hands."""

    batch: int
    items: int


# Pipeline to viewer -------------------------------------------------------------------------------


@dataclass(frozen=True)
class RunStarted:
    """The first thing a viewer hears of a video's run that works.

    `model_names` are one, or two that work as one; `compare_names` and `compare` the second model's, if there
    is one. `tracking` None: nobody is followed. `recorded` says whether the run is written down, `live`
    whether the video is a live source.
    """

    run: str
    video_name: str
    model_names: tuple[str, ...]
    video: Opened
    model: ModelInfo
    options: PoseOptions
    tracking: TrackingOptions | None = None
    compare_names: tuple[str, ...] = ()
    compare: ModelInfo | None = None
    recorded: bool = False
    live: bool = False


@dataclass(frozen=True)
class TextStarted:
    """The first thing a viewer hears of a text that is written: what it was asked for."""

    run: str
    model_name: str
    model: TextInfo
    seed: str
    length: int
    options: TextOptions


@dataclass(frozen=True)
class LiveFrame:
    """When a live source's frame was captured, and what was not seen before it.

    `captured` in s since 1970; `delay_ms` from then to the moment that the viewer was given the frame;
    `dropped` frames of the source were not shown since the run's first.
    """

    captured: float
    delay_ms: float
    dropped: int


@dataclass(frozen=True)
class Tracked:
    """One frame as a viewer sees it: with each instance's identity (None: it has none), and its models.

    `live` None: the source is a file.
    """

    result: FrameResult
    model: ModelInfo
    tracks: tuple[int | None, ...]
    compare: ModelInfo | None = None
    compare_tracks: tuple[int | None, ...] = ()
    live: LiveFrame | None = None


@dataclass(frozen=True)
class RunStatus:
    """What the viewer is waiting for: `state` is one word, `message` a sentence."""

    state: str
    message: str


@dataclass(frozen=True)
class RunFailed:
    """The run is over before its end, and why."""

    message: str


@dataclass(frozen=True)
class RunDone:
    """Every item of the run was sent: so many of them, failed ones not counted."""

    items: int


# In a run's journal ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class RunFacts:
    """The first record of a journal: what the run is of. What a later stream of the same run has to equal.

    `created` is in s since 1970. `video` and `models` are paths, the `keys` tell their versions apart
    (see `catalog.signature`). `tracking` None: no identities are wanted.
    """

    run: str
    created: float
    video: str
    video_key: str
    width: int
    height: int
    fps: float | None
    n_frames: int | None
    models: tuple[str, ...]
    model_key: str
    info: ModelInfo
    options: PoseOptions
    tracking: TrackingOptions | None
    versions: dict[str, str]


@dataclass(frozen=True)
class FrameRecord:
    """One frame's instances, and the identities that its viewer saw (-1: none)."""

    frame: int
    instances: Instances
    tracks: tuple[int, ...]


@dataclass(frozen=True)
class FailureRecord:
    """One frame that could not be predicted, and why."""

    frame: int
    message: str


@dataclass(frozen=True)
class EndRecord:
    """A stream of the run came to an end: its last frame was `end` - 1; `error` says what cut it short."""

    end: int
    error: str | None = None


RunEvent = RunStarted | TextStarted | RunStatus | Result | Failed | RunFailed | RunDone
"""What a run says."""
ViewerEvent = RunStarted | RunStatus | Tracked | Failed | RunFailed | RunDone
"""What the viewer of a video hears."""
