"""Every fuzz target in short: its seeds, their mutations, and any bytes. `make fuzz` goes on from there."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz.mutation import mutated
from fuzz.seeds import SEEDS
from fuzz.targets import TARGETS

MUTATIONS, ANY = 150, 40


def test_every_target_has_seeds():
    assert SEEDS.keys() == TARGETS.keys()


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_lets_only_declared_errors_pass(name):
    seeds, chance = SEEDS[name](), random.Random(1)
    for data in (*seeds, *(mutated(seeds, chance) for _ in range(MUTATIONS))):
        TARGETS[name](data)


@pytest.mark.parametrize("name", TARGETS)
@settings(max_examples=ANY, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_taken_or_refused(name, data):
    TARGETS[name](data)
