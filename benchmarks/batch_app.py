"""The app with batches of as many frames as the environment's BATCH says; the same flags as app.py."""

import dataclasses
import os
import sys

import app
from inference.commandline import parse

if __name__ == "__main__":
    sys.exit(app.run(dataclasses.replace(parse(), batch_size=int(os.environ["BATCH"]))))
