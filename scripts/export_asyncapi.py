"""The document of all events, as a file that changes are seen in: docs/asyncapi.json (AsyncAPI 3.0).

python scripts/export_asyncapi.py            # write it
python scripts/export_asyncapi.py --check    # exit status 1 if it is not what docs/events.md and the code say

The schemas and samples are those of docs/events.md, which tests hold against what is really written.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from app.config import Settings
from app.services.message_queue import QUEUED_TYPES
from scripts.committed_document import write_or_compare

DOCS = Path(__file__).resolve().parents[1] / "docs"
TARGET = DOCS / "asyncapi.json"
_SECTION = re.compile(
    r"^## (?P<type>\w+\.[\w.]+)\n\n(?P<text>.*?)^```json schema\n(?P<schema>.*?)^```"
    r".*?^```json sample\n(?P<sample>.*?)^```",
    re.M | re.S,
)
_ATTRIBUTES = ("specversion", "id", "source", "type", "time")
_SIGNATURE = ("webhook-id", "webhook-timestamp", "webhook-signature")

Json = dict[str, Any]  # as free as JSON


def _reference(*path: str) -> Json:
    return {"$ref": "#/" + "/".join(part.replace("/", "~1") for part in path)}


def messages() -> Json:
    """Every event of docs/events.md: its schema, and its sample."""
    found: Json = {}
    for section in _SECTION.finditer((DOCS / "events.md").read_text(encoding="utf-8")):
        name = section["type"]
        found[name] = {
            "name": name,
            "title": name,
            "summary": " ".join(section["text"].split("\n\n")[0].split()),
            "contentType": "application/json",
            "payload": json.loads(section["schema"]),
            "examples": [{"name": "sample", "payload": json.loads(section["sample"])}],
        }
    return found


def _channels(types: list[str], exchange: str) -> Json:
    broker: Json = {
        name: {
            "address": name,
            "description": f"Routing key {name}"
            + (
                "; the durable queue of that name, behind EVENTS_QUEUE_PREFIX, is bound."
                if name in QUEUED_TYPES
                else ""
            ),
            "servers": [_reference("servers", "broker")],
            "messages": {name: _reference("components", "messages", name)},
            "bindings": {
                "amqp": {
                    "is": "routingKey",
                    "exchange": {"name": exchange, "type": "topic", "durable": True, "autoDelete": False},
                }
            },
        }
        for name in types
    }
    every = {name: _reference("components", "messages", name) for name in types}
    stream = {
        "address": "/api/v1/cv/events",
        "description": "Server-Sent Events: `event` is the type, `data` the message, `id` counts up.",
        "servers": [_reference("servers", "service")],
        "messages": every,
        "bindings": {"http": {}},
    }
    webhook: Json = {
        "address": None,
        "description": "Posts to the addresses of `POST /webhooks`, signed as Standard Webhooks says.",
        "messages": every,
        "bindings": {"http": {}},
    }
    mqtt: Json = {
        "address": "cv/events/{type}",
        "description": "MQTT 5, QoS 1, not retained; cv is MQTT_TOPIC_PREFIX. Topics of cameras: docs/events.md.",
        "servers": [_reference("servers", "mqtt")],
        "parameters": {"type": {"description": "The event's type", "enum": types}},
        "messages": every,
    }
    return {**broker, "stream": stream, "webhook": webhook, "mqtt": mqtt}


def document() -> str:
    """The document of the code as it stands."""
    settings = Settings.model_construct()
    known = messages()
    channels = _channels(list(known), settings.EVENTS_EXCHANGE)
    whole = {
        "asyncapi": "3.0.0",
        "info": {
            "title": f"{settings.APP_NAME} events",
            "version": settings.VERSION,
            "description": "Events by RabbitMQ, Server-Sent Events, webhooks and MQTT; see docs/events.md.",
            "contact": {"name": "The maintainers of CV Service"},
            "license": {"name": "Apache License 2.0"},
            "tags": [{"name": "events"}],
        },
        "defaultContentType": "application/json",
        "servers": {
            "broker": {"host": "localhost:5672", "protocol": "amqp", "description": "RABBITMQ_URL"},
            "mqtt": {"host": "localhost:1883", "protocol": "mqtt", "protocolVersion": "5.0", "description": "MQTT_URL"},
            "service": {"host": "localhost:8001", "protocol": "http"},
        },
        "channels": channels,
        "operations": {
            f"send.{name}": {
                "action": "send",
                "description": known[name]["summary"] if name in known else channel["description"],
                "channel": _reference("channels", name),
                "messages": [_reference("channels", name, "messages", one) for one in channel["messages"]],
                "traits": [_reference("components", "operationTraits", _trait(name))],
            }
            for name, channel in channels.items()
        },
        "components": {
            "messages": known,
            "operationTraits": {
                "broker": {"description": _listed([f"cloudEvents:{name}" for name in _ATTRIBUTES])},
                "webhook": {"description": _listed([*_SIGNATURE, *(f"ce-{name}" for name in _ATTRIBUTES)])},
                "mqtt": {"description": _listed(list(_ATTRIBUTES)).replace("Headers", "User properties")},
                "stream": {"description": "No headers of its own."},
            },
        },
    }
    return json.dumps(whole, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def _trait(channel: str) -> str:
    return channel if channel in ("stream", "webhook", "mqtt") else "broker"


def _listed(headers: list[str]) -> str:
    return "Headers: " + ", ".join(headers)


def main() -> int:
    return write_or_compare(
        TARGET,
        document(),
        purpose=__doc__,
        complaint="docs/asyncapi.json is not what docs/events.md and the code say; run: make openapi",
    )


if __name__ == "__main__":
    sys.exit(main())
