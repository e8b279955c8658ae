"""`python -m fuzz.one TARGET SECONDS CRASHES`: one target in its own process, which what it finds may end.

With atheris, inputs are kept that reach new lines of `inference/`; without it, seeds are mutated blindly.
An input that fails is kept in CRASHES.
"""

from __future__ import annotations

import importlib.util
import json
import random
import sys
import tempfile
import time
import traceback
from pathlib import Path

from fuzz.mutation import mutated

LONGEST_INPUT = 8192
LONGEST_RUN = 10
"""Seconds; a run that takes longer is a finding."""


def with_atheris(name: str, seconds: float, crashes: Path) -> None:
    """Fuzz until the time is over; libFuzzer prints what it reached, and ends the process."""
    import atheris

    with atheris.instrument_imports(include=["inference"]):
        from fuzz.seeds import SEEDS
        from fuzz.targets import TARGETS
    corpus = Path(tempfile.mkdtemp())
    for number, seed in enumerate(SEEDS[name]()):
        (corpus / str(number)).write_bytes(seed)
    limits = [f"-max_total_time={seconds:.0f}", f"-max_len={LONGEST_INPUT}", f"-timeout={LONGEST_RUN}"]
    kept = [f"-artifact_prefix={crashes / name}-", "-rss_limit_mb=4096", "-print_final_stats=1"]
    atheris.Setup([sys.argv[0], str(corpus), *limits, *kept], TARGETS[name])
    atheris.Fuzz()


def blindly(name: str, seconds: float, crashes: Path) -> int:
    """Mutate the seeds until the time is over; gives the exit status."""
    from fuzz.seeds import SEEDS
    from fuzz.targets import TARGETS

    seeds, chance, until, count = SEEDS[name](), random.Random(), time.monotonic() + seconds, 0
    while time.monotonic() < until:
        data = mutated(seeds, chance)[:LONGEST_INPUT]
        began = time.monotonic()
        try:
            TARGETS[name](data)
            assert time.monotonic() - began < LONGEST_RUN, "too slow"
        except Exception:
            traceback.print_exc()
            (crashes / f"{name}-crash-{count}").write_bytes(data)
            return 1
        count += 1
    print(json.dumps({"runs": count}))
    return 0


def main() -> int:
    """Run one target as the command line says."""
    name, seconds, crashes = sys.argv[1], float(sys.argv[2]), Path(sys.argv[3])
    if importlib.util.find_spec("atheris"):
        with_atheris(name, seconds, crashes)
    return blindly(name, seconds, crashes)


if __name__ == "__main__":
    sys.exit(main())
