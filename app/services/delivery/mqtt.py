"""An MQTT broker: each message confirmed, and a retained word on whether the service is there."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from app.errors import ConfigurationError
from app.services.calls import backend_call
from app.services.cloud_events import cloud_attributes

BACKEND = "mqtt"

_FAILURES = (aiomqtt.MqttError,)
_ENCRYPTED = "mqtts"
_PORTS = {"mqtt": 1883, _ENCRYPTED: 8883}
_ONLINE, _OFFLINE = "online", "offline"
_FRESH_S = 10.0  # an answer is proof of life for so long; each question to the broker is a connection of its own


class MqttSession:
    """One connection. Every call raises BackendUnavailable where the broker does not confirm in time."""

    def __init__(self, client: aiomqtt.Client, *, status_topic: str, source: str, timeout_s: float) -> None:
        self._client = client
        self._status_topic = status_topic
        self._source = source
        self._timeout_s = timeout_s

    async def publish(self, topic: str, payload: Mapping[str, object]) -> None:
        """Send an event to whoever listens now or has a session; the attributes of CloudEvents are user properties."""
        attributes = cloud_attributes(payload, source=self._source, prefix="")
        await self._send(topic, json.dumps(payload, ensure_ascii=False), attributes=attributes)

    async def retain(self, topic: str, text: str) -> None:
        """Say something that holds until it is said otherwise; an empty text takes it back."""
        await self._send(topic, text, retain=True)

    async def publish_online(self) -> None:
        """Say that the service is there; also finds a connection that is gone."""
        await self.retain(self._status_topic, _ONLINE)

    async def _send(
        self, topic: str, text: str, *, retain: bool = False, attributes: Mapping[str, str] | None = None
    ) -> None:
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho has no types here
        if attributes:
            properties.ContentType = "application/json"
            properties.UserProperty = list(attributes.items())
        async with backend_call(BACKEND, timeout_s=self._timeout_s, failures=_FAILURES):
            await self._client.publish(
                topic, text.encode(), qos=1, retain=retain, properties=properties, timeout=self._timeout_s
            )


class MqttBroker:
    """Where to connect, by MQTT 5.

    Args:
        url: ``mqtt(s)://user:password@host:port``; mqtts checks the broker's certificate and name.
        ca_file: PEM of who may vouch for it; None: whom this machine trusts.
        status_topic: holds ``online`` while somebody is connected, else ``offline``.
        source: of the events, as CloudEvents name it.
        timeout_s: limit of one call.
    """

    def __init__(self, url: str, *, ca_file: Path | None, status_topic: str, source: str, timeout_s: float) -> None:
        self._url = urlsplit(url)
        self._tls = _trust(ca_file) if self._url.scheme == _ENCRYPTED else None
        self._answered_at_s = float("-inf")
        self._status_topic = status_topic
        self._source = source
        self._timeout_s = timeout_s

    async def ping(self) -> None:
        """Log in and out again, unless the broker answered within ten seconds.

        Raises:
            BackendUnavailable: the broker does not answer, or does not let us in.
        """
        if time.monotonic() - self._answered_at_s < _FRESH_S:
            return
        async with backend_call(BACKEND, timeout_s=self._timeout_s, failures=_FAILURES), self._client(will=None):
            self._answered_at_s = time.monotonic()

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[MqttSession]:
        """A connection for the block.

        Raises:
            BackendUnavailable: the broker does not answer, or does not let us in.
        """
        client = self._client(will=aiomqtt.Will(self._status_topic, _OFFLINE, qos=1, retain=True))
        async with backend_call(BACKEND, timeout_s=self._timeout_s, failures=_FAILURES):
            await client.__aenter__()
        session = MqttSession(client, status_topic=self._status_topic, source=self._source, timeout_s=self._timeout_s)
        try:
            yield session
        finally:
            # A broker that is gone says so by itself, from our will.
            with contextlib.suppress(*_FAILURES, TimeoutError, OSError):
                async with asyncio.timeout(self._timeout_s):
                    await client.publish(self._status_topic, _OFFLINE, qos=1, retain=True)
                    await client.__aexit__(None, None, None)

    def _client(self, *, will: aiomqtt.Will | None) -> aiomqtt.Client:
        url = self._url
        return aiomqtt.Client(
            url.hostname or "localhost",
            url.port or _PORTS[url.scheme],
            username=unquote(url.username) if url.username else None,
            password=unquote(url.password) if url.password else None,
            protocol=aiomqtt.ProtocolVersion.V5,
            will=will,
            timeout=self._timeout_s,
            keepalive=15,
            tls_context=self._tls,
        )


def _trust(ca_file: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(f"MQTT_CA_FILE can't be read as certificates in PEM: {ca_file}.") from error
