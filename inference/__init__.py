"""Interactive model inference: watch a model's predictions in the browser as they are computed."""

import os

# Before NumPy is imported: the engine has the cores, and NumPy would start a thread for each.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# Before h5py is imported: HDF5 is to load no filters from the folders that its environment names.
os.environ["HDF5_PLUGIN_PRELOAD"] = "::"

# For the processes that are started: with glibc's own limits, the memory of each image and each map goes
# back to the system and comes again as fresh pages, which took workers a tenth of a fast engine's time.
os.environ.setdefault("MALLOC_MMAP_THRESHOLD_", str(32 << 20))
os.environ.setdefault("MALLOC_TRIM_THRESHOLD_", str(256 << 20))
os.environ.setdefault("MALLOC_TOP_PAD_", str(16 << 20))

__version__ = "0.1.0"
