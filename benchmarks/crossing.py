"""A frame's way into another process, as `python -m benchmarks.crossing`: which costs least?

ZeroMQ as the pipeline uses it (PUSH to PULL on loopback), with and without a copy on the sender's side, and
shared memory with only the slot's number sent. Gray frames of two sizes, one way; the receiver reads each
frame once, as a predictor does. Processor time of both sides counts, since workers want the cores.
"""

from __future__ import annotations

import multiprocessing
import resource
import statistics
import time
from multiprocessing import shared_memory
from typing import Any

import numpy as np
import zmq

SIDES = (384, 1024)
WAYS = ("ZeroMQ, copied", "ZeroMQ, not copied", "shared memory")
FRAMES, ROUNDS, SLOTS = 1500, 5, 8


def main() -> None:
    """Print frames/s and ms of processor time a frame, medians of interleaved rounds."""
    print(f"{'a frame into another process':32s} {'frames/s':>9s} {'CPU ms a frame':>15s}")
    for side in SIDES:
        seen: dict[str, list[tuple[float, float]]] = {way: [] for way in WAYS}
        for _ in range(ROUNDS):
            for way in WAYS:
                seen[way].append(_measure(way, side))
        for way, figures in seen.items():
            rate, cost = (statistics.median(column) for column in zip(*figures, strict=True))
            print(f"{f'{side} x {side}, {way}':32s} {rate:9.0f} {cost:15.3f}")


def _measure(way: str, side: int) -> tuple[float, float]:
    spawn = multiprocessing.get_context("spawn")
    frame = np.random.default_rng(0).integers(0, 255, (side, side, 1), np.uint8)
    memory = shared_memory.SharedMemory(create=True, size=SLOTS * frame.nbytes)
    slots, (ours, theirs) = spawn.Semaphore(SLOTS), spawn.Pipe()
    with zmq.Context() as context, context.socket(zmq.PUSH) as push:
        push.setsockopt(zmq.SNDHWM, 1)
        push.setsockopt(zmq.SNDBUF, 64 * 1024)
        port = push.bind_to_random_port("tcp://127.0.0.1")
        arguments = (theirs, port, way, frame.shape, memory.name, slots)
        process = spawn.Process(target=_receive, args=arguments, daemon=True)
        process.start()
        ours.recv()
        before, began = _processor(), time.perf_counter()
        pixels, ring = frame.tobytes(), np.ndarray((SLOTS, *frame.shape), np.uint8, memory.buf)
        for index in range(FRAMES):
            if way == "shared memory":
                slots.acquire()
                ring[index % SLOTS] = frame
                push.send(index.to_bytes(4, "little"))
            elif way == "ZeroMQ, copied":
                push.send(pixels, copy=True)
            else:
                push.send(pixels, copy=False)
        theirs_spent = ours.recv()
        seconds, spent = time.perf_counter() - began, _processor() - before + theirs_spent
        process.join()
        del ring
    memory.close()
    memory.unlink()
    return FRAMES / seconds, spent * 1000 / FRAMES


def _receive(connection: Any, port: int, way: str, shape: tuple[int, ...], name: str, slots: Any) -> None:
    memory = shared_memory.SharedMemory(name)
    ring = np.ndarray((SLOTS, *shape), np.uint8, memory.buf)
    with zmq.Context() as context, context.socket(zmq.PULL) as pull:
        pull.setsockopt(zmq.RCVHWM, 1)
        pull.setsockopt(zmq.RCVBUF, 64 * 1024)
        pull.connect(f"tcp://127.0.0.1:{port}")
        connection.send(None)
        before = 0.0
        for index in range(FRAMES):
            part = pull.recv(copy=False)
            if index == 0:
                before = _processor()
            if way == "shared memory":
                ring[int.from_bytes(part.bytes, "little") % SLOTS].sum()
                slots.release()
            else:
                np.frombuffer(part.buffer, np.uint8).sum()
        connection.send(_processor() - before)
    del ring
    memory.close()


def _processor() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
