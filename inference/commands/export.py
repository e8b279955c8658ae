"""Write a recorded run into a file, or a character model for browsers.

A run is a file in the folder runs, named after its run_id; the page's list says which there are.

  python -m inference export RUN_ID -o run.nwb
  python -m inference export models/shakespeare.h5 --format tfjs -o shakespeare/

The second writes a folder that TF.js loads: model.json, its weights, vocabulary.json.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from inference import exports, journal, looking
from inference.commands.progress import VERBOSITIES, reporter
from inference.engines.converted import Cache
from inference.errors import ModelError, NotFound, RequestError
from inference.identities import of_recording
from inference.journal import Recording
from inference.provenance import provenance
from inference.recordings import Recordings
from inference.settings import Settings

TFJS = "tfjs"
"""The format of a model, not of a run."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    parser.add_argument(
        "source", metavar="SOURCE", help="a run_id, or a .journal file; for tfjs a character model's file"
    )
    parser.add_argument(
        "-o", "--output", type=Path, required=True, help="the file to write; for tfjs the folder"
    )
    parser.add_argument(
        "--format",
        choices=[*exports.FORMATS, TFJS],
        help="what to write (default: as the file's ending says; tfjs has to be named)",
    )
    parser.add_argument("--runs", type=Path, default=Settings().runs, help="folder of the recorded runs")
    parser.add_argument("--verbosity", choices=VERBOSITIES, default="rich", help="how progress is shown")


def run(options: argparse.Namespace) -> int:
    """Write it; 2 if the format is not known, or what is to be written is not there."""
    if options.format == TFJS:
        write_model(Path(options.source).resolve(), options.output)
        return 0
    form: str | None = options.format or format_of(options.output)
    if form is None:
        raise RequestError(
            f"{options.output.name} says no format: it ends in none of {endings()} "
            f"(for a character model: --format {TFJS})"
        )
    path = Path(options.source)
    if not path.is_file():
        path = Recordings(options.runs, 0).path(options.source)
    write(journal.read(path), options.output, form, options.verbosity)
    return 0


def write_model(model: Path, folder: Path) -> None:
    """Write a character model as TF.js reads it; RequestError if it is none, or TF.js cannot compute it."""
    from inference.text import tfjs

    if not model.exists():
        raise RequestError(f"There is no model {model.name}.")
    try:
        looking.look(Cache(Settings().cache, Settings().cache_bytes), [model], allow_model_code=False)
        tfjs.export(model, folder)
    except ModelError as error:
        raise RequestError(str(error)) from error


def write(recording: Recording, out: Path, form: str, verbosity: str) -> None:
    """Follow the animals over the whole recording, and write it."""
    video = Path(recording.facts.video)
    if form == "mp4" and not video.is_file():
        raise NotFound(
            f"{video.name} is not where it was any more: without it there is no picture to draw on."
        )
    kept, tracks = of_recording(recording, video)
    with reporter(verbosity, f"Writing {out.name}") as report:
        exports.write(
            kept,
            tracks,
            out,
            form,
            video=video if video.is_file() else None,
            provenance=provenance(recording),
            progress=report,
        )


def format_of(path: Path) -> str | None:
    """The format that a file's ending says; None if it says none."""
    return next(
        (name for name, form in exports.FORMATS.items() if path.name.lower().endswith(form.suffix)), None
    )


def endings() -> str:
    """All endings, for a message."""
    return ", ".join(form.suffix for form in exports.FORMATS.values())
