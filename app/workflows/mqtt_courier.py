"""Carries events to an MQTT broker in the order of the stream, and keeps Home Assistant's list of cameras true.

At least once: the position moves on when the broker has confirmed, so a crash in between repeats an event under the
same id. One process at a time does it, by a PostgreSQL lock; each step forward is written over the session that holds
it, so one who slept through its end repeats at most one event.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

from app.errors import BackendUnavailable
from app.services.database import PROOF_OF_LIFE_S, Database, DedicatedConnection
from app.services.delivery.mqtt import MqttBroker, MqttSession
from app.services.stores import camera_store, delivery_store, outbox
from app.services.stores.delivery_store import MQTT
from app.services.stores.outbox import StoredEvent
from app.utils import metrics
from app.utils.logging import logger
from app.workflows.home_assistant import description, discovery_topic
from app.workflows.mqtt_topics import Topics

_BATCH = 100
_PAUSE_S = 2.0
# Shorter than what the database allows a session to be idle; also how late a new camera is announced.
_STEP_S = 5.0
_MOST_CAMERAS = 1000
_ALERT = "anomaly.alerts"


class MqttCourier:
    """Serves one broker.

    Args:
        discovery_prefix: where Home Assistant looks for devices; empty announces none.
    """

    def __init__(self, database: Database, broker: MqttBroker, topics: Topics, *, discovery_prefix: str) -> None:
        self._database = database
        self._broker = broker
        self._topics = topics
        self._discovery_prefix = discovery_prefix

    async def run(self) -> None:
        """Deliver until cancelled, through every outage."""
        while True:
            try:
                async with self._database.dedicated_connection() as session:
                    await self._serve(session)
            except BackendUnavailable:
                pass  # logged where it was noticed
            await asyncio.sleep(_PAUSE_S)

    async def _serve(self, session: DedicatedConnection) -> None:
        while not await delivery_store.become_courier(session):  # noqa: ASYNC110  # a lock sends no signal
            await asyncio.sleep(_PAUSE_S)
        wake = asyncio.Event()
        await session.listen("cv_events", wake.set)
        position = await delivery_store.position_of(session, MQTT)
        async with self._broker.connected() as mqtt:
            logger.info("mqtt_active")
            retained: dict[str, str] = {}
            while True:
                wake.clear()
                await mqtt.publish_online()
                retained = await self._announce(session, mqtt, retained)
                position = await self._deliver(session, mqtt, position)
                try:
                    async with asyncio.timeout(_STEP_S):
                        await wake.wait()
                except TimeoutError:
                    continue

    async def _deliver(self, session: DedicatedConnection, mqtt: MqttSession, position: int) -> int:
        """Deliver what waits; the position behind it."""
        while events := await outbox.events_after(session, position, limit=_BATCH):
            seen_at_s = time.monotonic()
            for event in events:
                if time.monotonic() - seen_at_s > PROOF_OF_LIFE_S:
                    await session.ping()  # raises where the session, and the lock with it, has ended
                await self._send(mqtt, event)
                await delivery_store.advance(session, MQTT, event.position)
                metrics.mqtt_published_total.labels(event.event_type).inc()
                position, seen_at_s = event.position, time.monotonic()
        return position

    async def _send(self, mqtt: MqttSession, event: StoredEvent) -> None:
        await mqtt.publish(self._topics.event(event.event_type), event.payload)
        if event.event_type == _ALERT:
            payload = {**event.payload, "event_type": event.payload["anomaly_type"]}
            await mqtt.publish(self._topics.alert(str(event.payload["camera_id"])), payload)

    async def _announce(
        self, session: DedicatedConnection, mqtt: MqttSession, retained: Mapping[str, str]
    ) -> dict[str, str]:
        """Retain what changed of the cameras since ``retained``, by topic; what is retained now."""
        if not self._discovery_prefix:
            return {}
        cameras = await camera_store.cameras_to_announce(session, limit=_MOST_CAMERAS)
        wanted: dict[str, str] = {}
        for camera in cameras:
            wanted[discovery_topic(self._discovery_prefix, camera.id)] = description(camera, self._topics)
            if camera.health is not None:
                wanted[self._topics.health(camera.id)] = camera.health
        known = await delivery_store.announced(session, MQTT)
        if not known >= wanted.keys():  # before they are told, so that a crash leaves none behind
            await delivery_store.note_announced(session, MQTT, sorted(known | wanted.keys()))
        for topic, text in wanted.items():
            if retained.get(topic) != text:
                await mqtt.retain(topic, text)
        for topic in known - wanted.keys():
            await mqtt.retain(topic, "")
        if known - wanted.keys():
            await delivery_store.note_announced(session, MQTT, sorted(wanted))
        return wanted
