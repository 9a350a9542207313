"""Export a YOLOv8 checkpoint: ``yolo.py CHECKPOINT.pt NETWORK.onnx ANSWERS.npz [LAYERS.py]``.

A checkpoint of Ultralytics is a pickled object: loading it runs what it names. Only files that the manifest pins, or
that the operator gave, come this far. ``LAYERS.py`` defines layers of the checkpoint's author that Ultralytics lacks;
such checkpoints were saved by a script, so their pickles look for the classes in ``__main__``.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import numpy as np
import onnx
import torch
from ultralytics import YOLO

OPSET = 17
ROWS = 2
SIDE_PX = 640


def main(checkpoint: Path, network: Path, answers: Path, *, layers: Path | None) -> None:
    """Write the network, its class names and licence in its metadata, and its answers."""
    torch.manual_seed(0)
    if layers is not None:
        defined = runpy.run_path(str(layers))
        vars(sys.modules["__main__"]).update(
            {name: value for name, value in defined.items() if isinstance(value, type)}
        )
    loaded = YOLO(str(checkpoint))
    model = loaded.model.float().fuse().eval()
    head = model.model[-1]
    head.export, head.format = True, "onnx"  # one tensor of boxes and scores instead of training's lists
    sample = torch.rand(ROWS, 3, SIDE_PX, SIDE_PX)
    with torch.no_grad():
        np.savez(answers, in_images=sample.numpy(), out_output0=model(sample).numpy())
        torch.onnx.export(
            model,
            (sample,),
            str(network),
            input_names=["images"],
            output_names=["output0"],
            dynamic_axes={"images": {0: "n"}, "output0": {0: "n"}},
            opset_version=OPSET,
            dynamo=False,  # the newer exporter writes the weights to a file beside the network
        )
    _describe(network, names=model.names, licence=str((loaded.ckpt or {}).get("license", "AGPL-3.0 (Ultralytics)")))


def _describe(network: Path, *, names: dict[int, str], licence: str) -> None:
    exported = onnx.load(network)
    onnx.helper.set_model_props(exported, {"names": str(names), "license": licence})
    onnx.save(exported, network)


if __name__ == "__main__":
    paths = [Path(argument) for argument in sys.argv[1:]]
    main(*paths[:3], layers=paths[3] if len(paths) > 3 else None)
