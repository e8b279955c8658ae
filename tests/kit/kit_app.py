"""The program with the kit's kinds of models, and the flags of `app.py`."""

import dataclasses
import sys

import app
from inference.commandline import parse
from tests.kit.predictors import KINDS

if __name__ == "__main__":
    sys.exit(app.run(dataclasses.replace(parse(), kinds=KINDS)))
