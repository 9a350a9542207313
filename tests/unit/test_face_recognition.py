"""Embeddings: of unit length, alike for one person, unlike for two; and the spec's own two tests."""

from __future__ import annotations

from itertools import combinations

import cv2
import numpy as np
import pytest

from app.core.face_recognition import FaceRecognitionEngine, largest_face
from app.core.picture_network import PictureNetwork
from app.errors import ConfigurationError
from app.ml_models.factories.face import FaceEngines
from app.ml_models.factories.face_embedding import ArcfaceModel
from app.ml_models.model_loader import ModelLoader
from app.types import Box, Embedding, Face, Image
from tests.photos import astronaut, coffee, evaluation_data, group, portrait, read_photo, varied


@pytest.fixture
def face_engine(face_engines: FaceEngines) -> FaceRecognitionEngine:
    return face_engines.recognition


# The spec's tests. Only the fixture and the photo are ours.


def test_extract_embedding(face_engine: FaceRecognitionEngine) -> None:
    image = astronaut()

    embedding = face_engine.extract_embedding(image)

    assert embedding is not None
    assert embedding.shape == (512,)
    assert np.linalg.norm(embedding) > 0


def test_compare_embeddings(face_engine: FaceRecognitionEngine) -> None:
    rng = np.random.default_rng(5)
    emb1 = rng.random(512).astype(np.float32)
    emb2 = emb1 + rng.random(512) * 0.01  # Similar
    emb3 = rng.random(512).astype(np.float32)  # Different

    sim12 = face_engine.compare_embeddings(emb1, emb2)
    sim13 = face_engine.compare_embeddings(emb1, emb3)

    assert sim12 > sim13
    assert 0 <= sim12 <= 1


# Ours.


def test_no_face_gives_no_embedding(face_engine: FaceRecognitionEngine) -> None:
    assert face_engine.extract_embedding(coffee()) is None


def test_templates_and_probes_have_unit_norm(face_engine: FaceRecognitionEngine) -> None:
    faces = face_engine.detect_faces(group())
    vectors = [template.embedding.vector for template in face_engine.embed(group(), faces)]
    vectors += [probe.vector for probe in face_engine.embed_probes(group(), faces)]
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)
    assert {vector.dtype for vector in vectors} == {np.dtype(np.float32)}


def test_several_faces_at_once_are_like_each_alone(face_engine: FaceRecognitionEngine) -> None:
    faces = face_engine.detect_faces(group())
    together = face_engine.embed(group(), faces)
    for face, template in zip(faces, together, strict=True):
        [alone] = face_engine.embed(group(), [face])
        np.testing.assert_allclose(alone.embedding.vector, template.embedding.vector, atol=1e-4)
        assert alone.norm == pytest.approx(template.norm, rel=1e-3)


def test_no_faces_are_embedded_to_nothing(face_engine: FaceRecognitionEngine) -> None:
    assert face_engine.embed(group(), []) == []
    assert face_engine.embed_probes(group(), []) == []


def test_another_picture_of_a_person_matches_and_other_people_do_not(face_engine: FaceRecognitionEngine) -> None:
    people = [portrait(person) for person in range(6)]
    vectors = [face_engine.extract_embedding(image) for image in people]
    again = [face_engine.extract_embedding(varied(image)) for image in people]
    confidence = face_engine.calibration.confidence
    for vector, other in zip(vectors, again, strict=True):
        assert vector is not None
        assert other is not None
        assert confidence(float(vector @ other), people=100) > 0.95
    for one, two in combinations(vectors, 2):
        assert one is not None
        assert two is not None
        assert confidence(float(one @ two), people=300) < 0.7  # two of the six look alike


def test_a_probe_finds_its_template(face_engine: FaceRecognitionEngine) -> None:
    faces = face_engine.detect_faces(group())
    templates = np.stack([template.embedding.vector for template in face_engine.embed(group(), faces)])
    probes = np.stack([probe.vector for probe in face_engine.embed_probes(group(), faces)])
    cosines = probes @ templates.T
    np.testing.assert_array_equal(cosines.argmax(axis=1), range(len(faces)))
    assert np.diag(cosines).min() > 0.95


def test_a_template_tells_how_well_the_network_knew_the_face(face_engine: FaceRecognitionEngine) -> None:
    sharp, blurred = astronaut(), cv2.GaussianBlur(astronaut(), (0, 0), 4).astype(np.uint8)
    faces = face_engine.detect_faces(sharp)
    [clear], [dim] = face_engine.embed(sharp, faces), face_engine.embed(blurred, faces)
    assert clear.norm > dim.norm + 0.3
    assert 0.9 < clear.mirror_agreement <= 1.0


def test_aligned_faces_are_112_px_crops_of_the_picture(face_engine: FaceRecognitionEngine) -> None:
    crops = face_engine.align(group(), face_engine.detect_faces(group()))
    assert [crop.shape for crop in crops] == [(112, 112, 3)] * 6
    assert {crop.dtype for crop in crops} == {np.dtype(np.uint8)}


def test_embeddings_of_two_models_are_not_compared(face_engine: FaceRecognitionEngine) -> None:
    vector = np.ones(4, np.float32)
    with pytest.raises(ValueError, match="cannot be compared"):
        face_engine.compare_embeddings(Embedding(vector, "one"), Embedding(vector, "two"))


@pytest.mark.parametrize(("other", "similarity"), [([1, 0], 1.0), ([0, 1], 0.0), ([-1, 0], 0.0), ([0, 0], 0.0)])
def test_similarity_is_the_cosine_and_never_negative(
    face_engine: FaceRecognitionEngine, other: list[float], similarity: float
) -> None:
    assert face_engine.compare_embeddings(np.array([1.0, 0.0]), np.array(other)) == pytest.approx(similarity)


def test_the_largest_face_is_chosen_by_area() -> None:
    def face(side: float) -> Face:
        return Face(Box(0, 0, side, side), 0.9, np.zeros((5, 2), np.float32))

    faces = [face(10), face(30), face(20)]
    assert largest_face(faces) is faces[1]
    assert largest_face([]) is None


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_crops_are_fed_as_insightface_feeds_them(model_loader: ModelLoader) -> None:
    """insightface reads from a graph whether it normalises its pictures itself, as the compact pack's does."""
    arcface = pytest.importorskip("insightface.model_zoo.arcface_onnx").ArcFaceONNX(
        str(model_loader.path("face_embedding"))
    )
    wanted = model_loader.model("face_embedding", ArcfaceModel).input
    network = PictureNetwork(
        model_loader.session("face_embedding"),
        input_name=wanted.name,
        mean=wanted.mean[0],
        scale=wanted.scale[0],
        rgb=wanted.colour == "RGB",
    )
    crop: Image = cv2.resize(astronaut()[40:240, 140:300], (112, 112)).astype(np.uint8)
    [ours] = network.run([crop])
    theirs = arcface.get_feat(crop)
    cosine = float((ours * theirs).sum() / np.linalg.norm(ours) / np.linalg.norm(theirs))
    assert cosine > 0.9995


def test_press_photos_are_told_apart(face_engine: FaceRecognitionEngine) -> None:
    folder = evaluation_data("faces_press")
    photos = {
        person.name: [face_engine.extract_embedding(read_photo(path)) for path in sorted(person.iterdir())[:3]]
        for person in sorted(folder.iterdir())
        if person.is_dir()
    }
    gallery = {name: vectors[0] for name, vectors in photos.items() if vectors[0] is not None}
    assert len(gallery) == len(photos)
    for name, vectors in photos.items():
        for probe in vectors[1:]:
            assert probe is not None
            assert max(gallery, key=lambda other: float(gallery[other] @ probe)) == name


def test_an_embedding_is_filled_up_to_the_length_of_the_collection(
    face_engine: FaceRecognitionEngine, model_loader: ModelLoader
) -> None:
    own_length = (
        model_loader.session("face_embedding").run({"data": np.zeros((1, 3, 112, 112), np.float32)})[0].shape[1]
    )
    [template] = face_engine.embed(astronaut(), face_engine.detect_faces(astronaut()))
    assert template.embedding.vector.shape == (512,)
    assert own_length < 512
    assert not template.embedding.vector[own_length:].any()
    assert template.embedding.vector[:own_length].any()


def test_a_network_that_answers_more_than_is_kept_is_refused(
    face_engine: FaceRecognitionEngine, model_loader: ModelLoader
) -> None:
    wanted = model_loader.model("face_embedding", ArcfaceModel).input
    network = PictureNetwork(
        model_loader.session("face_embedding"), input_name=wanted.name, mean=0.0, scale=1.0, rgb=True
    )
    engine = FaceRecognitionEngine(
        face_engine._detector,
        network,
        model_id="long",
        dimension=64,
        calibration=face_engine.calibration,
        plain_norm=0.0,
    )
    with pytest.raises(ConfigurationError, match="128 numbers, more than the 64"):
        engine.warm_up()


@pytest.mark.parametrize(("contrast", "light"), [(0.18, 150), (0.1, 8), (0.15, 220)])
def test_haze_and_darkness_hardly_change_who_a_face_is(
    contrast: float, light: int, face_engine: FaceRecognitionEngine
) -> None:
    [face] = face_engine.detect_faces(astronaut())
    dull = (astronaut() * contrast + light).clip(0, 255).astype(np.uint8)
    [clear_probe], [dull_probe] = (face_engine.embed_probes(image, [face]) for image in (astronaut(), dull))
    assert float(clear_probe.vector @ dull_probe.vector) > 0.9
