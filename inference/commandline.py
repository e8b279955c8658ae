"""The command line: its flags, and from them the settings. Nothing is started here."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from inference import __version__
from inference.hosts import host_in, origin_in
from inference.settings import ENGINES, PRECISIONS, Settings, Source

DESCRIPTION = "Watch a Keras model's predictions on a video in the browser, as they are computed."
TOKEN_VARIABLE = "INFERENCE_TOKEN"  # noqa: S105 - its name, not its value
EPILOG = (
    "Videos go into the data folder, models into the models folder; then open the address that is printed."
)


def parse(arguments: Sequence[str] | None = None) -> Settings:
    """Settings from the command line; exits with status 2 and one sentence if it makes no sense."""
    parser = _parser()
    given = parser.parse_args(arguments)
    for flag, folder in (("--data", given.data), ("--models", given.models)):
        if not folder.is_dir():
            parser.error(f"argument {flag}: there is no folder {folder}")
    pipeline_ports = [given.producer_send_port, given.consumer_send_port]
    ports = [port for port in (given.port, *pipeline_ports) if port]
    if len(set(ports)) < len(ports):
        parser.error("--port, -producer_send_port and -consumer_send_port need a port each")
    if problem := engine_error(given):
        parser.error(problem)
    chosen = vars(given)
    for several in ("allow_hosts", "cors_origins"):
        chosen[several] = tuple(chosen[several])
    try:
        chosen["token"] = _token(given.token) if given.token is not None else _token_of_environment()
        chosen["sources"] = _sources(chosen.pop("cameras"), chosen.pop("streams"))
    except ValueError as error:
        parser.error(str(error))
    return Settings(**chosen)


def _parser() -> argparse.ArgumentParser:
    # The three flags with one dash are the ones that scripts out there use.
    parser = argparse.ArgumentParser(
        prog="app.py",
        description=DESCRIPTION,
        epilog=EPILOG,
        allow_abbrev=False,
        argument_default=argparse.SUPPRESS,
    )
    defaults = Settings()
    web = parser.add_argument_group("the page")
    web.add_argument(
        "--host", default=defaults.host, help="address to serve the page at (default: %(default)s)"
    )
    web.add_argument(
        "--port", type=_port, default=defaults.port, help="port to serve the page at (default: %(default)s)"
    )
    _add_guard(parser.add_argument_group("who may come in"))
    files = parser.add_argument_group("folders")
    files.add_argument(
        "--data",
        type=Path,
        default=defaults.data,
        help="folder with the videos (default: data, beside app.py)",
    )
    files.add_argument(
        "--models",
        type=Path,
        default=defaults.models,
        help="folder with the models (default: models, beside app.py)",
    )
    files.add_argument(
        "--runs",
        type=Path,
        default=defaults.runs,
        help="folder that runs are recorded in (default: runs, beside app.py)",
    )
    files.add_argument(
        "--runs-gb",
        type=_gigabytes,
        dest="runs_bytes",
        default=defaults.runs_bytes,
        metavar="GB",
        help="what recorded runs may take together, in GB; the oldest go first (default: 2)",
    )
    files.add_argument(
        "--upload-gb",
        type=_gigabytes,
        dest="upload_bytes",
        default=defaults.upload_bytes,
        metavar="GB",
        help="how large an uploaded video may be, in GB (default: 4)",
    )
    files.add_argument(
        "--allow-model-code",
        action="store_true",
        default=False,
        help="run code that a model file carries (Lambda layers); only for files that you trust",
    )
    live = parser.add_argument_group("live sources, each as often as there are some")
    live.add_argument(
        "--camera",
        type=_camera,
        action="append",
        dest="cameras",
        default=[],
        metavar="N",
        help="a camera of this machine: its number, or its device (/dev/video2); called camera:N",
    )
    live.add_argument(
        "--stream",
        type=_stream,
        action="append",
        dest="streams",
        default=[],
        metavar="[NAME=]URL",
        help="a stream (rtsp, rtsps, http or https); called stream:NAME, or by its number, stream:0",
    )
    pipeline = parser.add_argument_group("the pipeline")
    for name, what in (
        (
            "producer_send_port",
            "port at which the frame producer sends work to the workers (free one if left out)",
        ),
        ("consumer_send_port", "port to which the workers send results (free one if left out)"),
    ):
        pipeline.add_argument(
            *_spellings(name), dest=name, type=_port, default=None, metavar="PORT", help=what
        )
    pipeline.add_argument(
        *_spellings("n_servers"),
        dest="n_servers",
        type=_servers,
        default=defaults.n_servers,
        metavar="N",
        help="number of inference worker processes (default: one per core, at most 4; here %(default)s)",
    )
    add_engine(pipeline)
    other = parser.add_argument_group("other")
    levels = ["debug", "info", "warning", "error"]
    other.add_argument(
        "--log-level", choices=levels, default="warning", help="how much is logged (default: %(default)s)"
    )
    other.add_argument("--version", action="version", version=f"Interactive model inference {__version__}")
    return parser


def _add_guard(group: argparse._ArgumentGroup) -> None:
    defaults = Settings()
    group.add_argument(
        "--token",
        default=None,
        help="what everybody has to know who comes in; better given in the environment as INFERENCE_TOKEN, "
        "since the list of processes shows flags. A --host that others can reach gets a random one by itself",
    )
    group.add_argument(
        "--allow-host",
        type=_host,
        action="append",
        dest="allow_hosts",
        default=[],
        metavar="NAME",
        help="a name that the page is opened under, such as a proxy's; as often as there are some",
    )
    group.add_argument(
        "--cors-origin",
        type=_origin,
        action="append",
        dest="cors_origins",
        default=[],
        metavar="ORIGIN",
        help="another site whose pages may use the program (https://example.org); as often as there are some",
    )
    group.add_argument(
        "--max-streams",
        type=_streams,
        default=defaults.max_streams,
        metavar="N",
        help="streams that may be open at once (default: %(default)s)",
    )


def add_engine(group: argparse._ArgumentGroup | argparse.ArgumentParser) -> None:
    """What every command that predicts takes: engine, precision, the cache of both, and its patience."""
    defaults = Settings()
    group.add_argument(
        "--engine",
        choices=ENGINES,
        default=defaults.engine,
        help="what runs the models (default: auto, which is TensorFlow where it finds a GPU, else OpenVINO)",
    )
    group.add_argument(
        "--precision",
        choices=PRECISIONS,
        default=defaults.precision,
        help="exact: float32 (the default); fast: 16 bits; int8: 8 bits, calibrated on the video. The last "
        "two serve a model only if its points on the video hardly change",
    )
    group.add_argument(
        "--cache",
        type=Path,
        default=defaults.cache,
        help="folder for models as the engine runs them (default: cache, beside app.py)",
    )
    group.add_argument(
        "--time-limit",
        type=_seconds,
        default=defaults.time_limit,
        metavar="S",
        help="longest time that a worker may take for a frame; then it is ended and replaced "
        "(default: %(default)g s)",
    )


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0.1 <= seconds <= 1e5:
        raise argparse.ArgumentTypeError(f"{text!r} is no time in s: 0.1 to 100000")
    return seconds


def engine_error(given: argparse.Namespace) -> str | None:
    """What makes no sense in what was given for `add_engine`."""
    if given.engine == "tensorflow" and given.precision != "exact":
        return f"--precision {given.precision} needs OpenVINO: leave out --engine tensorflow"
    return None


def _sources(cameras: list[str], streams: list[tuple[str | None, str]]) -> tuple[Source, ...]:
    """The live sources by their names; ValueError, with a sentence, if two have the same."""
    sources = [Source(f"camera:{Path(device).name}", device) for device in cameras]
    sources += [
        Source(f"stream:{index if name is None else name}", url) for index, (name, url) in enumerate(streams)
    ]
    names = [source.name for source in sources]
    for source in sources:
        if names.count(source.name) > 1:
            raise ValueError(f"two live sources are called {source.name}; name streams by --stream NAME=URL")
    return tuple(sources)


def _token(text: str, of: str = "--token") -> str:
    # What was given is not repeated: a mistyped token is nearly one.
    if not re.fullmatch(r"[!-~]{8,200}", text, re.ASCII):
        raise ValueError(f"{of}: a token has 8 to 200 letters, digits or signs of ASCII, and no spaces")
    return text


def _token_of_environment() -> str | None:
    given = os.environ.get(TOKEN_VARIABLE)
    return None if given is None else _token(given, TOKEN_VARIABLE)


def _host(text: str) -> str:
    try:
        return host_in(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _origin(text: str) -> str:
    try:
        return origin_in(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _streams(text: str) -> int:
    number = _whole(text)
    if not 1 <= number <= 1000:
        raise argparse.ArgumentTypeError(f"{text} is no number of streams: 1 to 1000")
    return number


def _camera(text: str) -> str:
    if re.fullmatch(r"[0-9]{1,4}", text, re.ASCII):
        return str(int(text))
    if re.fullmatch(r"/dev/[\w./:-]+", text) and ".." not in text:
        return text
    raise argparse.ArgumentTypeError(f"{text!r} is no camera: a whole number from 0, or a device in /dev")


def _stream(text: str) -> tuple[str | None, str]:
    name, equals, rest = text.partition("=")
    named = bool(equals) and "://" not in name
    if named and not re.fullmatch(r"[\w.-]{1,40}", name):
        raise argparse.ArgumentTypeError("a stream's name has 1 to 40 letters, digits, dots, dashes or _")
    url = rest if named else text
    if not _is_address(url):
        # What was given is not repeated: there may be a password in it.
        raise argparse.ArgumentTypeError(
            "only addresses that begin with rtsp://, rtsps://, http:// or https:// and name a host are opened"
        )
    return name if named else None, url


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        # urlsplit overlooks spaces and control characters, who opens the address may not
        plain = url.isprintable() and url.lower().startswith(f"{parts.scheme}://")
        known = parts.scheme in ("rtsp", "rtsps", "http", "https")
        return plain and known and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _spellings(name: str) -> list[str]:
    dashed = name.replace("_", "-")
    return list(dict.fromkeys([f"-{name}", f"--{name}", f"--{dashed}", f"-{dashed}"]))


def _port(text: str) -> int:
    port = _whole(text)
    if not 0 <= port <= 65535:
        raise argparse.ArgumentTypeError(f"{text} is no port: 0 (any free one) to 65535")
    return port


def _gigabytes(text: str) -> int:
    try:
        size = float(text)
    except ValueError:
        size = -1.0
    if not 0 < size <= 1e6:
        raise argparse.ArgumentTypeError(f"{text} is no size in GB")
    return int(size * 1024**3)


def _servers(text: str) -> int:
    number = _whole(text)
    if not 1 <= number <= 64:
        raise argparse.ArgumentTypeError(f"{text} is no number of workers: 1 to 64")
    return number


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number") from None
