"""Cameras as Home Assistant finds them over MQTT: what it is told to make of our topics (MQTT device discovery)."""

from __future__ import annotations

import json
import re

from app.core.anomalies import AnomalyType
from app.services.stores.camera_store import AnnouncedCamera
from app.workflows.mqtt_topics import Topics
from app.workflows.safety.rules import LINE_CROSSED, LOITERING

_EVENT_TYPES = (*AnomalyType, LOITERING, LINE_CROSSED, "test")
_MAKER = "CV Service"


def discovery_topic(prefix: str, camera_id: str) -> str:
    """Where a camera's description is retained. Its object id allows fewer characters than our ids have."""
    safe = re.sub(r"[^A-Za-z0-9_-]", lambda found: f"-{ord(found[0]):x}-", camera_id)
    return f"{prefix}/device/cv_{safe}/config"


def description(camera: AnnouncedCamera, topics: Topics) -> str:
    """The device with its entities, as JSON: its alerts, whether it can be seen, and whether somebody tampered."""
    unique = f"cv_{camera.id}"
    health = topics.health(camera.id)
    components = {
        "alert": {
            "platform": "event",
            "name": "Alert",
            "unique_id": f"{unique}_alert",
            "state_topic": topics.alert(camera.id),
            "event_types": list(_EVENT_TYPES),
        },
        "connection": {
            "platform": "binary_sensor",
            "device_class": "connectivity",
            "entity_category": "diagnostic",
            "unique_id": f"{unique}_connection",
            "state_topic": health,
            "value_template": "{{ 'OFF' if value == 'offline' else 'ON' }}",
        },
        "tamper": {
            "platform": "binary_sensor",
            "device_class": "tamper",
            "unique_id": f"{unique}_tamper",
            "state_topic": health,
            "value_template": "{{ 'ON' if value == 'tampered' else 'OFF' }}",
        },
    }
    return json.dumps(
        {
            "device": {
                "identifiers": [unique],
                "name": camera.name or camera.id,
                "manufacturer": _MAKER,
                "model": camera.kind,
            },
            "origin": {"name": _MAKER},
            "availability_topic": topics.status,
            "components": components,
        },
        ensure_ascii=False,
    )
