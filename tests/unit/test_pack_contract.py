"""What the engines of every pack have to hold, whatever networks are behind them: one suite, run over both packs.

The compact pack runs its real weights. The full pack runs its own kinds of networks: a SCRFD and a YOLOv8 of
CV_TEST_MODELS, an ArcFace, a CLIP of a few kilobytes, and liveness networks made for tests; and, where there is a
conversion environment, what the download script makes of checkpoints with random weights (tests/full_pack.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import onnx
import pytest

from app.config import WEIGHTS_DIR
from app.core.anomalies import AnomalyType
from app.core.anomaly_detector import HeadAnomalyDetector
from app.core.image_embedding import ImageEmbedder, QueryKind
from app.core.object_detection import ObjectDetector
from app.core.room_analyzer import PhotoEvidence, RoomModel
from app.errors import ModelUnavailable
from app.ml_models.factories.anomaly import build_anomaly_detector, build_person_detector
from app.ml_models.factories.clip import ClipTextModel, ClipVisionModel
from app.ml_models.factories.face import FaceEngines, build_face_engines
from app.ml_models.factories.image import build_image_embedder
from app.ml_models.factories.room import build_room_model
from app.ml_models.integrity import file_sha256
from app.ml_models.manifest import load_pack
from app.ml_models.model_loader import ModelLoader
from app.ml_models.specs import ModelSpec, Pack, PackFile
from app.types import Image
from tests.full_pack import (
    embedder_named_as_insightface_names_it,
    liveness_network,
    write_compact_files,
    write_face_sources,
)
from tests.packs import revised
from tests.photos import astronaut, coffee, group
from tests.unit.conftest import PreparedPacks

pytestmark = pytest.mark.slow

PROJECT_DIR = Path(__file__).resolve().parents[2]
TINY_CLIP = PROJECT_DIR / "tests" / "fixtures" / "tiny_clip"


@dataclass(frozen=True, slots=True)
class Engines:
    """Those that a pack brings. Readers of documents are the same in both."""

    faces: FaceEngines
    pictures: ImageEmbedder
    persons: ObjectDetector
    hazards: HeadAnomalyDetector
    rooms: RoomModel


def full_pack_of_stand_ins(folder: Path, third_party_models: Path) -> ModelLoader:
    """The full pack's manifest over small networks of the same kinds."""
    full = load_pack("full")
    target = folder / "stand-ins"
    target.mkdir()
    onnx.save(embedder_named_as_insightface_names_it(), target / "embedder.onnx")
    onnx.save(liveness_network(), target / "liveness.onnx")
    sources = {
        "face_detection": [third_party_models / "scrfd_500m_bnkps.onnx"],
        "face_embedding": [target / "embedder.onnx"],
        "face_liveness": [target / "liveness.onnx"],
        "face_liveness_wide": [target / "liveness.onnx"],
        "image_embedding": [TINY_CLIP / "vision.onnx"],
        "image_text_embedding": [TINY_CLIP / "text.onnx", TINY_CLIP / "tokenizer.json"],
        "image_features": [WEIGHTS_DIR / "compact" / str(file.path) for file in full.spec("image_features").files],
        "person_detection": [third_party_models / "yolov8n_from_int8.onnx"],
    }
    specs = [_with_files(full.spec(role), files, folder) for role, files in sources.items()]
    return ModelLoader(Pack("full", "for tests", {spec.role: _fitted(spec) for spec in specs}), folder)


def _with_files(spec: ModelSpec, sources: list[Path], folder: Path) -> ModelSpec:
    files = []
    for source in sources:
        name = PurePosixPath(spec.role) / source.name
        link = folder / "full" / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(source)
        files.append(PackFile(path=name, sha256=file_sha256(source)))
    return revised(spec, files=tuple(files), runtime=revised(spec.runtime, cpu="onnxruntime", fp16_file=None))


def _fitted(spec: ModelSpec) -> ModelSpec:
    """What the small CLIP takes."""
    if isinstance(spec, ClipVisionModel):
        small = revised(spec.input, width=32, height=32)
        return revised(spec, input=small, params=revised(spec.params, dimension=16))
    if isinstance(spec, ClipTextModel):
        return revised(spec, params=revised(spec.params, context=12, pad_token="<end>"))
    return spec


@pytest.fixture(scope="module", params=["compact", "full", "full out of checkpoints"])
def engines(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Engines:
    if request.param == "compact":
        loader = ModelLoader(load_pack("compact"), WEIGHTS_DIR)
    elif request.param == "full out of checkpoints":
        prepared: PreparedPacks = request.getfixturevalue("prepared_packs")
        write_face_sources(prepared.sources, request.getfixturevalue("third_party_models"))
        write_compact_files(prepared.sources)
        assert prepared.install("full", "--accept-licence") == 0
        loader = prepared.loader("full")
    else:
        pytest.importorskip("tokenizers", reason="only packs with CLIP need the tokenizers package")
        models: Path = request.getfixturevalue("third_party_models")
        loader = full_pack_of_stand_ins(tmp_path_factory.mktemp("full"), models)
    try:
        return Engines(
            faces=build_face_engines(loader),
            pictures=build_image_embedder(loader),
            persons=build_person_detector(loader),
            hazards=build_anomaly_detector(loader),
            rooms=build_room_model(loader),
        )
    except ModelUnavailable as error:
        pytest.skip(f"the compact pack is not installed: {error.message}")


def inside(image: Image, x1: float, y1: float, x2: float, y2: float) -> bool:
    height, width = image.shape[:2]
    return bool(0 <= x1 < x2 <= width and 0 <= y1 < y2 <= height)


def test_everything_warms_up(engines: Engines) -> None:
    for engine in (engines.faces, engines.pictures, engines.persons, engines.hazards, engines.rooms):
        engine.warm_up()


def test_faces_are_found_surest_first_inside_the_picture(engines: Engines) -> None:
    photo = group()
    faces = engines.faces.recognition.detect_faces(photo)
    assert len(faces) == 6
    assert [face.score for face in faces] == sorted((face.score for face in faces), reverse=True)
    for face in faces:
        assert 0.0 <= face.score <= 1.0
        assert inside(photo, face.box.x1, face.box.y1, face.box.x2, face.box.y2)
        assert face.landmarks.shape == (5, 2)


def test_a_picture_without_a_face_has_none(engines: Engines) -> None:
    assert engines.faces.recognition.detect_faces(np.full((240, 320, 3), 127, np.uint8)) == []


def test_templates_have_length_one_and_a_face_is_nearest_to_itself(engines: Engines) -> None:
    recognition, photo = engines.faces.recognition, group()
    faces = recognition.detect_faces(photo)
    templates = [template.embedding for template in recognition.embed(photo, faces)]
    probes = recognition.embed_probes(photo, faces)
    assert {e.model_id for e in [*templates, *probes]} == {recognition.model_id}
    gallery = np.stack([template.vector for template in templates])
    assert gallery.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(gallery, axis=1), 1.0, rtol=1e-5)
    nearest = [int(np.argmax(gallery @ probe.vector)) for probe in probes]
    assert nearest == list(range(len(faces)))


def test_a_kept_crop_gives_the_template_of_its_picture(engines: Engines) -> None:
    recognition, photo = engines.faces.recognition, astronaut()
    faces = recognition.detect_faces(photo)[:1]
    [whole], [crop] = recognition.embed(photo, faces), recognition.embed_aligned(recognition.align(photo, faces))
    np.testing.assert_allclose(whole.embedding.vector, crop.embedding.vector, atol=1e-5)


def test_liveness_is_a_score_with_a_verdict(engines: Engines) -> None:
    photo = astronaut()
    faces = engines.faces.recognition.detect_faces(photo)[:1]
    [judged] = engines.faces.liveness.assess(photo, faces)
    assert judged.score is not None
    assert 0.0 <= judged.score <= 1.0
    assert isinstance(judged.is_live, bool)


def test_pictures_and_words_share_a_space_of_unit_vectors(engines: Engines) -> None:
    embedder = engines.pictures
    pictures, words = embedder.embed_images([coffee(), group()]), embedder.embed_texts(["keys", "chìa khóa"])
    vectors = np.stack([e.vector for e in [*pictures, *words]])
    assert vectors.shape == (4, embedder.dimension)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, rtol=1e-4)
    assert {e.model_id for e in [*pictures, *words]} == {embedder.model_id}
    assert set(embedder.calibrations) == set(QueryKind)


def test_a_batch_of_pictures_gives_what_single_ones_give(engines: Engines) -> None:
    photos = [coffee(), group()]
    together = engines.pictures.embed_images(photos)
    for photo, embedding in zip(photos, together, strict=True):
        [alone] = engines.pictures.embed_images([photo])
        assert float(alone.vector @ embedding.vector) >= 0.999
    assert engines.pictures.embed_images([]) == []


def test_persons_are_found_inside_the_picture(engines: Engines) -> None:
    photo = group()
    [found] = engines.persons.detect([photo])
    assert found
    for detection in found:
        assert 0.0 <= detection.score <= 1.0
        assert detection.label
        assert inside(photo, detection.box.x1, detection.box.y1, detection.box.x2, detection.box.y2)


def test_only_hazards_that_are_asked_for_are_reported(engines: Engines) -> None:
    asked = {AnomalyType.INTRUSION}
    found = engines.hazards.detect(group(), asked)
    assert {anomaly.type for anomaly in found} == asked
    assert all(0.0 <= anomaly.confidence <= 1.0 for anomaly in found)


def test_rooms_are_looked_at_picture_by_picture(engines: Engines) -> None:
    evidence = engines.rooms.inspect([coffee(), astronaut()], depth="quick")
    assert len(evidence) == 2
    assert all(isinstance(one, PhotoEvidence) and 0.0 <= one.room <= 1.0 for one in evidence)
