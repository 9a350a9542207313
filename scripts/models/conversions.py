"""From downloaded files to the files of a pack. Each conversion is named in a manifest's ``source`` table.

None of these needs PyTorch; the ones that do are in ``torch_conversions.py`` and run in an environment of their own.
Heavy imports are late, so that a run with nothing to do ends at once.
"""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Callable, Mapping

from google.protobuf.message import DecodeError

from app.ml_models.specs import CenterNetSourceSpec
from scripts.models.conversion import Conversion
from scripts.models.errors import PreparationError


def _copy(job: Conversion) -> None:
    for source, target in zip(job.sources, job.targets, strict=True):
        shutil.copyfile(source, target)


def _gunzip(job: Conversion) -> None:
    for source, target in zip(job.sources, job.targets, strict=True):
        with gzip.open(source) as packed, target.open("wb") as file:
            shutil.copyfileobj(packed, file)


def _repair_onnx(job: Conversion) -> None:
    """Free the batch dimension and drop denormal weights; see ``graphs.py``."""
    import onnx

    from scripts.models import graphs

    for source, target in zip(job.sources, job.targets, strict=True):
        model = onnx.load(source)
        graphs.free_batch(model)
        graphs.drop_denormals(model)
        graphs.save(model, target)


def _open_liveness(job: Conversion) -> None:
    """As ``_repair_onnx``, with the network's inner layers as a second output; see ``liveness_layers.py``."""
    import onnx

    from scripts.models import graphs, liveness_layers

    (source,), (target,) = job.sources, job.targets
    model = onnx.load(source)
    graphs.free_batch(model)
    graphs.drop_denormals(model)
    liveness_layers.expose(model)
    graphs.save(model, target)


def _free_ultraface(job: Conversion) -> None:
    import onnx

    from scripts.models import graphs, ultraface

    (source,), (target,) = job.sources, job.targets
    model = ultraface.free_size(onnx.load(source))
    graphs.drop_denormals(model)
    graphs.save(model, target)


def _dequantise(job: Conversion) -> None:
    """Fold block-quantised weights and free the batch dimension; see ``dequantise.py``."""
    import onnx

    from scripts.models import dequantise, graphs

    (source,), (target,) = job.sources, job.targets
    model = dequantise.fold_weights(onnx.load(source))
    graphs.free_batch(model)
    graphs.save(model, target)


def _free_yunet(job: Conversion) -> None:
    """As ``_dequantise``, for pictures of any size."""
    import onnx

    from scripts.models import dequantise, graphs

    (source,), (target,) = job.sources, job.targets
    model = dequantise.fold_weights(onnx.load(source))
    graphs.free_batch(model)
    graphs.free_sides(model)
    graphs.save(model, target)


def _convert_centernet(job: Conversion) -> None:
    from scripts.models import graphs, tfjs_graph

    (graph, weights), (target,) = job.sources, job.targets
    outputs = ("tower_0/keypoints", "tower_0/wh")
    side_px = job.options_as(CenterNetSourceSpec).side_px
    graphs.save(tfjs_graph.read_graph(graph, weights, outputs=outputs, input_name="images", side_px=side_px), target)


def _build_efficientnet_lite0(job: Conversion) -> None:
    from scripts.models import efficientnet_lite, graphs, torch_archive

    (checkpoint,), (target,) = job.sources, job.targets
    graphs.save(efficientnet_lite.build_graph(torch_archive.read_tensors(checkpoint)), target)


def _adapt_aster(job: Conversion) -> None:
    from scripts.models.aster import adapt_aster

    network, vocabulary = job.sources
    adapt_aster(network, vocabulary, job.targets[0].parent)


def _build_concept_vectors(job: Conversion) -> None:
    from scripts.models.concept_vectors import build_concept_vectors

    (network,), (target,) = job.sources, job.targets
    build_concept_vectors(network, target)


def _export_clip(job: Conversion) -> None:
    from scripts.models.torch_conversions import export_clip

    export_clip(job)


def _export_yolo(job: Conversion) -> None:
    from scripts.models.torch_conversions import export_yolo

    export_yolo(job)


CONVERSIONS: Mapping[str, Callable[[Conversion], None]] = {
    "copy": _copy,
    "gunzip": _gunzip,
    "repair-onnx": _repair_onnx,
    "liveness-layers": _open_liveness,
    "ultraface": _free_ultraface,
    "efficientnet-lite0": _build_efficientnet_lite0,
    "aster": _adapt_aster,
    "concept-vectors": _build_concept_vectors,
    "clip": _export_clip,
    "yolo": _export_yolo,
    "centernet": _convert_centernet,
    "dequantise": _dequantise,
    "yunet": _free_yunet,
}


def convert(name: str, job: Conversion) -> None:
    """Run the conversion of that name.

    Raises:
        PreparationError: there is none of that name, or it could not make sense of its files.
    """
    conversion = CONVERSIONS.get(name)
    if conversion is None:
        raise PreparationError(f"the manifest names the conversion {name}, which there is not")
    for target in job.targets:
        target.parent.mkdir(parents=True, exist_ok=True)
    try:
        conversion(job)
    except (ValueError, KeyError, OSError, EOFError, DecodeError) as error:
        raise PreparationError(f"the conversion {name} failed: {error}") from error
