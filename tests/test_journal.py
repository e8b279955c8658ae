"""Journals: whatever is cut off, what was written whole is read back, and goes on from there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.errors import Conflict, JournalError, NotFound
from inference.journal import Journal, read, read_index
from inference.messages import EndRecord, FailureRecord, FrameRecord, PoseOptions, TrackingOptions
from inference.recordings import Recordings
from inference.records import encode
from inference.settings import HERE
from tests.kit.recordings import facts, instances, recording, write_journal


def same(one, other) -> bool:
    return (
        one.frames.keys() == other.frames.keys()
        and all(
            np.array_equal(
                getattr(one.frames[f], name), getattr(other.frames[f], name), equal_nan=name != "classes"
            )
            for f in one.frames
            for name in ("points", "values", "scores", "classes")
        )
        and (one.tracks, one.failures) == (other.tracks, other.failures)
    )


def test_what_was_written_is_read(tmp_path):
    made = recording()
    write_journal(tmp_path / "a.journal", made)
    held = read(tmp_path / "a.journal")
    assert same(held, made)
    assert held.facts == made.facts


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("journal") / "whole.journal"
    write_journal(path, recording())
    return path.read_bytes()


@settings(max_examples=80, deadline=None)
@given(cut=st.integers(0, 10_000), flip=st.none() | st.integers(0, 10_000))
def test_a_journal_cut_off_or_damaged_anywhere_goes_on_to_the_same_end(tmp_path_factory, whole, cut, flip):
    made = recording()
    path = tmp_path_factory.mktemp("cut") / "a.journal"
    data = bytearray(whole[: cut % (len(whole) + 1)])
    if flip is not None and data:
        data[flip % len(data)] ^= 0x55
    path.write_bytes(data)
    write_journal(path, made)  # what is there already is not written again
    assert same(read(path), made)


def test_a_frame_that_failed_once_and_came_later_has_not_failed(tmp_path):
    journal = Journal(tmp_path / "a.journal", facts())
    journal.add(FailureRecord(1, "no"))
    journal.add(FrameRecord(1, instances(1, 2), (0, 1)))
    journal.add(FailureRecord(1, "no again"))
    journal.close()
    held = read(tmp_path / "a.journal")
    assert (list(held.frames), held.failures) == ([1], {})


WRITER = """
import sys
from inference.journal import Journal
from inference.messages import FrameRecord
from tests.kit.recordings import facts, instances
from pathlib import Path
journal = Journal(Path(sys.argv[1]), facts())
for frame in range(100000):
    journal.add(FrameRecord(frame, instances(frame, 3), (0, 1, -1)))
    print(frame, flush=True)
"""


def test_a_kill_loses_nothing_that_was_said_to_be_written(tmp_path):
    path = tmp_path / "a.journal"
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], cwd=HERE, stdout=subprocess.PIPE
    ) as writer:
        said = [int(writer.stdout.readline()) for _ in range(50)]
        os.kill(writer.pid, signal.SIGKILL)
    held = read(path)
    assert set(said) <= held.frames.keys()
    assert np.array_equal(held.frames[42].points, instances(42, 3).points, equal_nan=True)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"video_key": "v2"}, "another video"),
        ({"model_key": "m@2"}, "another model"),
        ({"options": PoseOptions(0.5)}, "other settings"),
        ({"tracking": None}, "other tracking"),
        ({"tracking": TrackingOptions("flow")}, "other tracking"),
    ],
)
def test_a_run_of_something_else_needs_another_name(tmp_path, change, said):
    Journal(tmp_path / "a.journal", facts()).close()
    with pytest.raises(JournalError, match=said):
        Journal(tmp_path / "a.journal", facts(**change))
    Journal(tmp_path / "a.journal", facts(created=5.0, versions={})).close()


def test_two_programs_do_not_write_one_journal(tmp_path):
    first = Journal(tmp_path / "a.journal", facts())
    with pytest.raises(JournalError, match="another program"):
        Journal(tmp_path / "a.journal", facts())
    first.close()
    Journal(tmp_path / "a.journal", facts()).close()


@pytest.mark.parametrize("content", [b"", b"text, not a journal", b"\x00" * 100])
def test_what_is_no_journal(tmp_path, content):
    (tmp_path / "a.journal").write_bytes(content)
    with pytest.raises(JournalError, match="empty or damaged"):
        read(tmp_path / "a.journal")


def test_on_a_full_disk_the_file_stays_whole_and_goes_on_once_there_is_room(tmp_path):
    script = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from inference.journal import Journal\n"
        "from inference.messages import FrameRecord\n"
        "from tests.kit.recordings import facts, instances\n"
        "_, most = resource.getrlimit(resource.RLIMIT_FSIZE)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4000, most))\n"
        "journal, refused = Journal(Path(sys.argv[1]), facts()), []\n"
        "for frame in range(50):\n"
        "    if frame == 40:\n"
        "        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))\n"
        "    try:\n"
        "        journal.add(FrameRecord(frame, instances(frame, 3), (0, 1, -1)))\n"
        "    except OSError:\n"
        "        refused.append(frame)\n"
        "print(*refused)\n"
    )
    path = tmp_path / "a.journal"
    said = subprocess.run(
        [sys.executable, "-c", script, str(path)], cwd=HERE, capture_output=True, text=True, check=True
    )
    refused = list(map(int, said.stdout.split()))
    assert 0 < refused[0] < 40 and refused == list(range(refused[0], 40))
    assert sorted(read(path).frames) == [frame for frame in range(50) if frame not in refused]


# The folder of them ------------------------------------------------------------------------------------


def test_streams_of_one_run_share_its_journal(tmp_path):
    folder = Recordings(tmp_path / "runs", 10**9)
    one, other = folder.open(facts()), folder.open(facts())
    assert one is other
    one.add(FrameRecord(0, instances(0, 1), (0,)))
    folder.close(one)
    other.add(FrameRecord(1, instances(1, 1), (0,)))
    assert folder.summaries()[0].active
    with pytest.raises(Conflict, match="still going on"):
        folder.delete("run-12345678")
    folder.close(other)
    (summary,) = folder.summaries()
    assert (summary.run_id, summary.video_name, summary.model_name) == ("run-12345678", "clip.mp4", "m")
    assert (summary.frames, summary.first, summary.last, summary.active) == (2, 0, 1, False)
    folder.delete("run-12345678")
    assert folder.summaries() == []


@pytest.mark.parametrize("run", ["../../etc/passwd", "unknown-run", "", "a" * 100, "x\x00yzxyzxyz"])
def test_no_file_but_a_run_is_found_by_its_name(tmp_path, run):
    with pytest.raises(NotFound):
        Recordings(tmp_path, 10**9).path(run)


def test_the_oldest_runs_go_when_there_is_no_room(tmp_path):
    for age in range(4):
        path = tmp_path / f"run-0000000{age}.journal"
        write_journal(path, recording(run=f"run-0000000{age}"))
        os.utime(path, (1e9 - age, 1e9 - age))
    size = path.stat().st_size
    folder = Recordings(tmp_path, int(2.5 * size))
    held = folder.open(facts("run-new-0000"))
    assert {one.run_id for one in folder.summaries()} == {"run-00000000", "run-00000001", "run-new-0000"}
    folder.close(held)


def test_a_run_that_alone_is_too_large_is_told(tmp_path):
    folder = Recordings(tmp_path, 1000)
    held = folder.open(facts())
    assert folder.has_room(held)
    held.size += 1 << 21
    (tmp_path / "run-12345678.journal").write_bytes(b"x" * 5000)
    assert not folder.has_room(held)
    folder.close(held)


def test_damaged_journals_are_not_listed(tmp_path):
    (tmp_path / "run-damaged-1.journal").write_bytes(b"garbage")
    write_journal(tmp_path / "run-12345678.journal", recording())
    assert [one.run_id for one in Recordings(tmp_path, 10**9).summaries()] == ["run-12345678"]


def test_the_end_of_the_video_is_known_only_from_a_stream_that_reached_it(tmp_path):
    journal = Journal(tmp_path / "a.journal", facts())
    journal.add(FrameRecord(8, instances(8, 1), (0,)))
    journal.add(EndRecord(9, "it breaks off"))
    journal.add(EndRecord(5000))  # begun behind the end, and over at once
    assert journal.end is None
    journal.add(EndRecord(9))
    journal.add(EndRecord(5000))
    journal.close()
    assert read(tmp_path / "a.journal").end == 9


def test_an_end_that_an_earlier_version_made_up_is_not_believed(tmp_path):
    path = tmp_path / "a.journal"
    write_journal(path, recording())
    with path.open("ab") as file:
        file.write(encode(EndRecord(15)) + encode(EndRecord(900_000_000_000)))
    assert read(path).end == read_index(path).end == 15
    journal = Journal(path, facts())
    assert journal.end == 15
    journal.close()
