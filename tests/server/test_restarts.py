"""A recorded run that something dies under, at 40 %: its export is that of an undisturbed run."""

import httpx
import pytest

from tests.kit import barcode
from tests.kit.program import Program
from tests.kit.waiting import wait_until_gone

FRAMES = 500
QUERY = {"video_name": "a.mp4", "model_name": "steady.slow", "width": 32}


@pytest.fixture
def program(tmp_path):
    """Starts the program with the kit's models, always on the same folders."""
    barcode.write(tmp_path / "a.mp4", FRAMES)
    # not so fast that all is written before a reader that was held up comes to 40 %
    (tmp_path / "steady.slow").write_text("seconds=0.02")
    started = []

    def start():
        flags = ["--data", str(tmp_path), "--models", str(tmp_path), "--runs", str(tmp_path / "runs")]
        started.append(Program(*flags, "--port", "0", "-n_servers", "2", module="tests.kit.kit_app"))
        return started[-1]

    yield start
    for one in started:
        one.kill()


def stream(program, run_id, last=-1, at_40_percent=None):
    """Read a stream to its end, or until it breaks; the frames that came."""
    headers = {"Last-Event-ID": str(last)} if last >= 0 else {}
    frames = []
    with httpx.stream(
        "GET", f"{program.address}generate_predictions", params={**QUERY, "run_id": run_id},
        headers=headers, timeout=60,
    ) as response:  # fmt: skip
        try:
            for line in response.iter_lines():
                if line.startswith("id: "):
                    frames.append(int(line[4:]))
                    if len(frames) == FRAMES * 4 // 10 and at_40_percent is not None:
                        at_40_percent()
        except httpx.RemoteProtocolError:
            pass  # the program is gone
    return frames


def export(program, run_id):
    address = f"{program.address}runs/{run_id}/export"
    response = httpx.get(address, params={"format": "csv"}, timeout=60)
    assert response.status_code == 200
    return response.text


def test_a_recorded_run_survives_the_producer_and_the_web_process(program):
    running = program()
    family = running.family()
    spawned = [child for child in family[1:] if "spawn_main" in " ".join(child.cmdline())]
    producer = min(spawned, key=lambda child: child.create_time())

    assert stream(running, "undisturbed") == list(range(FRAMES))
    assert stream(running, "without-producer", at_40_percent=producer.kill) == list(range(FRAMES))
    assert not producer.is_running()
    seen = stream(running, "without-web", at_40_percent=running.process.kill)
    assert FRAMES * 0.4 <= len(seen) < FRAMES
    wait_until_gone(family, 10)

    again = program()
    seen += stream(again, "without-web", last=seen[-1])
    assert seen == list(range(FRAMES))
    undisturbed = export(again, "undisturbed")
    assert export(again, "without-producer") == undisturbed
    assert export(again, "without-web") == undisturbed
