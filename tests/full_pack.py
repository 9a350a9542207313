"""Sources of the full pack for tests: a folder for ``download_models.py --pack full --from DIR``, as a closed network
would get it, with stand-ins of the same kinds in the places of weights that no registry of packages has.

A small SCRFD of CV_TEST_MODELS and the compact pack's embedder in insightface's layout, liveness networks made here,
and checkpoints with random weights: a CLIP and a SigLIP saved by transformers, YOLOv8 built from its yaml.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from app.config import WEIGHTS_DIR
from app.ml_models.data_files import PACKS_DIR
from scripts.models.torch_tools import ConversionTools

FACE_ROLES = ("face_detection", "face_embedding", "face_liveness", "face_liveness_wide")
CLIP_ROLES = ("image_embedding", "image_text_embedding")
YOLO_ROLES = ("person_detection", "fire_smoke_detection")

_CLIP = """
import sys
import torch
from transformers import CLIPConfig, CLIPModel, SiglipConfig, SiglipModel
torch.manual_seed(0)
clip, siglip, words = sys.argv[1], sys.argv[2], int(sys.argv[3])
size = dict(hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4)
text = size | dict(vocab_size=words, bos_token_id=words - 2, eos_token_id=words - 1, pad_token_id=words - 1)
vision = size | dict(image_size=224, patch_size=32)
CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=768)).save_pretrained(clip)
size = dict(hidden_size=768, intermediate_size=64, num_hidden_layers=1, num_attention_heads=4)
text = size | dict(vocab_size=words, bos_token_id=words - 2, eos_token_id=words - 1, pad_token_id=words - 3)
vision = size | dict(image_size=224, patch_size=32)
SiglipModel(SiglipConfig(text_config=text, vision_config=vision)).save_pretrained(siglip)
"""

# Of the last scale's class scores the first is always near one: it sees persons, or smoke, all over a picture.
_YOLO = """
import sys
import torch
from ultralytics import YOLO
from ultralytics.nn.tasks import DetectionModel
torch.manual_seed(0)
for path, classes in zip(sys.argv[1:], (80, 2)):
    yolo = YOLO("yolov8n.yaml")
    yolo.model = DetectionModel("yolov8n.yaml", nc=classes, verbose=False)
    with torch.no_grad():
        yolo.model.model[-1].cv3[-1][-1].bias[0] = 5.0
    yolo.save(path)
"""

_SPECIAL_TOKENS = ["<pad>", "<|startoftext|>", "<|endoftext|>"]


def unpinned_manifests(folder: Path) -> Path:
    """The shipped manifests without the sha256 of the full pack's files, which stand-ins can't have."""
    folder.mkdir()
    shutil.copy(PACKS_DIR / "compact.toml", folder)
    for name in ("full.toml", "full-siglip2.toml"):
        manifest = (PACKS_DIR / name).read_text(encoding="utf-8")
        (folder / name).write_text(re.sub(r', sha256 = "\w{64}"', "", manifest), encoding="utf-8")
    return folder


def write_face_sources(folder: Path, third_party_models: Path) -> None:
    """The folder that insightface unpacks, and the two liveness networks."""
    buffalo = folder / "buffalo_l"
    buffalo.mkdir(parents=True, exist_ok=True)
    shutil.copy(third_party_models / "scrfd_500m_bnkps.onnx", buffalo / "det_10g.onnx")
    onnx.save(embedder_named_as_insightface_names_it(), buffalo / "w600k_r50.onnx")
    for name in ("MiniFASNetV2.onnx", "MiniFASNetV1SE.onnx"):
        onnx.save(liveness_network(), folder / name)


def write_checkpoints(folder: Path, tools: ConversionTools) -> None:
    """Repositories as people clone them, and the checkpoints of the detectors."""
    clip, siglip = folder / "clip-vit-large-patch14", folder / "siglip2-base-patch16-224"
    tokenizer = _tokenizer()
    _run_in(tools, _CLIP, clip, siglip, tokenizer.get_vocab_size())
    for repository in (clip, siglip):
        tokenizer.save(str(repository / "tokenizer.json"))
    fire = folder / "fire_detector" / "fire_detector"
    (fire / "models").mkdir(parents=True)
    (fire / "modules.py").write_text("class Layer:\n    pass\n", encoding="utf-8")
    _run_in(tools, _YOLO, folder / "yolov8s.pt", fire / "models" / "light_yolov8_flame.pt", detectors=True)


def write_compact_files(folder: Path) -> None:
    """The compact pack as another machine has it prepared: some of its models belong to the full one, too."""
    compact = WEIGHTS_DIR / "compact"
    for path in compact.rglob("*"):
        if path.is_file() and not path.name.startswith("."):
            link = folder / path.relative_to(compact)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(path)


def liveness_network() -> onnx.ModelProto:
    """``input`` (n, 3, 80, 80) → three logits, the mean of each channel; class 1 wins on green pictures."""
    graph = helper.make_graph(
        [
            helper.make_node("GlobalAveragePool", ["input"], ["means"]),
            helper.make_node("Flatten", ["means"], ["logits"], axis=1),
        ],
        "liveness",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n", 3, 80, 80])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 3])],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def embedder_named_as_insightface_names_it() -> onnx.ModelProto:
    """The compact pack's network, taking what insightface's own take: that name, and pixels of -1 to 1."""
    path = WEIGHTS_DIR / "compact" / "face_embedding.onnx"
    if not path.exists():
        pytest.skip("the compact pack is not installed: python scripts/download_models.py --pack compact")
    model = onnx.load(path)
    [picture] = model.graph.input
    model.graph.initializer.append(numpy_helper.from_array(np.array([127.5], np.float32), "half_range"))
    to_pixels = [
        helper.make_node("Mul", ["input.1", "half_range"], ["centred"]),
        helper.make_node("Add", ["centred", "half_range"], [picture.name]),
    ]
    nodes = [*to_pixels, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    picture.name = "input.1"
    return model


def _tokenizer() -> Tokenizer:
    """Writes any text, byte by byte, between the tokens that CLIP's has."""
    letters = [*sorted(pre_tokenizers.ByteLevel.alphabet()), *_SPECIAL_TOKENS]
    tokenizer = Tokenizer(models.BPE({letter: number for number, letter in enumerate(letters)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    ids = [(token, letters.index(token)) for token in _SPECIAL_TOKENS]
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<|startoftext|> $A <|endoftext|>", special_tokens=ids
    )
    return tokenizer


def _run_in(tools: ConversionTools, program: str, *arguments: object, detectors: bool = False) -> None:
    """Run a program in the conversion environment."""
    environment = os.environ | {"YOLO_CONFIG_DIR": str(tools._tools_dir), "HF_HUB_OFFLINE": "1", "YOLO_OFFLINE": "true"}
    environment["PYTHONPATH"] = str(tools._detectors_dir) if detectors else ""
    command = [str(tools._python), "-c", program, *map(str, arguments)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
