"""The SQL of everything in the object store that some row names."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from app.services.database import Connection


@dataclass(frozen=True, slots=True)
class NamedObject:
    """An object that has to be there. ``owner`` is what people know it by: a person, a picture, a room."""

    kind: str
    owner: str
    key: str


_NAMED = (
    "SELECT 'face crop' AS kind, employee_id AS owner, crop_key AS key, created_at FROM face_templates "
    "UNION ALL SELECT 'picture', image_id, key, created_at FROM image_assets "
    "JOIN image_metadata ON id = image_id AND NOT is_deleted, unnest(ARRAY[object_key, thumbnail_key]) AS key "
    "UNION ALL SELECT 'room photo', 'room ' || room_number, key, analyzed_at FROM room_analysis_details "
    "JOIN room_analysis_logs ON id = analysis_id, jsonb_array_elements_text(photo_keys || crop_keys) AS key "
    "UNION ALL SELECT 'reference photo', owner_kind || ' ' || owner, key, set_at FROM room_references, "
    "jsonb_array_elements_text(photo_keys) AS key "
    "UNION ALL SELECT 'frame', 'incident ' || incident_id, key, seen_at FROM incident_detections, "
    "unnest(ARRAY[frame_key, marked_key, original_key]) AS key "
    "UNION ALL SELECT 'clip', 'incident ' || id, key, started_at FROM anomaly_incidents, "
    "unnest(ARRAY[clip_key, original_clip_key]) AS key "
    "UNION ALL SELECT 'document', 'result ' || result_id, object_key, processed_at FROM ocr_result_records "
    "JOIN ocr_results ON id = result_id"
)


async def named_objects(
    connection: Connection, *, after: str, limit: int, settled_after: timedelta
) -> list[NamedObject]:
    """The next objects by key, after ``after``, whose rows are older than ``settled_after``."""
    rows = await connection.fetch(
        f"SELECT DISTINCT ON (key) kind, owner, key FROM ({_NAMED}) AS named "  # noqa: S608  # constants only
        "WHERE key > $1 AND created_at < NOW() - $3::interval ORDER BY key LIMIT $2",
        after,
        limit,
        settled_after,
    )
    return [NamedObject(**row) for row in rows]
