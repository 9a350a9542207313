"""Export one tower of a CLIP or SigLIP checkpoint: ``clip.py vision|text CHECKPOINT_DIR NETWORK.onnx ANSWERS.npz``."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModel, PreTrainedModel

OPSET = 17
ROWS = 2


class VisionTower(torch.nn.Module):
    """``pixel_values`` (n, 3, h, w) → ``embedding`` (n, d), not normalised."""

    def __init__(self, model: PreTrainedModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, pixel_values: torch.Tensor) -> torch.Tensor:
        return _embedding(self.model.get_image_features(pixel_values=pixel_values))


class TextTower(torch.nn.Module):
    """``input_ids`` (n, context) int64, padded → ``embedding`` (n, d), not normalised."""

    def __init__(self, model: PreTrainedModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        return _embedding(self.model.get_text_features(input_ids=input_ids))


def _embedding(output: object) -> torch.Tensor:
    """transformers 5 wraps what version 4 gave as it is."""
    return getattr(output, "pooler_output", output)


def _sample_pixels(model: PreTrainedModel) -> torch.Tensor:
    side = model.config.vision_config.image_size
    return torch.randn(ROWS, 3, side, side)


def _sample_tokens(model: PreTrainedModel) -> torch.Tensor:
    """Random tokens of two lengths, each ended and padded by the last token of the vocabulary, as CLIP's are."""
    config = model.config.text_config
    last = config.vocab_size - 1
    tokens = torch.randint(1, last, (ROWS, config.max_position_embeddings))
    for row, length in enumerate((config.max_position_embeddings - 1, 5)):
        tokens[row, length:] = last
    return tokens


def main(tower: str, checkpoint: Path, network: Path, answers: Path) -> None:
    """Write the network and its answers."""
    torch.manual_seed(0)
    # The eager attention is the one that traces to plain ONNX operators.
    model = AutoModel.from_pretrained(checkpoint, attn_implementation="eager", local_files_only=True).eval().float()
    if tower == "vision":
        module, name, sample = VisionTower(model), "pixel_values", _sample_pixels(model)
    else:
        module, name, sample = TextTower(model), "input_ids", _sample_tokens(model)
    with torch.no_grad():
        np.savez(answers, **{f"in_{name}": sample.numpy(), "out_embedding": module(sample).numpy()})
        torch.onnx.export(
            module,
            (sample,),
            str(network),
            input_names=[name],
            output_names=["embedding"],
            dynamic_axes={name: {0: "n"}, "embedding": {0: "n"}},
            opset_version=OPSET,
            dynamo=False,  # the newer exporter writes the weights to a file beside the network
        )


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), Path(sys.argv[4]))
