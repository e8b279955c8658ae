"""Hours of use in minutes: viewers come, watch, pause, stumble and leave, and in the end nothing is held.

`make soak` does it for 100,000 frames, `make test` for some thousand. INFERENCE_SOAK_FRAMES says how many.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit

import pytest

from tests.kit import barcode, holdings
from tests.kit.program import Program
from tests.kit.waiting import wait_until, wait_until_still

FRAMES = int(os.environ.get("INFERENCE_SOAK_FRAMES", "4000"))
VIEWERS = 6
LENGTH = 400
GROWTH = 1.1
"""Memory may be so many times what it was, once warm: allocators keep some of what is freed."""

CLOSE = {"Connection": "close"}
MODELS = ("m.number", "bad.fails_in_predict", "slow.slow", "broken.fails_in_setup")


@dataclass
class Crowd:
    """Viewers that use a program at random until they have had so many frames."""

    address: str
    chance: random.Random
    goal: int
    seen: int = 0
    did: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def watch(self) -> None:
        """Have `VIEWERS` of them at it, to the end."""
        began = [threading.Thread(target=self._viewer, args=(seed,)) for seed in range(VIEWERS)]
        for viewer in began:
            viewer.start()
        for viewer in began:
            viewer.join()

    def _viewer(self, seed: int) -> None:
        chance = random.Random(self.chance.random() + seed)
        while self.seen < self.goal and not self.wrong:
            try:
                self._visit(chance)
            except Exception as error:
                self.wrong.append(repr(error))

    def _visit(self, chance: random.Random) -> None:
        start = chance.randrange(LENGTH)
        query = {
            "video_name": chance.choices(["a.avi", "text.mp4", "none.avi"], [20, 1, 1])[0],
            "model_name": chance.choices(MODELS, [20, 3, 3, 1])[0],
            "start": start,
            "stop": start + chance.randrange(LENGTH),
            "run_id": f"soak-{chance.randrange(30):04d}",
            "width": 32,
        }
        url = urlsplit(self.address)
        connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=60)
        try:
            connection.request("GET", f"/generate_predictions?{urlencode(query)}", headers=CLOSE)
            response = connection.getresponse()
            self.did[str(response.status)] += 1
            if response.status == 200:
                self._read(response, start, chance)
            else:
                response.read()
            if chance.random() < 0.1:
                connection.request("DELETE", f"/runs/{query['run_id']}", headers=CLOSE)
                self.did[f"deleted: {connection.getresponse().status}"] += 1
        finally:
            connection.close()

    def _read(self, response: http.client.HTTPResponse, start: int, chance: random.Random) -> None:
        """Read frames in order, now and then pause, and leave early more often than not."""
        leave_after, expected = chance.randrange(2 * LENGTH), start
        while line := response.readline():
            if line.startswith(b"id: "):
                if int(line[4:]) != expected:
                    self.wrong.append(f"frame {expected} was due and {line!r} came")
                expected += 1
                self.seen += 1
            elif line.startswith(b"data: ") and b'"frame_idx":null' in line:
                self.did[json.loads(line[6:])["message"][:20]] += 1
            if expected - start >= leave_after:
                self.did["left early"] += 1
                return
            if chance.random() < 0.001:
                self.did["paused"] += 1
                time.sleep(chance.random() / 2)


@pytest.mark.timeout(60 + FRAMES / 20)
def test_after_much_use_the_program_holds_what_it_held(tmp_path):
    barcode.write(tmp_path / "a.avi", LENGTH, width=64, height=32)
    (tmp_path / "text.mp4").write_text("text")
    for name, says in zip(MODELS, ("", "frame=7", "seconds=0.005", ""), strict=True):
        (tmp_path / name).write_text(says)
    folders = ["--data", str(tmp_path), "--models", str(tmp_path), "--log-level", "error"]
    program = Program(*folders, "--port", "0", "-n_servers", "2", module="tests.kit.kit_app")
    try:
        program.wait_until_ready()
        _use(program, FRAMES // 4)
        before = _at_rest(program)
        did = _use(program, FRAMES)
        wait_until(lambda: holdings.shared(program.family()) <= before.shared, 20)
        after = _at_rest(program)
        print(f"\n{dict(did)}\nbefore: {before}\nafter:  {after}")
    finally:
        program.kill()
    assert after.processes == before.processes
    assert after.threads <= before.threads
    assert after.descriptors <= before.descriptors
    assert after.hidden == before.hidden
    assert after.memory <= before.memory * GROWTH


def _use(program: Program, frames: int) -> Counter[str]:
    crowd = Crowd(program.address or "", random.Random(frames), frames)
    crowd.watch()
    assert crowd.wrong == []
    return crowd.did


def _at_rest(program: Program) -> holdings.Holdings:
    """What it holds once nothing happens any more, and of no recording: a few stay open at hand."""
    wait_until(lambda: b"inference_runs_active 0.0" in _ask(program, "GET", "/metrics"), 20)
    wait_until(lambda: not _recorded_after_deleting(program), 20)
    wait_until_still(lambda: (of := holdings.of(program.family())).threads + of.descriptors, stillness=2)
    return holdings.of(program.family())


def _recorded_after_deleting(program: Program) -> list[str]:
    for run in _recorded(program):
        _ask(program, "DELETE", f"/runs/{run}")
    return _recorded(program)


def _recorded(program: Program) -> list[str]:
    return [run["run_id"] for run in json.loads(_ask(program, "GET", "/runs"))]


def _ask(program: Program, method: str, path: str) -> bytes:
    url = urlsplit(program.address or "")
    connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=10)
    connection.request(method, path, headers=CLOSE)
    body = connection.getresponse().read()
    connection.close()
    return body
