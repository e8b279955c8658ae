"""The targets: one function for each parser that reads what others sent, from bytes to nothing.

Each lets only the declared errors pass, whose text is short and names no path of the machine, and asserts
what holds of all that is let in. Whatever else it raises is a finding.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import itertools
import json
import tempfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import numpy as np
from flask import Flask
from waitress.adjustments import Adjustments
from werkzeug.exceptions import BadRequest

from inference import (
    avi,
    commandline,
    containers,
    frames,
    hosts,
    journal,
    model_code,
    model_files,
    mp4,
    query,
    records,
    sleap_config,
)
from inference import wire as messages
from inference.admission import Admission
from inference.catalog import VIDEO_SUFFIXES, Catalog
from inference.errors import (
    InferenceError,
    JournalError,
    ModelError,
    NotFound,
    RequestError,
    WireError,
    WrongHost,
)
from inference.settings import KINDS
from inference.text import chain, files, vocabulary, weights
from inference.web import intake, login, runs, uploads

LONGEST = 2000
"""Characters of an error's text, whatever the input."""


@contextlib.contextmanager
def refused(*kinds: type[Exception]) -> Iterator[None]:
    """Lets these errors pass, if a user may read them."""
    try:
        yield
    except kinds as error:
        said = str(error)
        if not said or len(said) > LONGEST or str(_FOLDER) in said:
            raise AssertionError(f"nothing for a user to read: {said[:LONGEST]!r}") from error


_FOLDER = Path(tempfile.gettempdir()) / "fuzz-inference"


def _file(name: str, data: bytes) -> Path:
    """The input as a file; the same one again and again, for most of a run's time would be spent on names."""
    _FOLDER.mkdir(exist_ok=True)
    path = _FOLDER / name
    path.write_bytes(data)
    return path


def wire(data: bytes) -> None:
    """Parts, each behind a line break of its own kind, as a socket hands them over."""
    with refused(WireError):
        again = messages.decode(messages.encode(messages.decode(data.split(b"\n--\n"))))
        assert again is not None


def journals(data: bytes) -> None:
    """A journal. Behind a ? the records' checksums are made right: few would be read otherwise."""
    path = _file("run-12345678.journal", _summed(data))
    with refused(JournalError):
        held = journal.read(path)
        assert held.tracks.keys() == held.frames.keys() and not held.failures.keys() & held.frames.keys()
    journal.facts_of(path)


def _summed(data: bytes) -> bytes:
    bodies = [data[at : at + 400] for at in range(0, len(data), 400)] if data[:1] == b"?" else []
    heads = (records.HEAD.pack(len(body), zlib.crc32(body)) for body in bodies)
    return b"".join(head + body for head, body in zip(heads, bodies, strict=True)) or data


def stream_query(data: bytes) -> None:
    """A query string, and behind a line break the header Last-Event-ID."""
    text, _, header = data.decode("latin-1").partition("\n")
    given = parse_qs(text, keep_blank_values=True)
    with refused(RequestError):
        asked = query.parse_query(given, header or None)
        assert asked.start >= 0 and asked.options.floor <= asked.options.threshold
        assert asked.tracking.window <= 1000 and len(asked.model_names) <= 2


def frame_list(data: bytes) -> None:
    """A list of frames: what comes out is sorted and has no overlaps."""
    with refused(RequestError):
        found = frames.parse(data.decode("latin-1"))
        assert all(stop is not None and first < stop for first, stop in found)
        assert all(before[1] < after[0] for before, after in itertools.pairwise(found))  # type: ignore[operator]


def upload_name(data: bytes) -> None:
    """A name of an upload: what comes out is one file's, without folders, and a video's."""
    with refused(RequestError):
        name = uploads.checked_name(data.decode("utf-8", "surrogateescape"))
        assert name == Path(name).name and not set(name) & set("/\\\0") and not name.startswith(".")
        assert Path(name).suffix.lower() in VIDEO_SUFFIXES and len(name.encode()) <= 255


def training_config(data: bytes) -> None:
    """A SLEAP configuration, its file and its content."""
    with refused(ModelError):
        found = sleap_config.parse(model_files.read_json(_file("training_config.json", data)), "config.json")
        nodes = len(found.nodes)
        assert all(0 <= end < nodes for pair in (*found.edges, *found.symmetries) for end in pair)
        assert all(isinstance(node, str) for node in (*found.nodes, *found.classes))


def skeleton(data: bytes) -> None:
    """A plain model's skeleton file."""
    with refused(ModelError):
        nodes, edges = model_files.read_skeleton(_file("skeleton.json", data))
        assert all(0 <= end < len(nodes) for edge in edges for end in edge)


def code_in_config(data: bytes) -> None:
    """A Keras configuration, which may carry code."""
    with contextlib.suppress(ValueError, RecursionError):
        config = json.loads(data)
        if isinstance(config, dict):
            with refused(ModelError):
                model_code.refuse_in_config("model.h5", config)


def code_in_graph(data: bytes) -> None:
    """A SavedModel's graph."""
    with refused(ModelError):
        model_code.refuse_in_saved_model("model", data)


def film_tables(data: bytes) -> None:
    """The tables of a video file that say when its frames are shown, and whether it is whole."""
    for times_in in (lambda file: mp4.shown_times(file, 100), avi.stored_times):
        times = times_in(io.BytesIO(data))
        assert times is None or (times.ndim == 1 and np.isfinite(times).all())
    for asked in (containers.is_cut, containers.promises_length, containers.lacks_contents):
        assert asked(io.BytesIO(data)) in (True, False)


def request_words(data: bytes) -> None:
    """Who asks, and from where: the headers Host and Origin."""
    said = data.decode("latin-1")
    with refused(WrongHost, RequestError):
        hosts.check_host(said, frozenset(["lab.example"]))
    with refused(ValueError):
        assert hosts.origin_in(said).startswith(("http://", "https://"))
    assert hosts.is_own(said, said) in (True, False)


def hdf5(data: bytes) -> None:
    """A model in HDF5."""
    _inspect("model.h5", data)


def archive(data: bytes) -> None:
    """A model in a zip archive."""
    _inspect("model.keras", data)


def _inspect(name: str, data: bytes) -> None:
    path = _file(name, data)
    try:
        with refused(ModelError):
            assert isinstance(model_files.inspect(path).config, dict)
    finally:
        path.unlink()


def progress(data: bytes) -> None:
    """What the program that writes an export says of how far it is."""
    said: list[float] = []
    for line in io.StringIO(data.decode("utf-8", "replace")):
        share = runs.share_of(line)
        said += [] if share is None else [share]
    assert all(0 <= share <= 1 for share in said)


def _argument(data: bytes) -> str:
    """As the shell hands it over; of a sane length, as errors repeat it."""
    return data[:200].decode("utf-8", "surrogateescape")


def stream_flag(data: bytes) -> None:
    """What stands behind --stream: an address that may be opened; no error repeats it."""
    with refused(argparse.ArgumentTypeError):
        _, url = commandline._stream(_argument(data))
        assert url.partition(":")[0].lower() in ("rtsp", "rtsps", "http", "https")


def camera_flag(data: bytes) -> None:
    """What stands behind --camera: a number, or a device."""
    with refused(argparse.ArgumentTypeError):
        device = commandline._camera(_argument(data))
        assert device.isdigit() or (device.startswith("/dev/") and ".." not in device)


class _Adjustments(Adjustments):  # type: ignore[misc] # waitress has no types
    max_request_header_size = 16 * 1024


_ADMISSION = Admission(
    frozenset(["lab.example"]), frozenset(["https://a.example"]), "a-token-of-12", "session"
)
_LOGIN = Flask("login")


def request_head(data: bytes) -> None:
    """A request as it comes over the socket, in pieces: how it is read, and whether it is let in."""
    parser, left = intake._Parser(_Adjustments(), lambda asked: 1000), data[:50_000]
    while left and not parser.completed:
        taken = parser.received(left[:97])
        assert 0 < taken <= 97
        left = left[taken:]
    if parser.completed and parser.error is None and not parser.empty:
        with refused(InferenceError):
            _ADMISSION.check(intake._asked(parser))


def login_body(data: bytes) -> None:
    """What is sent to log in."""
    with (
        _LOGIN.test_request_context("/login", method="POST", data=data, content_type="application/json"),
        contextlib.suppress(BadRequest),
        refused(RequestError),
    ):
        assert isinstance(login._given(), str)


def catalog_name(data: bytes) -> None:
    """The name of a video or a model: none leads to a file but those that are listed."""
    folder = _file("secret.txt", b"").parent
    catalog, name = Catalog(folder, folder, KINDS), data.decode("utf-8", "surrogateescape")
    for find in (catalog.video, catalog.model):
        with refused(NotFound):
            found: Any = find(name)
            assert name in (*catalog.videos(), *catalog.model_names()), found


def vocabulary_file(data: bytes) -> None:
    """A character model's vocabulary: what is read can be written, and is the same again."""
    path = _file("vocabulary.json", data)
    with refused(ModelError):
        found = vocabulary.read(path)
        assert found.characters[0] == "" and all(len(one) == 1 for one in found.characters[1:])
        assert found.counts is None or len(found.counts) == len(found.characters)
        "".join(found.characters).encode()
        vocabulary.write(path, found)
        assert vocabulary.read(path) == found


def text_config(data: bytes) -> None:
    """A character model's configuration: a chain of layers, whose weights have shapes that are sane."""
    with contextlib.suppress(ValueError, RecursionError):
        config = json.loads(data)
        if isinstance(config, dict):
            assert chain.is_text(config) in (True, False)
            with refused(ModelError):
                layers, width = chain.chain(config, "model.h5"), 1
                assert type(chain.input_width(config)) in (int, type(None))
                for layer in layers:
                    for shape in weights.shapes("model.h5", layer, width, two_biases=False).values():
                        assert all(0 < side <= 4 * weights.WIDEST for side in shape)
                    width = weights.width_after(layer, width)


def text_model(data: bytes) -> None:
    """A character model in HDF5, its weights too."""
    _file("text.json", b'{"vocabulary": ["", "a", "b"]}')
    path = _file("text.h5", data)
    with refused(ModelError):
        assert files.read(path).layers


TARGETS: dict[str, Callable[[bytes], None]] = {
    target.__name__: target
    for target in (
        *(wire, journals, stream_query, frame_list, upload_name, training_config, skeleton),
        *(code_in_config, code_in_graph, hdf5, archive, progress, stream_flag, camera_flag, catalog_name),
        *(film_tables, request_words, request_head, login_body),
        *(vocabulary_file, text_config, text_model),
    )
}
