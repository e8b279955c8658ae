"""Inputs that make sense, for each target, made by code: where mutations begin."""

from __future__ import annotations

import io
import json
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import cv2
import h5py
import numpy as np

from inference import records, wire
from inference.messages import (
    Credit,
    EndRecord,
    FailureRecord,
    FrameRecord,
    Instances,
    Layer,
    ModelInfo,
    PoseOptions,
    RunFacts,
    Sent,
    TrackingOptions,
)

_ANIMAL = Instances(
    np.array([[[1.5, 2.0], [np.nan, np.nan]]]), np.ones((1, 2)), np.ones(1), np.array([-1]), np.ones(1)
)
_FACTS = RunFacts(
    *("run-12345678", 1.7e9, "clip.mp4", "v1", 128, 96, 25.0, 40, ("m",), "m@1", ModelInfo(("a", "b"))),
    *(PoseOptions(), TrackingOptions(), {"python": "3"}),
)
_RECORDS = (FrameRecord(3, _ANIMAL, (0,)), FailureRecord(4, "no"), EndRecord(9))
_LAYER = {"class_name": "Dense", "module": "keras.layers", "config": {"units": 3}}
_MODEL = {"class_name": "Functional", "module": "keras", "config": {"layers": [_LAYER]}}
_LAMBDA = {**_MODEL, "config": {"layers": [{"class_name": "Lambda", "config": {"function": ["4wEA", None]}}]}}


def _wire(message: object) -> bytes:
    return b"\n--\n".join(map(bytes, wire.encode(message)))


def _training(head: str) -> bytes:
    node = {"py/object": "sleap.skeleton.Node", "py/state": {"py/tuple": ["head", 1.0]}}
    edge = {"py/reduce": [{"py/type": "sleap.skeleton.EdgeType"}, {"py/tuple": [1]}]}
    skeleton = {
        "nodes": [{"id": {"py/id": 1}}, {"id": {"py/id": 3}}],
        "links": [{"source": node, "target": node, "type": edge, "edge_insert_idx": 0}],
    }
    settings = {"confmaps": {"output_stride": 4, "anchor_part": None}, "pafs": {"output_stride": 8}}
    config = {
        "data": {"labels": {"skeletons": [skeleton]}, "preprocessing": {"input_scaling": 0.5}},
        "model": {"heads": {head: settings, "centroid": None}, "backbone": {"unet": {"max_stride": 16}}},
    }
    return json.dumps(config).encode()


def _hdf5(config: object) -> bytes:
    file = io.BytesIO()
    with h5py.File(file, "w") as content:
        content.attrs["keras_version"] = "2.15.0"
        content.attrs["model_config"] = json.dumps(config)
        content.create_group("model_weights")["kernel"] = np.zeros(3)
    return file.getvalue()


def _zip(config: object) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("metadata.json", '{"keras_version": "3.12.0"}')
    return file.getvalue()


def _film(name: str, codec: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), 30.0, (16, 16))
        for shade in range(5):
            writer.write(np.full((16, 16, 3), shade * 20, np.uint8))
        writer.release()
        return path.read_bytes()


_SENT = Sent(1, (("r", 1), ("r", 2)))


def _text_config(*layers: dict[str, object]) -> dict[str, object]:
    first = {"class_name": "Embedding", "config": {"name": "e", "input_dim": 3, "output_dim": 2}}
    last = {"class_name": "Dense", "config": {"name": "d", "units": 3, "activation": "softmax"}}
    return {"class_name": "Sequential", "config": [first, *layers, last]}


_LSTM = {"name": "l", "units": 2, "activation": "tanh", "recurrent_activation": "sigmoid", "use_bias": False}
_TEXT = _text_config({"class_name": "LSTM", "config": _LSTM})
_LINKED = {
    "class_name": "Functional",
    "config": {
        "layers": [
            {
                "class_name": "InputLayer",
                "name": "i",
                "config": {"batch_shape": [None, None, 3]},
                "inbound_nodes": [],
            },
            {"class_name": "GRU", "name": "l", "config": _LSTM, "inbound_nodes": [[["i", 0, 0, {}]]]},
            {
                "class_name": "Softmax",
                "name": "s",
                "config": {"axis": -1},
                "inbound_nodes": [[["l", 0, 0, {}]]],
            },
        ]
    },
}


def _text_model() -> bytes:
    shapes = {"e/embeddings": (3, 2), "l/kernel": (2, 8), "l/recurrent_kernel": (2, 8), "d/kernel": (2, 3)}
    file = io.BytesIO()
    with h5py.File(file, "w") as content:
        content.attrs["model_config"] = json.dumps(_TEXT)
        for name, shape in {**shapes, "d/bias": (3,)}.items():
            content[f"model_weights/{name}:0"] = np.zeros(shape, np.float32)
    return file.getvalue()


SEEDS: dict[str, Callable[[], list[bytes]]] = {
    "wire": lambda: [
        *map(
            _wire,
            (*_RECORDS, _FACTS, Credit("r", 3), Sent(1, (("r", 1), ("r", 2))), Layer(b"png", 0, 0, 1, 1)),
        ),
        b"[" * 2000,
    ],
    "journals": lambda: [
        b"".join(map(records.encode, (_FACTS, *_RECORDS))),
        b"?" + records.encode(_FACTS)[9:],
    ],
    "stream_query": lambda: [
        b"video_name=a.mp4&model_name=a&model_name=b&start=1&stop=3&threshold=0.5&floor=1e-3\n7",
        b"video_name=a&tracking=flow&track_window=1000&run_id=abcdefgh&maps=pafs&heartbeat=.5",
    ],
    "frame_list": lambda: [b"1,2,5-9", b"3 - 4 , 999999999999999", b"9-5"],
    "upload_name": lambda: [
        b"clip.mp4",
        b"..\\C:\\a/b.avi",
        "ä/..%2f b .MKV ".encode(),
        b"x" * 300 + b".mov",
    ],
    "training_config": lambda: [_training("multi_instance"), _training("centroid"), b"{}"],
    "skeleton": lambda: [b'{"nodes": ["head", "tail"], "edges": [[0, 1]]}', b'{"nodes": []}'],
    "code_in_config": lambda: [json.dumps(config).encode() for config in (_MODEL, _LAMBDA)],
    "code_in_graph": lambda: [b"\x12\x06PyFunc", b"\x12\x06Conv2D"],
    "hdf5": lambda: [_hdf5(config) for config in (_MODEL, _LAMBDA, [1])],
    "archive": lambda: [_zip(config) for config in (_MODEL, _LAMBDA, [1])],
    "progress": lambda: [b'{"what": "x", "done": 3, "total": 9}\n', b'{"done": 1e999, "total": null}\n[]'],
    "stream_flag": lambda: [b"rtsp://user:secret@host:554/x", b"yard=http://[::1]/a", b"\1 rtsp://a"],
    "camera_flag": lambda: [b"0", b"/dev/video2", b"/dev/../etc/passwd"],
    "film_tables": lambda: [_film("a.mp4", "mp4v"), _film("a.avi", "MJPG")],
    "request_words": lambda: [b"lab.example:5000", b"[::1]:80", b"https://lab.example", b"evil.example"],
    "request_head": lambda: [
        b"GET /limits?a=b HTTP/1.1\r\nHost: lab.example\r\nCookie: inference-5000=x; a=b\r\n\r\n",
        b"POST /videos HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n",
        b"GET http://[::1/limits HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + b"0" * 2000,
    ],
    "login_body": lambda: [b'{"token": "a-token-of-12"}', b"[" * 60_000, b'{"token":' * 6000],
    "vocabulary_file": lambda: [
        b'{"vocabulary": ["", "a", "b"], "counts": [0, 2, 1], "text": "a letter"}',
        b'{"vocabulary": ["", "\\ud83d\\ude00", "\\ud83d"]}',
    ],
    "text_config": lambda: [
        json.dumps(_TEXT).encode(),
        json.dumps(_LINKED).encode(),
        json.dumps(_text_config({"class_name": "Bidirectional", "config": {"layer": _TEXT}})).encode(),
    ],
    "text_model": lambda: [_text_model()],
    "catalog_name": lambda: [b"a.mp4", b"../secret.txt", b"a\0.h5", b"C:\\a"],
}
