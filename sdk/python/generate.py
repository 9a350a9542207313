"""src/cv_service_client/generated, from docs/openapi.json, by openapi-python-client. Not committed."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ruamel.yaml import YAML

HERE = Path(__file__).resolve().parent
DOCUMENT = HERE.parents[1] / "docs" / "openapi.json"
TARGET = HERE / "src" / "cv_service_client" / "generated"
_IN_ITS_PLACE = (
    "application/jsonl",
    "application/ndjson",
    "application/x-zip-compressed",
    "application/zip",
)  # by a File's type
_STREAMS = ("text/event-stream", "multipart/x-mixed-replace")  # do not end; cv_service_client.stream reads the first
_FILES = set(YAML(typ="safe").load(HERE / "generator.yaml")["content_type_overrides"])
# What the generator writes, and what it should. Where a body is of several kinds, it may be left out; ours are then
# always required. A file that goes as it is can't be sent by asyncio, and a second try would find it read.
_CORRECTED = {
    re.compile(r"(body:\s+\w+\s+\|\s+\w+)\s+\| Unset = UNSET,"): r"\1,",
    re.compile(r'_kwargs\["content"\] = body\.payload$', re.MULTILINE): r'_kwargs["content"] = body.payload.read()',
    re.compile(
        r'headers\["Content-Type"\] = ("application/x-ndjson")'
    ): r'headers["Content-Type"] = body.mime_type or \1',
}
_TIMEOUT_S = 120


def trimmed(document: dict[str, Any]) -> dict[str, Any]:
    """Without what every operation shares: its problems, which the transport raises. Without examples and streams."""
    for path, item in list(document["paths"].items()):
        for operation in item.values():
            operation["responses"] = {code: one for code, one in operation["responses"].items() if code < "300"}
            sent = operation.get("requestBody", {}).get("content", {})
            for media_type in _IN_ITS_PLACE:
                sent.pop(media_type, None)
            received = [
                content for one in operation["responses"].values() for content in one.get("content", {}).items()
            ]
            for media_type, content in [*sent.items(), *received]:
                if media_type in _FILES:
                    content["schema"] = {"type": "string", "format": "binary"}
                elif media_type == "text/plain":
                    content["schema"] = {"type": "string"}
        answers = [answer for operation in item.values() for answer in operation["responses"].values()]
        if path.endswith("/events") or any(
            kind in answer.get("content", {}) for answer in answers for kind in _STREAMS
        ):
            del document["paths"][path]
    for schema in document["components"]["schemas"].values():
        schema.pop("example", None)
    return document


def main() -> None:
    """Generate."""
    with TemporaryDirectory() as folder:
        source = Path(folder) / "openapi.json"
        source.write_text(json.dumps(trimmed(json.loads(DOCUMENT.read_text(encoding="utf-8")))))
        command = [sys.executable, "-m", "openapi_python_client", "generate", "--overwrite", "--fail-on-warning"]
        options = ["--meta", "none", "--config", HERE / "generator.yaml", "--path", source, "--output-path", TARGET]
        done = subprocess.run([*command, *options], timeout=_TIMEOUT_S, text=True, capture_output=True, check=False)
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    for module in (TARGET / "api").rglob("*.py"):
        text = module.read_text(encoding="utf-8")
        for written, meant in _CORRECTED.items():
            text = written.sub(meant, text)
        module.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
