"""Live sources: only the newest frame counts, the others are counted, and what is lost is opened again."""

import itertools
import logging
import queue
import threading
import time

import numpy as np
import pytest

from inference.live import PAUSES, Feed, Fresh, Sources
from inference.messages import Opened, SourceStatus
from inference.settings import Source
from tests.kit import barcode
from tests.kit.cameras import FilePlayer
from tests.kit.rtsp import RtspServer
from tests.kit.waiting import wait_until

FRAMES = 200
ADDRESS = "rtsp://keeper:hush-hush@camera.invalid/1"
TINY = (0.02, 0.04, 0.08)


class Viewer:
    """A feed, and what was heard of it."""

    def __init__(self, player, sources):
        self.player = player
        self.heard = queue.SimpleQueue()
        self.feed = Feed("run", self.heard.put)
        self.leave = sources.watch("camera:0", self.feed)

    def hear(self, kind):
        """The next thing of a kind that is said; others are passed over."""
        while not isinstance(said := self.heard.get(timeout=20), kind):
            pass
        return said

    def take(self):
        """The next frame, once there is one, and which of the source's it is."""
        wait_until(lambda: self.feed.fresh, 20)
        taken = self.feed.take()
        number = max(number for number, at in list(self.player.came.items()) if at <= taken.at)
        if self.player.size is None:
            assert barcode.read(taken.image) == (number - 1) % FRAMES
        return taken, number


@pytest.fixture
def player(tmp_path):
    return FilePlayer(barcode.write(tmp_path / "a.avi", FRAMES))


@pytest.fixture
def sources(player):
    return Sources([Source("camera:0", ADDRESS)], player.open, TINY)


@pytest.fixture
def view(player, sources):
    """Begins to watch; at the end all leave, and the source is let go of."""
    viewers = []

    def begin():
        viewers.append(Viewer(player, sources))
        return viewers[-1]

    yield begin
    for viewer in viewers:
        viewer.leave()
    sources.wait(20)
    assert player.held == 0


def test_a_viewer_slower_than_the_source_gets_the_newest_and_each_dropped_frame_is_counted(player, view):
    viewer = view()
    first, begun = viewer.take()
    assert first.sequence == 0
    before = begun
    for _ in range(8):
        wait_until(lambda before=before: player.number >= before + 6, 20)
        latest = player.number
        taken, number = viewer.take()
        assert number >= latest - 1  # the one that came last may not be decoded yet
        assert taken.sequence == number - begun
        before = number


def test_a_frame_is_told_once_and_given_once(player, view):
    viewer = view()
    assert viewer.hear(Opened) == Opened("run", 128, 96, None, None)
    assert viewer.hear(Fresh) == Fresh("run")
    wait_until(lambda: player.number >= 10, 20)
    assert viewer.heard.empty()
    player.plugged = False
    viewer.hear(SourceStatus)
    viewer.take()
    assert not viewer.feed.fresh
    with pytest.raises(LookupError):
        viewer.feed.take()


def test_the_time_of_capture_is_when_the_frame_was_there(player, view):
    taken, number = view().take()
    assert player.came[number] <= taken.at <= time.monotonic()
    assert taken.image.shape == (96, 128, 3) and taken.ms > 0


def test_viewers_share_one_source_and_the_last_to_leave_closes_it(player, view):
    first = view()
    first.take()
    second = view()
    second.take()
    assert (len(player.tries), player.held) == (1, 1)
    first.leave()
    second.take()
    second.leave()
    wait_until(lambda: player.held == 0, 20)
    assert view().take()[0].sequence == 0
    assert player.held == 1


def test_coming_and_going_never_opens_a_source_twice_at_once(player, view):
    held = set()
    done = threading.Event()

    def look():
        while not done.is_set():
            held.add(player.held)

    looking = threading.Thread(target=look)
    looking.start()
    for _ in range(30):
        view().leave()
    view().take()
    done.set()
    looking.join()
    assert max(held) == 1


def test_pauses_grow_and_begin_anew_once_frames_have_come(player, view):
    player.plugged = False
    viewer = view()
    wait_until(lambda: len(player.tries) >= 5, 20)
    gaps = [later - earlier for earlier, later in itertools.pairwise(player.tries[:5])]
    assert all(gap >= 0.9 * pause for gap, pause in zip(gaps, (*TINY, TINY[-1]), strict=True))
    said = [viewer.hear(SourceStatus) for _ in range(4)]
    assert [(status.state, status.message) for status in said] == [
        ("reconnecting", f"camera:0 cannot be opened. It is opened again in {pause} s (try {number}).")
        for number, pause in enumerate((*TINY, TINY[-1]), start=1)
    ]
    player.plugged = True
    viewer.take()
    player.plugged = False
    while "was lost" not in (lost := viewer.hear(SourceStatus)).message:
        back = lost
    assert back == SourceStatus("run", "connected", "camera:0 is back.")
    assert lost.message == "camera:0 was lost. It is opened again in 0.02 s (try 1)."


def test_a_real_rtsp_camera_is_read_and_what_was_buffered_while_opening_is_not_shown():
    with RtspServer() as camera:
        sources = Sources([Source("stream:0", camera.url)])
        feed = Feed("run", lambda _: None)
        leave = sources.watch("stream:0", feed)
        numbers = []
        for _ in range(5):
            wait_until(lambda: feed.fresh, 30)
            numbers.append(barcode.read(feed.take().image))
        leave()
        sources.wait(20)
    assert all(earlier < later for earlier, later in itertools.pairwise(numbers))
    assert numbers[0] > 5


def test_the_pauses_are_those_that_are_promised():
    assert PAUSES == (0.5, 1, 2, 4, 8, 10)


def test_a_lost_source_goes_on_with_later_frames_and_all_are_counted(player, view):
    viewer = view()
    _, begun = viewer.take()
    player.plugged = False
    viewer.hear(SourceStatus)
    lost_at = player.number
    player.plugged = True
    wait_until(lambda: player.number >= lost_at + 5, 20)
    taken, number = viewer.take()
    assert number > lost_at
    assert taken.sequence == number - begun


def test_who_comes_while_the_source_is_lost_is_told(player, view):
    player.plugged = False
    view().hear(SourceStatus)
    assert view().hear(SourceStatus).state == "reconnecting"


def test_nobody_waits_for_the_end_of_a_pause(player):
    player.plugged = False
    sources = Sources([Source("camera:0", ADDRESS)], player.open, (3600,))
    viewer = Viewer(player, sources)
    viewer.hear(SourceStatus)
    viewer.leave()
    began = time.monotonic()
    sources.wait(20)
    assert time.monotonic() - began < 10


@pytest.mark.parametrize(
    ("size", "inner"), [((256, 192), (128, 96)), ((64, 96), (64, 96)), ((300, 50), (128, 21))]
)
def test_a_source_that_comes_back_with_another_size_is_fitted(player, view, size, inner):
    viewer = view()
    viewer.take()
    player.plugged = False
    viewer.hear(SourceStatus)
    player.size, player.plugged = size, True
    while viewer.hear(SourceStatus).state != "connected":
        pass
    viewer.take()  # may be from before
    taken, _ = viewer.take()
    assert taken.image.shape == (96, 128, 3)
    lit = np.argwhere(taken.image[..., 0] > 30)
    assert np.abs(lit.max(axis=0) + 1 - inner[::-1]).max() <= 1


def test_an_error_of_a_library_is_a_loss_and_its_text_stays_inside(player, view, caplog):
    caplog.set_level(logging.DEBUG)
    viewer = view()
    viewer.take()
    player.fault = RuntimeError(f"cannot read {ADDRESS}")
    lost = viewer.hear(SourceStatus)
    assert lost.state == "reconnecting"
    assert viewer.hear(SourceStatus).state == "connected"
    assert "RuntimeError" in caplog.text
    for text in (caplog.text, lost.message, repr(Source("camera:0", ADDRESS))):
        assert "hush" not in text and "invalid" not in text
