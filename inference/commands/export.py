"""Write a recorded run into a file.

A run is a file in the folder runs, named after its run_id; the page's list says which there are.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from inference import exports, journal
from inference.commands.progress import VERBOSITIES, reporter
from inference.errors import NotFound, RequestError
from inference.identities import of_recording
from inference.journal import Recording
from inference.provenance import provenance
from inference.recordings import Recordings
from inference.settings import Settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    parser.add_argument("recording", metavar="RUN", help="a run_id, or a .journal file")
    parser.add_argument("-o", "--output", type=Path, required=True, help="the file to write")
    parser.add_argument(
        "--format", choices=list(exports.FORMATS), help="what to write (default: as the file's ending says)"
    )
    parser.add_argument("--runs", type=Path, default=Settings().runs, help="folder of the recorded runs")
    parser.add_argument("--verbosity", choices=VERBOSITIES, default="rich", help="how progress is shown")


def run(options: argparse.Namespace) -> int:
    """Write the file; 2 if the format is not known."""
    form: str | None = options.format or format_of(options.output)
    if form is None:
        raise RequestError(f"{options.output.name} says no format: it ends in none of {endings()}")
    path = Path(options.recording)
    if not path.is_file():
        path = Recordings(options.runs, 0).path(options.recording)
    write(journal.read(path), options.output, form, options.verbosity)
    return 0


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
