"""Image search: embedder and use cases."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo

from app.composition.backends import Backends
from app.composition.decoders import Decoders
from app.composition.matrices import Matrices
from app.config import Settings
from app.core.image_embedding import ImageEmbedder
from app.core.inference import InferencePool
from app.core.prototypes import Prototypes
from app.ml_models.concept_data import read_classes, read_glossary
from app.ml_models.factories.image import build_image_embedder
from app.ml_models.factories.image_models import ImageEmbeddingModel
from app.ml_models.manifest import load_pack
from app.ml_models.model_loader import ModelLoader
from app.ml_models.prototype_file import FILE_NAME, read_prototypes
from app.ml_models.roles import ModelRole
from app.utils import metrics
from app.workflows.image import ImageWorkflow
from app.workflows.image_search import ImageSearchWorkflow
from app.workflows.picture_search import IndexPictures, MemoryPictures, PictureSearch


def load_image_embedder(loader: ModelLoader) -> ImageEmbedder:
    """Pictures and words to one space, warm."""
    embedder = build_image_embedder(loader)
    embedder.warm_up()
    metrics.model_loaded.labels("image_embedding").set(1)
    return embedder


def load_prototypes(data_dir: Path, *, model_id: str) -> Prototypes:
    """What cv heads prototypes has learnt, none at first."""
    return Prototypes(read_prototypes(data_dir / FILE_NAME, model_id=model_id), read_glossary(read_classes()))


def compose_picture_search(backends: Backends, matrices: Matrices) -> PictureSearch:
    """Every picture, in memory where IMAGE_SEARCH says so."""
    index = IndexPictures(backends.vectors.images, backends.database)
    return index if matrices.images is None else MemoryPictures(matrices.images, beyond=index)


def compose_images(
    settings: Settings,
    pool: InferencePool,
    decoders: Decoders,
    backends: Backends,
    embedder: ImageEmbedder,
    search: PictureSearch,
    *,
    zone: ZoneInfo,
) -> ImageWorkflow:
    """Indexing, reading, changing and deleting pictures."""
    model = load_pack(settings.MODEL_PACK).model(ModelRole.IMAGE_EMBEDDING, ImageEmbeddingModel)
    return ImageWorkflow(
        pool=pool,
        pictures=decoders.pictures,
        embedder=embedder,
        database=backends.database,
        vectors=backends.vectors.images,
        search=search,
        storage=backends.storage,
        zone=zone,
        url_lifetime_s=settings.IMAGE_URL_LIFETIME_S,
        near_copy_cosine=model.params.near_copy_cosine,
    )


def compose_image_searches(
    settings: Settings,
    pool: InferencePool,
    decoders: Decoders,
    backends: Backends,
    embedder: ImageEmbedder,
    search: PictureSearch,
) -> ImageSearchWorkflow:
    """Searching by picture and by words."""
    return ImageSearchWorkflow(
        pool=pool,
        pictures=decoders.pictures,
        embedder=embedder,
        database=backends.database,
        search=search,
        prototypes=load_prototypes(settings.CV_DATA_DIR, model_id=embedder.model_id),
    )
