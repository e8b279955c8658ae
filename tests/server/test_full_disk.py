"""The program as its users start it, on a disk that is full: what it says, and what it goes on doing."""

from __future__ import annotations

import json
import resource
import sys

import httpx
import pytest
from httpx_sse import connect_sse

from inference.settings import HERE
from tests.kit.program import Program

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the limit of another process is Linux's")

RUN = "on-a-full-disk"
STOP = 60
FULL_AT = 20


@pytest.fixture
def program(tmp_path):
    """The program with the sample's model and video, one worker, and a folder of runs."""
    for name in ("best_model.h5", "best_model.json"):
        (tmp_path / name).write_bytes((HERE / "models" / name).read_bytes())
    (tmp_path / "a.mp4").write_bytes((HERE / "data" / "flies.mp4").read_bytes())
    folders = ["--data", str(tmp_path), "--models", str(tmp_path), "--runs", str(tmp_path / "runs")]
    started = Program(*folders, "--port", "0", "-n_servers", "1")
    yield started
    started.kill()


def test_a_run_goes_on_and_says_from_where_on_it_is_not_recorded(program, tmp_path):
    pid = program.process.pid
    unlimited = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    query = {"video_name": "a.mp4", "stop": STOP, "width": 32, "run_id": RUN}
    seen, told, last = [], [], None
    with (
        httpx.Client(base_url=program.address, timeout=100) as client,
        connect_sse(client, "GET", "/generate_predictions", params=query) as source,
    ):
        for event in source.iter_sse():
            last = (event.event, json.loads(event.data))
            if event.event == "message":
                seen.append(int(event.id))
            elif event.event == "status":
                told.append(last[1])
            if event.event == "message" and len(seen) == FULL_AT:
                (journal,) = (tmp_path / "runs").glob(f"{RUN}*")
                # room for a part of a record: a disk is full in the middle of a write
                full = journal.stat().st_size + 100
                resource.prlimit(pid, resource.RLIMIT_FSIZE, (full, unlimited[1]))
    assert (seen, last) == (list(range(STOP)), ("done", {"frames": STOP}))
    (message,) = [one["message"] for one in told if one["state"] == "not_recorded"]
    missing = int(message.removeprefix("From frame ").split(" ")[0])
    assert "on, this run is not recorded" in message and str(tmp_path) not in message

    resource.prlimit(pid, resource.RLIMIT_FSIZE, unlimited)
    (run,) = httpx.get(f"{program.address}runs", timeout=30).json()
    assert FULL_AT <= run["frames"] < STOP
    assert run["frames"] == run["last"] + 1 == missing
    answer = httpx.get(f"{program.address}runs/{RUN}/export", params={"format": "csv"}, timeout=60)
    numbers = {int(row.split(",")[1]) for row in answer.text.splitlines()[1:]}
    assert answer.status_code == 200 and max(numbers) == run["last"]
