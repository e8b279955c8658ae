"""`python -m inference`: what the program does without a browser, one command each."""

from __future__ import annotations

import argparse
import importlib
import sys

from inference import __version__
from inference.errors import InferenceError, RequestError

COMMANDS = {
    "predict": "predict the frames of videos and write the results into a file",
    "generate": "write text with a character model",
    "train-text": "train a character model on a folder of texts",
    "export": "write a recorded run into a file, or a character model for browsers",
    "doctor": "measure what each engine and precision gives on your video, and say which to choose",
}


def main(arguments: list[str] | None = None) -> int:
    """Run one command; gives its exit status: 2 if it makes no sense, 1 if it failed, 130 if interrupted."""
    try:
        options = _parsed(sys.argv[1:] if arguments is None else arguments)
        return int(options.run(options))
    except RequestError as error:
        print(f"{options.parser.prog}: error: {error}", file=sys.stderr)
        return 2
    except InferenceError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _parsed(given: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m inference", description=__doc__.split(":")[1])
    parser.add_argument("--version", action="version", version=f"Interactive model inference {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    # the one that is meant and no other: most need libraries that take seconds to import
    meant = next((one for one in given if not one.startswith("-")), None)
    for name, text in COMMANDS.items():
        if name == meant:
            _add(commands, name, text)
        else:
            commands.add_parser(name, help=text)
    return parser.parse_args(given)


def _add(commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, text: str) -> None:
    module = importlib.import_module(f"inference.commands.{name.replace('-', '_')}")
    command = commands.add_parser(
        name,
        help=text,
        description=module.__doc__,
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    module.add_arguments(command)
    command.set_defaults(run=module.run, parser=command)


if __name__ == "__main__":
    sys.exit(main())
