"""Memory does not grow with the length of a video."""

import psutil


def held(bench):
    """Bytes of all child processes, what they share counted once."""
    processes = map(psutil.Process, bench.pipeline.processes().values())
    return sum(process.memory_full_info().uss for process in processes)


def test_memory_is_flat_however_long_the_video(bench):
    video = bench.video("memory.mp4", 3000, width=256, height=256)
    seen = {}

    def look(event):
        if event.index in (500, 2990):
            seen[event.index] = held(bench)

    bench.watch(bench.run(video), look)
    assert seen[2990] < seen[500] * 1.05
