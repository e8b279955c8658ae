"""`python -m fuzz`: run every target for some seconds and print what came of it; or one input again.

Exit status 1 if anything was found. The inputs that failed are kept in `fuzz/crashes/`.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import time
from pathlib import Path

from fuzz.targets import TARGETS

HERE = Path(__file__).resolve().parent
CRASHES = HERE / "crashes"


def main() -> int:
    """Read the command line; give the exit status."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument(
        "targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)} (default: all)"
    )
    parser.add_argument("--seconds", type=float, default=10, help="for each target (default: %(default)s)")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="run the one target on this input")
    given = parser.parse_args()
    names = given.targets or list(TARGETS)
    if unknown := [name for name in names if name not in TARGETS]:
        parser.error(f"there is no target {', '.join(unknown)}")
    if given.replay:
        for name in names:
            TARGETS[name](given.replay.read_bytes())
        return 0
    CRASHES.mkdir(exist_ok=True)
    print(f"{'target':<18}{'runs':>10}{'runs/s':>10}{'edges':>8}  found", flush=True)
    return max(fuzzed(name, given.seconds) for name in names)


def fuzzed(name: str, seconds: float) -> int:
    """Run one target and print its line; 1 if it found something."""
    before, began = set(CRASHES.iterdir()), time.monotonic()
    ended = subprocess.run(  # noqa: S603 - this Python, and a target's name
        [sys.executable, "-m", "fuzz.one", name, str(seconds), str(CRASHES)],
        cwd=HERE.parent,
        capture_output=True,
        text=True,
        errors="replace",
    )
    passed, said = time.monotonic() - began, ended.stdout + ended.stderr
    counts = re.findall(r'^#(\d+)|"runs": (\d+)', said, re.MULTILINE)
    runs = max((int(first or second) for first, second in counts), default=0)
    edges = re.findall(r"cov: (\d+)", said)
    found = sorted(set(CRASHES.iterdir()) - before)
    result = "nothing" if ended.returncode == 0 else "see below"
    print(
        f"{name:<18}{runs:>10,}{runs / passed:>10,.0f}{edges[-1] if edges else '–':>8}  {result}", flush=True
    )
    if ended.returncode:
        print(said[-3000:])
    for path in found:
        print(f"again: python -m fuzz {name} --replay {path.relative_to(HERE.parent)}")
    return min(1, abs(ended.returncode))


if __name__ == "__main__":
    sys.exit(main())
