"""MQTT: the courier, where a broker is named."""

from __future__ import annotations

from app.composition.backends import Backends
from app.config import Settings
from app.workflows.mqtt_courier import MqttCourier
from app.workflows.mqtt_topics import Topics


def compose_mqtt(settings: Settings, backends: Backends) -> MqttCourier | None:
    """What carries events to the broker of ``MQTT_URL``; None without one."""
    if backends.mqtt is None:
        return None
    topics = Topics(settings.MQTT_TOPIC_PREFIX)
    return MqttCourier(backends.database, backends.mqtt, topics, discovery_prefix=settings.MQTT_DISCOVERY_PREFIX)
