"""A journal against a model of it: written in any order, cut off, damaged, gone on with."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from inference.errors import JournalError
from inference.journal import Journal, facts_of, read, read_index
from inference.messages import EndRecord, FailureRecord, FrameRecord
from inference.records import encode
from tests.kit.drawn import MESSAGES, plain
from tests.kit.recordings import facts, instances

FRAMES = st.integers(0, 9)


class Disturbed(RuleBasedStateMachine):
    """What is in the file is known as a list of records, each with where it ends."""

    @initialize()
    def begin(self):
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "run-12345678.journal"
        self.written, self.attempts = [], 0
        self.journal = Journal(self.path, facts())
        self.head = self.path.stat().st_size

    def add(self, record):
        before = self.path.stat().st_size
        self.journal.add(record)
        after = self.path.stat().st_size
        if after > before:
            self.written.append((record, after))
        return after > before

    # What streams of the run write --------------------------------------------------------------------

    @rule(frame=FRAMES, animals=st.integers(0, 3))
    def predicted(self, frame, animals):
        """Each attempt differs, so that it shows whose result stayed."""
        self.attempts += 1
        known = frame in self.model()[0]
        record = FrameRecord(frame, instances(self.attempts, animals), (self.attempts, -1, 0)[:animals])
        assert self.add(record) is not known

    @rule(frame=FRAMES)
    def failed(self, frame):
        self.attempts += 1
        known = frame in self.model()[0]
        assert self.add(FailureRecord(frame, f"attempt {self.attempts}")) is not known

    @rule(end=st.integers(0, 20), error=st.none() | st.just("it breaks off"))
    def ended(self, end, error):
        frames, failures, _ = self.model()
        assert self.add(EndRecord(end, error)) is (error is not None or end - 1 in {**frames, **failures})

    @rule(end=st.integers(0, 20))
    def ended_as_earlier_versions_did(self, end):
        """Whether that frame is there or not: nobody looked."""
        self.journal.close()
        with self.path.open("ab") as file:
            file.write(encode(EndRecord(end)))
        self.written.append((EndRecord(end), self.path.stat().st_size))
        self.journal = Journal(self.path, facts())

    # What happens to the file -------------------------------------------------------------------------

    @rule()
    def opened_again(self):
        self.journal.close()
        self.journal = Journal(self.path, facts(created=5.0))

    @rule(place=st.integers(0, 2**20))
    def cut_off(self, place):
        self.spoil(lambda data: data[: place % (len(data) + 1)])

    @rule(place=st.integers(0, 2**20), change=st.integers(1, 255))
    def damaged(self, place, change):
        def flip(data):
            at = place % len(data)
            return data[:at] + bytes([data[at] ^ change]) + data[at + 1 :]

        self.spoil(flip)

    @rule(junk=st.binary(min_size=1, max_size=40))
    def half_written(self, junk):
        self.spoil(lambda data: data + junk)

    def spoil(self, change):
        """Only what stands whole before the first byte that differs is still there."""
        self.journal.close()
        before = self.path.read_bytes()
        after = change(before)
        self.path.write_bytes(after)
        same = next(
            (at for at, pair in enumerate(zip(before, after, strict=False)) if pair[0] != pair[1]),
            min(len(before), len(after)),
        )
        self.written = [(record, end) for record, end in self.written if end <= same and self.head <= same]
        if self.head > same:
            with contextlib.suppress(JournalError):
                read(self.path)
        else:
            self.is_what_was_written()
        self.journal = Journal(self.path, facts())

    # What has to hold ---------------------------------------------------------------------------------

    def model(self):
        """Each frame's first result, else its last failure; and the last end that was reached."""
        frames, failures, end = {}, {}, None
        for record, _ in self.written:
            if isinstance(record, FrameRecord):
                frames.setdefault(record.frame, record)
                failures.pop(record.frame, None)
            elif isinstance(record, FailureRecord):
                failures[record.frame] = record.message
            elif record.error is None and record.end - 1 in {**frames, **failures}:
                end = record.end
        return frames, failures, end

    def is_what_was_written(self):
        held = read(self.path)
        frames, failures, end = self.model()
        assert (held.failures, held.end) == (failures, end)
        assert held.frames.keys() == frames.keys()
        for frame, record in frames.items():
            assert plain(held.frames[frame]) == plain(record.instances)
            assert held.tracks[frame] == record.tracks

    @invariant()
    def what_is_read_is_what_was_written(self):
        self.is_what_was_written()

    @invariant()
    def who_writes_knows_the_same(self):
        frames, failures, end = self.model()
        assert set(self.journal.frames) == frames.keys()
        assert (self.journal.failures, self.journal.end) == (failures.keys(), end)
        assert self.journal.next_track == max(
            [0, *(1 + track for one in frames.values() for track in one.tracks)]
        )
        for frame in range(10):
            assert plain(self.journal.at(frame)) == plain(frames.get(frame))
        assert self.journal.size == self.path.stat().st_size

    @invariant()
    def who_only_lists_knows_the_same(self):
        frames, failures, end = self.model()
        index = read_index(self.path)
        assert (set(index.frames), index.failures, index.end) == (frames.keys(), failures.keys(), end)
        assert index.next_track == self.journal.next_track and index.facts == self.journal.facts
        seen = {**frames, **failures}
        for known in (index, self.journal):
            assert (known.first, known.last) == (min(seen, default=None), max(seen, default=None))

    def teardown(self):
        if hasattr(self, "journal"):
            self.journal.close()
            self.folder.cleanup()


TestDisturbed = Disturbed.TestCase
TestDisturbed.settings = settings(max_examples=40, stateful_step_count=20, deadline=None)


def opened(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("any") / "run-12345678.journal"
    path.write_bytes(content)
    with contextlib.suppress(JournalError):
        assert read(path).frames.keys() == set(read_index(path).frames)
    facts_of(path)
    with contextlib.suppress(JournalError):
        journal = Journal(path, facts())
        journal.add(FrameRecord(3, instances(3, 2), (0, 1)))
        assert isinstance(journal.at(3), FrameRecord)
        journal.close()
        assert 3 in read(path).frames


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_a_journal_or_a_journal_error(tmp_path_factory, content):
    opened(tmp_path_factory, content)


@settings(max_examples=80, deadline=None)
@given(st.lists(MESSAGES, max_size=4), st.booleans())
def test_any_records_are_a_journal_or_a_journal_error(tmp_path_factory, records, begun):
    opened(tmp_path_factory, b"".join(map(encode, [facts()] * begun + records)))
