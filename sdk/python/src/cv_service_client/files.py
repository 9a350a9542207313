"""Files in requests: for forms, for JSON, and for bulk requests."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from io import BytesIO
from mimetypes import guess_type
from pathlib import Path
from typing import Any

from cv_service_client.generated.types import File


def file(source: Path | bytes, name: str | None = None) -> File:
    """A file for a form: ``FaceRecognitionForm(image=file(Path("frame.jpg")), camera_id="cam_lobby_01")``.

    Also the body of a bulk request that is a zip, which ``name`` has to end with.
    """
    content = source if isinstance(source, bytes) else source.read_bytes()
    named = name or (source.name if isinstance(source, Path) else "file")
    return File(payload=BytesIO(content), file_name=named, mime_type=guess_type(named)[0])


def to_base64(source: Path | bytes) -> str:
    """A file as JSON takes it."""
    return base64.b64encode(source if isinstance(source, bytes) else source.read_bytes()).decode()


def ndjson(items: Iterable[Mapping[str, Any]]) -> File:
    """The body of a bulk request: a line for each item."""
    lines = "".join(json.dumps(item, ensure_ascii=False) + "\n" for item in items)
    return File(payload=BytesIO(lines.encode()), mime_type="application/x-ndjson")
