"""TF.js: which version the browser gets, and where it lies. Nothing of TF.js itself is tracked.

The lock file names one package only: of it one file is taken, a bundle that needs none of the others.
"""

from __future__ import annotations

from pathlib import Path

LOCK = Path(__file__).resolve().parent / "package-lock.json"
SERVED = LOCK.parent / "served" / "tf.min.js"
"""What the app serves: an ES module, with its licence at its top. `python -m tfjs` fetches it."""
