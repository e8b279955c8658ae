"""Predict the frames of videos with the pipeline that the page uses, and write the results.

  python -m inference predict clip.mp4 -m models/bottomup -o clip.slp
  python -m inference predict videos/ -m models/centroid -m models/centered -o results/ --format h5

What is predicted is written down at once, beside the result (OUT.journal). A run that was cut off goes on
from there when the same command is given again.
"""

from __future__ import annotations

import argparse
import signal
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from inference import exports, frames
from inference.catalog import VIDEO_SUFFIXES, ModelFile, model_file
from inference.commandline import add_engine, engine_error
from inference.commands.export import endings, format_of, write
from inference.commands.progress import VERBOSITIES, Report, reporter
from inference.errors import InferenceError, JournalError, JournalInUse, NotFound, RequestError, VideoError
from inference.frames import Range
from inference.journal import Journal, Recording, read, remove
from inference.logs import configure_log
from inference.messages import (
    Failed,
    PoseOptions,
    RunDone,
    RunFacts,
    RunFailed,
    RunStarted,
    RunStatus,
    Tracked,
    TrackingOptions,
)
from inference.pipeline import Pipeline
from inference.query import MATCHINGS, REFINEMENTS
from inference.requests import VideoRequest
from inference.settings import Settings, default_servers
from inference.watching import Watch

_TRACKERS = {
    "simple": "simple", "flow": "flow", "simplemaxtracks": "simple", "flowmaxtracks": "flow", "none": None,
}  # fmt: skip
_SIMILARITIES = {
    "instance": "instance", "object_keypoint": "oks", "oks": "oks", "centroid": "centroid", "iou": "iou",
}  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its arguments; sleap-track's names where it has them."""
    parser.add_argument(
        "videos", nargs="+", type=Path, metavar="VIDEO", help="video files, or folders of videos"
    )
    parser.add_argument(
        "-m", "--model", action="append", required=True, type=Path, dest="models", metavar="MODEL",
        help="model file or folder; twice for a centroid and a centred-instance model, in any order",
    )  # fmt: skip
    parser.add_argument(
        "-o", "--output", type=Path,
        help="file to write, or a folder for several videos (default: VIDEO.predictions.slp)",
    )  # fmt: skip
    parser.add_argument(
        "--format", choices=list(exports.FORMATS), help="default: as the file's ending says, else slp"
    )
    parser.add_argument("--frames", type=_frames, metavar="LIST", help="such as 1,2,5-9: 0-based, 9 included")
    parser.add_argument("--batch_size", type=_positive, default=Settings().batch_size, metavar="N")
    parser.add_argument("--peak_threshold", type=float, default=PoseOptions().threshold, metavar="SCORE")
    parser.add_argument(
        "-n", "--max_instances", type=_positive, metavar="N", help="keep the best N of each frame"
    )
    parser.add_argument(
        "--refinement", choices=REFINEMENTS, help="default: the model's offsets, else integral"
    )
    parser.add_argument("--no-empty-frames", action="store_true", help="leave out frames without instances")
    parser.add_argument("--overwrite", action="store_true", help="begin anew where a run was cut off")
    parser.add_argument(
        "--n_servers", type=_positive, default=default_servers(), metavar="N", help="worker processes"
    )
    parser.add_argument("--allow-model-code", action="store_true", help="run code that model files carry")
    add_engine(parser)
    parser.add_argument("--verbosity", choices=VERBOSITIES, default="rich", help="how progress is shown")
    tracking, defaults = parser.add_argument_group("tracking"), TrackingOptions()
    tracking.add_argument(
        "--tracking.tracker",
        dest="tracker",
        choices=list(_TRACKERS),
        help="default: simple, if a model finds several",
    )
    tracking.add_argument(
        "--tracking.similarity", dest="similarity", choices=list(_SIMILARITIES), default=defaults.similarity
    )
    tracking.add_argument("--tracking.match", dest="matching", choices=MATCHINGS, default=defaults.matching)
    tracking.add_argument("--tracking.max_tracks", dest="max_tracks", type=_positive, metavar="N")
    tracking.add_argument(
        "--tracking.track_window", dest="window", type=_positive, default=defaults.window, metavar="FRAMES"
    )
    tracking.add_argument(
        "--tracking.clean_instance_count", dest="keep", type=_positive, metavar="N",
        help="keep the best N instances of a frame, tracked ones first",
    )  # fmt: skip


def _positive(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1")
    return int(text)


def _frames(text: str) -> list[Range]:
    try:
        return frames.parse(text)
    except RequestError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def run(options: argparse.Namespace) -> int:
    """Predict every video; 1 if one of them failed."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    configure_log("warning")
    if len(options.models) > 2:
        options.parser.error("-m may be given once, or twice for a centroid and a centred-instance model")
    if problem := engine_error(options):
        options.parser.error(problem)
    videos = _videos(options.videos)
    jobs = [(video, _output(options, video, len(videos) > 1)) for video in videos]
    if len({out for _, (out, _) in jobs}) < len(jobs):
        raise RequestError("Several of the videos have the same name: give each folder an -o of its own.")
    settings = Settings(
        n_servers=options.n_servers,
        batch_size=options.batch_size,
        allow_model_code=options.allow_model_code,
        engine=options.engine,
        precision=options.precision,
        cache=options.cache,
        time_limit=options.time_limit,
    )
    model = _model(options.models)
    failed = 0
    with Pipeline(settings) as pipeline:
        pipeline.start([model])
        for video, out in jobs:
            try:
                _predict(pipeline, model, video, out, options)
            except InferenceError as error:
                print(f"error: {video.name}: {error}", file=sys.stderr)
                failed += 1
    return 1 if failed else 0


def _videos(given: list[Path]) -> list[Path]:
    found: list[Path] = []
    for path in given:
        if path.is_dir():
            held = sorted(file for file in path.iterdir() if file.suffix.lower() in VIDEO_SUFFIXES)
            if not held:
                raise NotFound(f"The folder {path} holds no video.")
            found += held
        elif path.is_file():
            found.append(path)
        else:
            raise NotFound(f"There is no video {path}.")
    # a link keeps its own name: results are named after it
    return list(dict.fromkeys(path.absolute() for path in found))


def _model(paths: list[Path]) -> ModelFile:
    for path in paths:
        if not path.exists():
            raise NotFound(f"There is no model {path}.")
    # resolved, as the folder that a model has to stand in is its own
    return model_file(sorted((path.resolve() for path in paths), key=lambda path: path.name), "pose")


def _output(options: argparse.Namespace, video: Path, several: bool) -> tuple[Path, str]:
    """The file to write for a video, and its format."""
    out: Path | None = options.output
    form: str | None = options.format or (format_of(out) if out and not several else None)
    is_folder = out is not None and (several or out.is_dir() or (form is None and not out.suffix))
    name = f"{video.name}.predictions{exports.FORMATS[form or 'slp'].suffix}"
    if out is None:
        return video.with_name(name), form or "slp"
    if is_folder:
        out.mkdir(parents=True, exist_ok=True)
        return out / name, form or "slp"
    if form is None:
        raise RequestError(f"{out.name} says no format: it ends in none of {endings()}")
    if not out.parent.is_dir():
        options.parser.error(f"there is no folder {out.parent} to write {out.name} into")
    return out, form


class _Beside:
    """The journal beside a result, where `Recordings` has a folder of them."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def check(self, facts: RunFacts) -> None:
        """It is looked at when it is opened."""

    def open(self, facts: RunFacts) -> Journal:
        """Begun, or continued if it is of the same."""
        with self._advised():
            return Journal(self.path, facts)

    def read(self) -> Recording | None:
        """What it holds, if it is there."""
        with self._advised():
            return read(self.path) if self.path.is_file() and self.path.stat().st_size else None

    @contextmanager
    def _advised(self) -> Iterator[None]:
        try:
            yield
        except JournalInUse:
            raise
        except JournalError as error:
            raise JournalError(
                f"{self.path.name} cannot be continued. {error} Give --overwrite, or another -o."
            ) from error

    def close(self, held: Journal) -> None:
        """Close the file."""
        held.close()

    def has_room(self, held: Journal) -> bool:
        """As long as the disk has."""
        return True


def _predict(
    pipeline: Pipeline, model: ModelFile, video: Path, job: tuple[Path, str], options: argparse.Namespace
) -> None:
    out, form = job
    beside = _Beside(out.with_name(f"{out.name}.journal"))
    if options.overwrite:
        remove(beside.path)
    wanted: list[Range] = options.frames or [(0, None)]
    with reporter(options.verbosity, video.name) as report:
        recording = beside.read()
        todo = frames.missing(wanted, _done(recording), recording.end if recording else None)
        for part in todo or [(0, 0)]:
            _run_part(pipeline, _request(model, video, part, options), beside, wanted, report, options)
    recording = read(beside.path)
    if options.no_empty_frames:
        recording.frames = {frame: found for frame, found in recording.frames.items() if len(found)}
    write(recording, out, form, options.verbosity)
    with suppress(JournalInUse):  # another program goes on with it
        remove(beside.path)
    if options.verbosity == "rich":
        print(_summary(recording, out), file=sys.stderr)


def _done(recording: Recording | None) -> set[int]:
    return {*recording.frames, *recording.failures} if recording else set()


def _request(model: ModelFile, video: Path, part: Range, options: argparse.Namespace) -> VideoRequest:
    pose = PoseOptions(
        options.peak_threshold, options.peak_threshold, options.max_instances, options.refinement
    )
    # no pictures: identities are computed over the whole recording, and flow reads the video again for them
    return VideoRequest(video, model, *part, image_width=0, options=pose)


def _tracking(options: argparse.Namespace) -> tuple[TrackingOptions, bool | None]:
    tracking = TrackingOptions(
        _TRACKERS[options.tracker or "simple"] or "simple",
        _SIMILARITIES[options.similarity],
        options.matching,
        options.max_tracks,
        options.window,
        options.keep,
    )
    return tracking, None if options.tracker is None else _TRACKERS[options.tracker] is not None


def _run_part(
    pipeline: Pipeline,
    request: VideoRequest,
    beside: _Beside,
    wanted: list[Range],
    report: Report,
    options: argparse.Namespace,
) -> None:
    tracking, track = _tracking(options)
    watch = Watch(
        pipeline,
        request,
        recordings=beside,
        run_id=f"predict-{uuid.uuid4().hex}",
        tracking=tracking,
        track=track,
    )
    total = None
    with watch:
        while True:
            event = watch.next(timeout=1.0)
            match event:
                case RunStarted():
                    total = frames.count(wanted, event.video.n_frames)
                case Tracked() | Failed():
                    watch.delivered(event)
                    report(watch.recorded, total)
                case RunStatus(_, message) if options.verbosity == "rich":
                    print(message, file=sys.stderr)
                case RunFailed(message):
                    raise VideoError(message)
                case RunDone():
                    report(watch.recorded, total)
                    return


def _summary(recording: Recording, out: Path) -> str:
    animals = sum(map(len, recording.frames.values()))
    failed = f", {len(recording.failures)} frames failed" if recording.failures else ""
    return f"{out}: {animals} instances in {len(recording.frames)} frames{failed}"
