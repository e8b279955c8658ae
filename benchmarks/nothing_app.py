"""The app with one more kind of model, the one that does nothing; the same flags as app.py."""

import dataclasses
import sys

import app
from benchmarks.nothing import KIND
from inference.commandline import parse

if __name__ == "__main__":
    settings = parse()
    sys.exit(app.run(dataclasses.replace(settings, kinds=(*settings.kinds, KIND))))
