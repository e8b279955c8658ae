"""The folder of runs while much happens at once: long journals, streams that share one, a second program."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
import tracemalloc
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest

from inference import records
from inference.errors import Conflict, JournalError
from inference.journal import Journal, remove
from inference.listing import Summary
from inference.messages import FailureRecord, FrameRecord
from inference.recordings import IDLE, Recordings
from inference.settings import HERE
from tests.kit.recordings import facts, instances, recording, write_journal

RUN = "run-12345678"


class Reading:
    """A journal is being read until `go_on` is set; `left_alone` says that nobody had to wait for that."""

    def __init__(self, glance: Callable[[bytes], Any]) -> None:
        self.begun, self.go_on = threading.Event(), threading.Event()
        self.left_alone = True
        self._glance = glance

    def __call__(self, body: bytes) -> Any:
        self.begun.set()
        self.left_alone = self.go_on.wait(10) and self.left_alone
        return self._glance(body)


@pytest.fixture
def reading(monkeypatch):
    held = Reading(records.glance)
    monkeypatch.setattr(records, "glance", held)
    yield held
    held.go_on.set()


@pytest.fixture
def folder(tmp_path):
    """A folder with one run in it."""
    write_journal(tmp_path / f"{RUN}.journal", recording())
    return Recordings(tmp_path, 10**9)


@pytest.mark.parametrize("read", [Recordings.summaries, lambda folder: folder.open(facts())])
def test_nobody_waits_while_a_journal_is_read(folder, reading, read):
    with ThreadPoolExecutor(1) as reader:
        done = reader.submit(read, folder)
        assert reading.begun.wait(10)
        held = folder.open(facts("run-other-000"))  # new, so that nothing is read of it
        held.size += 1 << 21  # it is weighed, as it is for each MB
        assert folder.has_room(held)
        reading.go_on.set()
        done.result()
    assert reading.left_alone
    assert {one.run_id for one in folder.summaries()} == {RUN, "run-other-000"}


def test_streams_that_open_a_journal_at_once_share_it_and_nobody_deletes_it_meanwhile(folder, reading):
    with ThreadPoolExecutor(4) as streams:
        opening = [streams.submit(folder.open, facts()) for _ in range(4)]
        assert reading.begun.wait(10)
        with pytest.raises(Conflict, match="still going on"):
            folder.delete(RUN)
        reading.go_on.set()
        held, *others = (one.result() for one in opening)
    assert reading.left_alone
    assert all(one is held for one in others) and len(held.frames) == 10
    for _ in range(4):
        assert folder.summaries()[0].active
        folder.close(held)
    assert not folder.summaries()[0].active


def test_a_run_that_is_deleted_while_it_is_read_is_gone(folder, reading):
    with ThreadPoolExecutor(1) as reader:
        done = reader.submit(folder.summaries)
        assert reading.begun.wait(10)
        folder.delete(RUN)
        reading.go_on.set()
        done.result()
    assert reading.left_alone
    assert folder.summaries() == [] and list(folder.folder.iterdir()) == []


def test_a_listing_keeps_no_instances(tmp_path):
    path = tmp_path / "run-12345678.journal"
    journal = Journal(path, facts())
    for frame in range(1000):
        journal.add(FrameRecord(frame, instances(frame, 100), (-1,) * 100))
    journal.add(FailureRecord(1000, "no"))
    journal.close()
    folder = Recordings(tmp_path, 10**9)
    tracemalloc.start()
    try:
        (summary,) = folder.summaries()
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (summary.frames, summary.failed, summary.first, summary.last) == (1000, 1, 0, 1000)
    assert most < summary.bytes / 4 > 1 << 20


def test_a_run_that_another_program_writes_is_listed_as_it_grows(tmp_path):
    folder, journal = Recordings(tmp_path, 10**9), Journal(tmp_path / "run-12345678.journal", facts())
    for frame in range(3):
        assert [one.frames for one in folder.summaries()] == [frame]
        journal.add(FrameRecord(frame, instances(frame, 1), (0,)))
    journal.close()


def test_only_so_many_journals_are_kept_at_hand(tmp_path):
    folder = Recordings(tmp_path, 10**9)
    held = [folder.open(facts(f"run-0000000{number}")) for number in range(IDLE + 3)]
    for one in held:
        folder.close(one)
    again = [folder.open(one.facts) for one in held]
    assert [one is other for one, other in zip(held, again, strict=True)] == [False] * 3 + [True] * IDLE


def test_a_run_of_something_else_takes_nothing_from_the_one_that_is_there(tmp_path):
    folder = Recordings(tmp_path, 10**9)
    held = folder.open(facts())
    for _ in range(2):  # while somebody writes it, and then while it is at hand
        with pytest.raises(JournalError, match="another video"):
            folder.open(facts(video_key="v2"))
        held.add(FrameRecord(len(held.frames), instances(0, 1), (0,)))
        assert folder.summaries()[0].active is (len(held.frames) == 1)
        if len(held.frames) == 1:
            folder.close(held)
    assert folder.open(facts()) is held


def test_a_journal_under_another_name_is_one_of_its_own(tmp_path):
    write_journal(tmp_path / "run-copied-01.journal", recording())
    folder = Recordings(tmp_path, 10**9)
    held = folder.open(facts("run-copied-01"))
    assert folder.has_room(held)
    folder.close(held)
    folder.delete("run-copied-01")


def test_a_run_that_is_gone_on_with_is_not_deleted_to_make_room_for_it(tmp_path):
    for age in range(3):
        path = tmp_path / f"run-0000000{age}.journal"
        write_journal(path, recording(run=path.stem))
        os.utime(path, (1e9 - age, 1e9 - age))
    folder = Recordings(tmp_path, int(2.5 * path.stat().st_size))
    assert len(folder.open(facts("run-00000002")).frames) == 10  # the oldest
    assert {one.run_id for one in folder.summaries()} == {"run-00000000", "run-00000002"}


def test_where_there_is_no_room_every_stream_is_told(tmp_path):
    folder = Recordings(tmp_path, 1000)
    one, other = folder.open(facts()), folder.open(facts())
    one.size += 1 << 21
    (tmp_path / "run-12345678.journal").write_bytes(b"x" * 5000)
    assert [folder.has_room(held) for held in (one, other, one)] == [False] * 3


# A second program --------------------------------------------------------------------------------------

SECOND = """
import sys
from pathlib import Path
from inference.errors import Conflict
from inference.recordings import Recordings
from tests.kit.recordings import facts
folder = Path(sys.argv[1])
try:
    Recordings(folder, 10**9).delete("run-live-000")
except Conflict as error:
    print(error)
Recordings(folder, 1).open(facts("run-second-00"))  # there is no room, so that all that may go goes
"""


def test_a_second_program_deletes_no_run_that_the_first_one_writes(tmp_path):
    first = Recordings(tmp_path, 10**9)
    held = first.open(facts("run-live-000"))
    write_journal(tmp_path / "run-over-000.journal", recording(run="run-over-000"))
    said = subprocess.run(
        [sys.executable, "-c", SECOND, str(tmp_path)], cwd=HERE, capture_output=True, text=True, check=True
    )
    assert said.stdout == "The recording run-live-000 is open in another program: end that one first.\n"
    held.add(FrameRecord(0, instances(0, 1), (0,)))
    listed = {one.run_id: (one.frames, one.active) for one in first.summaries()}
    assert listed == {"run-live-000": (1, True), "run-second-00": (0, False)}
    first.close(held)


def test_a_journal_that_is_open_is_never_one_that_was_deleted(tmp_path):
    """Of two programs, one opens and one deletes, over and over."""
    path, over = tmp_path / "a.journal", threading.Event()

    def delete() -> None:
        while not over.is_set():
            with suppress(JournalError):
                remove(path)

    with ThreadPoolExecutor(1) as other:
        deleting = other.submit(delete)
        opened = lost = 0
        while opened < 300:
            try:
                journal = Journal(path, facts())
            except JournalError:
                continue
            opened += 1
            lost += not path.exists()
            journal.close()
        over.set()
        deleting.result()
    assert lost == 0


def test_what_was_listed_of_runs_that_are_gone_is_forgotten(tmp_path):
    folder = Recordings(tmp_path, 10**9)
    for number in range(50):
        write_journal(tmp_path / f"run-{number:08}.journal", recording(run="run-forgotten"))
        assert len(folder.summaries()) == 1
        folder.delete(f"run-{number:08}")
    folder.summaries()
    gc.collect()
    held = [one for one in gc.get_objects() if isinstance(one, Summary)]
    assert not [one for one in held if one.run_id == "run-forgotten"]


def test_a_journal_is_free_once_it_is_closed_whatever_is_being_started_meanwhile(tmp_path):
    """A process between fork and exec has a copy of every open file, and with it of its lock."""
    path = tmp_path / f"{RUN}.journal"
    held = Journal(path, facts(RUN))
    copy = os.dup(held._file)
    held.close()
    remove(path)
    os.close(copy)
    assert not path.exists()


def test_a_journal_of_a_later_version_is_refused_and_kept(folder):
    path = folder.path(RUN)
    whole = path.read_bytes()
    length, _ = records.HEAD.unpack_from(whole)
    body, rest = whole[records.HEAD.size :][:length], whole[records.HEAD.size + length :]
    body = body.replace(b'"RunFacts"', b'"RunFakts"')
    later = records.HEAD.pack(length, zlib.crc32(body)) + body + rest
    assert later != whole
    path.write_bytes(later)
    with pytest.raises(JournalError, match="does not say what it is of"):
        folder.open(facts(RUN))
    assert path.read_bytes() == later


def test_a_journal_that_was_deleted_by_hand_is_begun_anew(folder):
    folder.close(folder.open(facts(RUN)))
    folder.path(RUN).unlink()
    held = folder.open(facts(RUN))
    held.add(FrameRecord(3, instances(3, 1), (0,)))
    folder.close(held)
    (listed,) = folder.summaries()
    assert (listed.first, listed.frames) == (3, 1)
