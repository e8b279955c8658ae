"""Interactive model inference: watch a model's predictions in the browser as they are computed."""

import os

# Before NumPy is imported: the engine has the cores, and NumPy would start a thread for each.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

__version__ = "0.1.0"
