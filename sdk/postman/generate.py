"""dist/cv-service.postman_collection.json, from docs/openapi.json: each request with an example that works as it is.

Postman, Insomnia, Bruno and Hoppscotch import the format (Postman Collection 2.1). On the standard library alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PROJECT_DIR = Path(__file__).resolve().parents[2]
DOCUMENT = PROJECT_DIR / "docs" / "openapi.json"
TARGET = PROJECT_DIR / "dist" / "cv-service.postman_collection.json"
_FORMAT = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
_JSON = "application/json"

Json = dict[str, Any]  # as free as JSON


def collection(document: Json) -> Json:
    """One folder for each tag; the address and the key are variables of the collection."""
    operations = [
        (path, method, operation) for path, item in document["paths"].items() for method, operation in item.items()
    ]
    key = {"key": "X-API-Key", "value": "{{apiKey}}", "in": "header"}
    return {
        "info": {"name": document["info"]["title"], "description": document["info"]["description"], "schema": _FORMAT},
        "auth": {"type": "apikey", "apikey": [{"key": name, "value": value} for name, value in key.items()]},
        "variable": [{"key": "baseUrl", "value": "http://127.0.0.1:8001"}, {"key": "apiKey", "value": ""}],
        "item": [
            {
                "name": tag["name"],
                "description": tag["description"],
                "item": [
                    _item(path, method, operation, document)
                    for path, method, operation in operations
                    if tag["name"] in operation["tags"]
                ],
            }
            for tag in document["tags"]
        ],
    }


def _item(path: str, method: str, operation: Json, document: Json) -> Json:
    request: Json = {
        "method": method.upper(),
        "description": operation["description"],
        "header": list(_headers(operation)),
        "url": _url(path, operation.get("parameters", [])),
    }
    if not operation["security"]:
        request["auth"] = {"type": "noauth"}
    content = operation.get("requestBody", {}).get("content", {})
    if content:
        media_type = _JSON if _JSON in content else "application/x-ndjson"
        body = _body(content[media_type], document)
        request["header"].append({"key": "Content-Type", "value": media_type})
        request["body"] = {"mode": "raw", "raw": body, "options": {"raw": {"language": "json"}}}
    return {"name": operation["operationId"], "request": request}


def _headers(operation: Json) -> Iterator[Json]:
    for parameter in operation.get("parameters", []):
        if parameter["in"] == "header":
            once = parameter["name"] == "Idempotency-Key"
            value = "{{$guid}}" if once else ""
            yield {"key": parameter["name"], "value": value, "disabled": not once, **_told(parameter)}


def _url(path: str, parameters: list[Json]) -> Json:
    query = [
        {"key": one["name"], "value": _value(one), "disabled": not (one["required"] or "examples" in one), **_told(one)}
        for one in parameters
        if one["in"] == "query"
    ]
    variables = [{"key": one["name"], "value": _value(one), **_told(one)} for one in parameters if one["in"] == "path"]
    parts = path.strip("/").replace("{", ":").replace("}", "").split("/")
    asked = "&".join(f"{one['key']}={one['value']}" for one in query if not one["disabled"])
    raw = "{{baseUrl}}/" + "/".join(parts) + (f"?{asked}" if asked else "")
    return {"raw": raw, "host": ["{{baseUrl}}"], "path": parts, "query": query, "variable": variables}


def _value(parameter: Json) -> str:
    schema = parameter["schema"]
    named = [one["value"] for one in parameter.get("examples", {}).values()]
    choices = [parameter.get("example"), *named, *schema.get("examples", []), schema.get("default")]
    found = next((one for one in choices if one is not None), "")
    return str(found).lower() if isinstance(found, bool) else str(found)


def _told(parameter: Json) -> Json:
    return {"description": parameter["description"]} if "description" in parameter else {}


def _body(content: Json, document: Json) -> str:
    if "example" in content:
        return str(content["example"])
    schema = document["components"]["schemas"][content["schema"]["$ref"].rpartition("/")[2]]
    return json.dumps(schema["example"], indent=1, ensure_ascii=False)


def main() -> None:
    """Write it."""
    TARGET.parent.mkdir(exist_ok=True)
    made = collection(json.loads(DOCUMENT.read_text(encoding="utf-8")))
    TARGET.write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
