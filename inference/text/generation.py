"""Writing text: a network, prompts, and pieces of text behind them. Pure.

The seed is fed character by character; then, again and again, a character is drawn and fed. Draw number i of
a text is number i of its generator's, wherever a piece begins.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from inference.messages import Prompt, TextPiece, TextState
from inference.text import sampling, vocabulary
from inference.text.activations import Array
from inference.text.recurrent import Ids, Network, Steps

TOGETHER = 4
"""From so many texts on, one matrix product for all of them is faster than one for each."""


def generate(network: Network, prompts: Sequence[Prompt]) -> list[TextPiece]:
    """The next piece of each prompt's text, in their order; FrameError if the network's output is not finite.

    Those that do not ask to be `exact` share matrix products, if they are enough.
    """
    together = [at for at, prompt in enumerate(prompts) if not prompt.options.exact]
    if len(together) < TOGETHER:
        together = []
    groups = [together] if together else []
    groups += [[at] for at in range(len(prompts)) if at not in together]
    pieces: dict[int, TextPiece] = {}
    # what overflows on the way is 0 or 1 in the end, or is found and refused
    with np.errstate(all="ignore"):
        for group in groups:
            group.sort(key=lambda at: -prompts[at].count)
            pieces.update(zip(group, _write(network, [prompts[at] for at in group]), strict=True))
    return [pieces[at] for at in range(len(prompts))]


def _write(network: Network, prompts: Sequence[Prompt]) -> list[TextPiece]:
    """The pieces of texts that are written together, the longest first."""
    counts = [prompt.count for prompt in prompts]
    memory = np.zeros((len(prompts), network.memory), np.float32)
    last = np.array([_begin(network, prompt, memory[at : at + 1]) for at, prompt in enumerate(prompts)])
    indices = [prompt.state.index if prompt.state else 0 for prompt in prompts]
    draws = np.zeros((counts[0], len(prompts)))
    for at, (prompt, index) in enumerate(zip(prompts, indices, strict=True)):
        draws[: counts[at], at] = sampling.uniforms(prompt.options.random_state, index, counts[at])
    sampler = sampling.Sampler([prompt.options for prompt in prompts], len(network.vocabulary))
    ids = np.zeros((counts[0], len(prompts)), np.int64)
    logits = np.zeros((counts[0], len(prompts), len(network.vocabulary)), np.float32)
    steps, rows = Steps(network, memory), len(prompts)
    for at in range(counts[0]):
        if counts[rows - 1] <= at:
            rows = sum(count > at for count in counts)
            steps, last = Steps(network, memory[:rows]), last[:rows]
        steps.feed(last)
        logits[at, :rows] = said = steps.logits()
        ids[at, :rows] = last = sampler.draw(said, draws[at, :rows])
    return [
        _piece(ids[:count, at], logits[:count, at], memory[at], index)
        for at, (count, index) in enumerate(zip(counts, indices, strict=True))
    ]


def _begin(network: Network, prompt: Prompt, memory: Array) -> int:
    """Put a text's state into its memory (1, n), and give the id that is to be fed next."""
    if prompt.state is not None:
        memory[0] = prompt.state.memory
        return prompt.state.last
    *before, last = vocabulary.encode(prompt.seed, network.vocabulary)
    steps = Steps(network, memory)
    for index in before:
        steps.feed(np.array([index]))
    return last


def _piece(ids: Ids, logits: Array, memory: Array, index: int) -> TextPiece:
    ids = np.ascontiguousarray(ids)
    state = TextState(memory.copy(), int(ids[-1]), index + len(ids))
    return TextPiece(ids, *sampling.statistics(logits, ids), state)
