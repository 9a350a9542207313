"""A picture on its way into the records: read on an inference thread, named, and laid out for every backend."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass
from datetime import datetime

from app.core.image_embedding import ImageEmbedder
from app.services.image_filters import normal, normal_tags
from app.services.stores.image_store import ImageDetails, StoredImage
from app.services.vectors.base import ImageVector
from app.types import Embedding, FloatArray, Image
from app.utils import tracing
from app.utils.image_processing import bounded, encode_jpeg
from app.utils.pictures import Picture

IMAGE_FOLDERS = {"room": "rooms", "lost_found": "lost-found", "amenity": "amenities"}
THUMBNAIL_PREFIX = "thumb_"
THUMBNAIL_PX = 320
_ORIGINAL_QUALITY = 92
_THUMBNAIL_QUALITY = 80
_MARKS = {"room": "ROOM", "lost_found": "LF", "amenity": "AMENITY"}


@dataclass(frozen=True, slots=True)
class PictureReading:
    """A picture as the inference thread leaves it; ``pixel_sha256`` finds it again whatever its file says."""

    embedding: Embedding
    pixel_sha256: bytes
    original_jpeg: bytes
    thumbnail_jpeg: bytes
    width: int
    height: int


def read_picture(picture: Picture, *, embedder: ImageEmbedder) -> PictureReading:
    """Decode, embed and encode; for an inference thread.

    Raises:
        InvalidImage: the bytes are no picture.
        TooLarge: it is over a limit.
    """
    with tracing.stage("image.decode"):
        image = picture.decode()
    with tracing.stage("image.embed"):
        [embedding] = embedder.embed_images([image])
    height, width = image.shape[:2]
    with tracing.stage("image.encode"):
        return PictureReading(
            embedding=embedding,
            pixel_sha256=_pixel_sha256(image),
            # Encoded again from upright pixels, so that nothing of the EXIF data, where GPS hides, is kept.
            original_jpeg=encode_jpeg(image, quality=_ORIGINAL_QUALITY),
            thumbnail_jpeg=encode_jpeg(bounded(image, side_px=THUMBNAIL_PX), quality=_THUMBNAIL_QUALITY),
            width=width,
            height=height,
        )


def _pixel_sha256(image: Image) -> bytes:
    height, width = image.shape[:2]
    digest = hashlib.sha256(f"{width}x{height}:".encode())
    digest.update(image.data)  # the pixels where they are: a copy of a large picture takes as long as its digest
    return digest.digest()


def new_stored_image(
    reading: PictureReading, details: ImageDetails, *, uploaded_at: datetime, uploaded_by: str | None
) -> StoredImage:
    """The picture's record with fresh ids and readable keys.

    Args:
        uploaded_at: in the hotel's time zone, whose date is in the id.
    """
    image_id = new_image_id(details, uploaded_at)
    folder = IMAGE_FOLDERS[details.category]
    if details.category == "room":
        folder += f"/{details.room_number or 'unassigned'}"
    return StoredImage(
        image_id=image_id,
        vector_id=new_image_vector_id(),
        details=details,
        uploaded_at=uploaded_at,
        uploaded_by=uploaded_by,
        object_key=f"{folder}/{image_id}.jpg",
        thumbnail_key=f"{folder}/{THUMBNAIL_PREFIX}{image_id}.jpg",
        width=reading.width,
        height=reading.height,
        model_id=reading.embedding.model_id,
    )


def new_image_id(details: ImageDetails, uploaded_at: datetime) -> str:
    """Such as ``IMG_ROOM_201_20250117_3f9c2a1b``."""
    mark = _MARKS[details.category]
    if details.room_number:
        mark += f"_{details.room_number}"
    return f"IMG_{mark}_{uploaded_at:%Y%m%d}_{uuid.uuid4().hex[:8]}"


def new_image_vector_id() -> str:
    """A fresh key for a picture's vector."""
    return f"vec_img_{uuid.uuid4().hex}"


def vector_row(image: StoredImage, vector: FloatArray) -> ImageVector:
    """What the vector index holds of the picture."""
    details = image.details
    return ImageVector(
        vector_id=image.vector_id,
        image_id=image.image_id,
        vector=vector,
        category=details.category,
        uploaded_at_s=int(image.uploaded_at.timestamp()),
        room_number=details.room_number or "",
        item_type=normal(details.item_type or ""),
        location=normal(details.location or ""),
        status=details.status,
        tags=normal_tags(details.tags),
    )
