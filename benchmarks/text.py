"""`python -m benchmarks.text [MODEL]`: characters/s of a character model's network alone.

One prompt, and eight together, each in pieces as the app asks for them: drawing, entropies and the likeliest
characters included, in one thread. Seconds are the processor's, as others may use the machine, too; medians.
Not part of `make bench`.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from pathlib import Path

from inference.messages import Prompt, TextOptions, TextPiece
from inference.pieces import count_of, pieces_of
from inference.text import files
from inference.text.generation import generate
from inference.text.recurrent import Network

SHARED = Path(os.environ.get("INFERENCE_TEST_DATA", "../shared/data")) / "charrnn" / "model-keras2.2.hdf5"
LENGTH, ROUNDS = 1024, 5
CASES = (("one prompt", 1, 10, True), ("one prompt, greedy", 1, 1, True), ("eight prompts", 8, 10, False))


def main() -> None:
    """Print a line for each case."""
    network = Network(files.read(Path(sys.argv[1]) if len(sys.argv) > 1 else SHARED))
    rates: dict[str, list[float]] = {name: [] for name, *_ in CASES}
    for _ in range(ROUNDS):
        for name, texts, top_n, exact in CASES:
            rates[name].append(measure(network, texts, top_n, exact))
    for name, found in rates.items():
        print(f"{name:<20}{statistics.median(found):>8,.0f} characters/s")


def measure(network: Network, texts: int, top_n: int, exact: bool) -> float:
    """Characters/s of some texts of LENGTH characters, all together."""
    options = [TextOptions(top_n, 1.0, number, exact) for number in range(texts)]
    last: list[TextPiece | None] = [None] * texts
    began = time.process_time()
    for number in range(pieces_of(LENGTH)):
        count = count_of(number, LENGTH)
        states = [piece.state if piece else None for piece in last]
        last = list(
            generate(
                network,
                [
                    Prompt("", number, "The meaning of life is ", state, count, one)
                    for state, one in zip(states, options, strict=True)
                ],
            )
        )
    return texts * LENGTH / (time.process_time() - began)


if __name__ == "__main__":
    main()
