"""What counts as held by a program: its own, and nothing of what others on the machine have at the time."""

from __future__ import annotations

import subprocess
import sys
from multiprocessing.shared_memory import SharedMemory

import psutil
import pytest

from tests.kit import holdings

HOLDS = """
import contextlib
import sys
from multiprocessing.shared_memory import SharedMemory
memory = SharedMemory(create=True, size=100)
print(memory.name, flush=True)
sys.stdin.read()
memory.close()
with contextlib.suppress(FileNotFoundError):
    memory.unlink()
"""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="shared memory has its names there")


@pytest.fixture
def program():
    """A process that holds shared memory until it is told to end, and the name of that."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    yield psutil.Process(process.pid), process.stdout.readline().strip()
    process.communicate()


@pytest.fixture
def made():
    """Makes shared memory in this process, which is not of the program, under a name."""
    memories = []

    def make(name):
        memories.append(SharedMemory(name, create=True, size=100))
        return name

    yield make
    for memory in memories:
        memory.close()
        memory.unlink()


def test_shared_memory_is_its_owners_and_nobody_elses(program, made):
    process, name = program
    made("of-somebody-else")
    assert holdings.of([process]).shared == {name}


def test_what_bears_a_programs_number_is_its_own_whoever_holds_it(program, made):
    process, name = program
    left = made(f"sem.joblib-{process.pid}-x")
    made(f"sem.joblib-{process.pid}7-x")
    assert holdings.of([process]).shared == {name, left}


def test_what_was_deleted_and_is_still_held_counts(program):
    process, name = program
    memory = SharedMemory(name)
    memory.unlink()
    memory.close()
    assert holdings.of([process]).shared == {f"{name} (deleted)"}
