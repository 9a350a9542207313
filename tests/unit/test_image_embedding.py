"""The compact pack's image embedder with its real weights, and the calibration."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from app.config import WEIGHTS_DIR
from app.core.image_embedding import ImageEmbedder, QueryKind, SimilarityCalibration, blend, fit_square
from app.errors import ModelUnavailable
from app.ml_models.factories.concept_space import class_directions
from app.ml_models.factories.image import build_image_embedder
from app.ml_models.manifest import load_pack
from app.ml_models.model_loader import ModelLoader
from app.types import Embedding, FloatArray, Image
from tests import photos

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def loader() -> ModelLoader:
    loader = ModelLoader(load_pack("compact"), WEIGHTS_DIR)
    try:
        loader.path("image_embedding")
    except ModelUnavailable as error:
        pytest.skip(f"the compact pack is not installed: {error.message}")
    return loader


@pytest.fixture(scope="module")
def embedder(loader: ModelLoader) -> ImageEmbedder:
    embedder = build_image_embedder(loader)
    embedder.warm_up()
    return embedder


def vector_of(embedder: ImageEmbedder, image: Image) -> FloatArray:
    return embedder.embed_images([image])[0].vector


def text_vector(embedder: ImageEmbedder, text: str) -> FloatArray:
    return embedder.embed_texts([text])[0].vector


def test_vectors_have_the_spec_s_dimension_and_unit_norm(embedder: ImageEmbedder) -> None:
    assert embedder.dimension == 768
    for embedding in (*embedder.embed_images([photos.coffee()]), *embedder.embed_texts(["ví da màu đen", "đỏ", "xyz"])):
        assert embedding.vector.shape == (768,)
        assert embedding.vector.dtype == np.float32
        assert np.linalg.norm(embedding.vector) == pytest.approx(1.0, abs=1e-5)
        assert embedding.model_id == embedder.model_id


def test_batch_gives_what_single_pictures_give(embedder: ImageEmbedder) -> None:
    images = [photos.coffee(), photos.astronaut(), photos.group()]
    for together, image in zip(embedder.embed_images(images), images, strict=True):
        assert together.vector @ vector_of(embedder, image) > 0.9999


def test_no_pictures_give_no_vectors(embedder: ImageEmbedder) -> None:
    assert embedder.embed_images([]) == []


def test_another_photo_of_the_scene_is_nearer_than_another_scene(embedder: ImageEmbedder) -> None:
    cup, other = vector_of(embedder, photos.coffee()), vector_of(embedder, photos.group())
    assert cup @ vector_of(embedder, photos.varied(photos.coffee())) > cup @ other + 0.3


@pytest.mark.parametrize("size", [(1, 1), (2, 900), (900, 2), (40, 30)])
def test_pictures_of_any_shape_are_embedded(embedder: ImageEmbedder, size: tuple[int, int]) -> None:
    image = np.full((*size, 3), 90, np.uint8)
    assert np.isfinite(vector_of(embedder, image)).all()


def test_a_mirrored_picture_has_nearly_the_same_vector(embedder: ImageEmbedder) -> None:
    cup = photos.coffee()
    assert vector_of(embedder, cup) @ vector_of(embedder, np.ascontiguousarray(cup[:, ::-1])) > 0.99


@pytest.mark.parametrize("text", ["coffee mug", "tách cà phê", "ly sứ", "tach ca phe"])
def test_words_in_both_languages_find_the_cup(embedder: ImageEmbedder, text: str) -> None:
    query = text_vector(embedder, text)
    cosines = {
        name: float(query @ vector_of(embedder, image))
        for name, image in (("cup", photos.coffee()), ("astronaut", photos.astronaut()), ("group", photos.group()))
    }
    assert max(cosines, key=cosines.__getitem__) == "cup"


def test_a_colour_word_prefers_the_thing_in_that_colour(embedder: ImageEmbedder) -> None:
    def tinted(channel: int) -> Image:
        image = cv2.cvtColor(cv2.cvtColor(photos.coffee(), cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
        others = [other for other in range(3) if other != channel]
        image[..., others] = image[..., others] // 4
        return image.astype(np.uint8)

    red, blue = vector_of(embedder, tinted(2)), vector_of(embedder, tinted(0))
    wanted = text_vector(embedder, "cốc màu đỏ")
    plain = text_vector(embedder, "cốc")
    assert wanted @ red - wanted @ blue > plain @ red - plain @ blue + 0.05


def test_class_directions_are_orthonormal_and_the_same_every_time(loader: ModelLoader) -> None:
    network = loader.path("image_features")
    directions = class_directions(network, 320)
    np.testing.assert_allclose(directions @ directions.T, np.eye(320), atol=1e-4)
    np.testing.assert_array_equal(directions, class_directions(network, 320))
    assert (np.take_along_axis(directions, np.abs(directions).argmax(axis=1)[:, None], axis=1) > 0).all()


def test_every_kind_of_query_has_a_calibration(embedder: ImageEmbedder) -> None:
    assert set(embedder.calibrations) == set(QueryKind)


def test_the_same_picture_is_as_similar_as_can_be(embedder: ImageEmbedder) -> None:
    cup = vector_of(embedder, photos.coffee())
    assert embedder.calibrations[QueryKind.IMAGE].similarity(float(cup @ cup)) > 0.99


@pytest.mark.parametrize("similarity", [0.01, 0.5, 0.7, 0.99])
def test_calibration_and_its_inverse_agree(similarity: float) -> None:
    calibration = SimilarityCalibration(slope=17.1, intercept=-7.63)
    assert calibration.similarity(calibration.cosine(similarity)) == pytest.approx(similarity)


def test_calibration_is_monotone_and_bounded() -> None:
    calibration = SimilarityCalibration(slope=17.1, intercept=-7.63)
    figures = [calibration.similarity(cosine) for cosine in np.linspace(-1, 1, 21)]
    assert figures == sorted(figures)
    assert all(0.0 <= figure <= 1.0 for figure in figures)


def test_the_bounds_of_similarity_accept_all_and_none() -> None:
    calibration = SimilarityCalibration(slope=17.1, intercept=-7.63)
    assert calibration.cosine(0.0) == -math.inf
    assert calibration.similarity(calibration.cosine(1.0)) == calibration.similarity(1.0) == 1.0


def unit(*values: float) -> FloatArray:
    vector = np.array(values, np.float32)
    return vector / np.linalg.norm(vector)


def test_blending_lies_between_picture_and_text() -> None:
    image, text = Embedding(unit(1, 0), "m"), Embedding(unit(0, 1), "m")
    np.testing.assert_allclose(blend(image, text, text_share=0.5).vector, unit(1, 1), atol=1e-6)
    np.testing.assert_allclose(blend(image, text, text_share=0.0).vector, image.vector, atol=1e-6)


def test_vectors_of_different_models_are_never_blended() -> None:
    with pytest.raises(ValueError, match="cannot blend"):
        blend(Embedding(unit(1, 0), "a"), Embedding(unit(0, 1), "b"), text_share=0.5)


def test_a_picture_keeps_its_proportions_in_the_square() -> None:
    wide = np.full((50, 200, 3), 10, np.uint8)
    wide[20:30, 95:105] = 250  # a square spot in the middle
    square = fit_square(wide, side_px=100)
    rows, columns = np.nonzero(square[..., 0] > 128)
    assert square.shape == (100, 100, 3)
    assert abs((rows.max() - rows.min()) - (columns.max() - columns.min())) <= 1
    assert square[0, 0, 0] == 10  # filled with the border's colour
