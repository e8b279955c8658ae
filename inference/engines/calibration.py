"""Calibration to 8 bits: the only module that imports NNCF, which OpenVINO's makers keep for it.

Heads stay in 32 bits, as what they give is what points are read from.
"""

from __future__ import annotations

import pathlib
import shutil
from collections.abc import Sequence

import nncf
import numpy as np
import openvino

from inference.engines import Image
from inference.engines.heads import head_layers, is_weighted, keep_exact
from inference.engines.openvino import INFO, MODEL

nncf.set_log_level(40)


def calibrate(exact: pathlib.Path, images: Sequence[Image], folder: pathlib.Path) -> None:
    """Write a converted model, its layers in 8 bits as far as that is of use, into a new folder.

    `images` are of the kind that it is to serve, all of one size.
    """
    model = openvino.Core().read_model(exact / MODEL)
    heads = head_layers(model)
    kept = [
        node.get_friendly_name()
        for node in model.get_ordered_ops()
        if node.get_friendly_name() in heads and is_weighted(node)
    ]
    calibrated = nncf.quantize(
        model,
        nncf.Dataset(images, lambda image: image[np.newaxis]),
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=len(images),
        ignored_scope=nncf.IgnoredScope(names=kept),
    )
    folder.mkdir()
    openvino.save_model(calibrated, folder / MODEL, compress_to_fp16=False)
    keep_exact(folder / MODEL, head_layers(calibrated))
    shutil.copy(exact / INFO, folder / INFO)
