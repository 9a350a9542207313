"""Mosquitto for tests, with a login, and somebody who listens."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from scripts.local.ports import LOOPBACK, choose_free_port

USER, WORD = "cv", "p@ss:word/1"
URL_WORD = "p%40ss%3Aword%2F1"
_START_S = 10.0


def program(name: str) -> str:
    """A program of Mosquitto; skips the test where there is none, unless CV_REQUIRE_MQTT says that there is."""
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    if found is None:
        if os.environ.get("CV_REQUIRE_MQTT", "") not in {"", "0"}:
            pytest.fail("mosquitto is not installed")
        pytest.skip("mosquitto is not installed")
    return found


@contextmanager
def running_broker(folder: Path, port: int | None = None) -> Iterator[str]:
    """A broker that lets ``USER`` alone in; its address for MQTT_URL.

    Args:
        folder: keeps its state, so that a second one goes on where the first stopped.
    """
    port = port or choose_free_port()
    passwords = folder / "passwords"
    passwords.write_text("", encoding="utf-8")
    passwords.chmod(0o600)
    subprocess.run([program("mosquitto_passwd"), "-b", str(passwords), USER, WORD], check=True, timeout=30)
    configuration = folder / "mosquitto.conf"
    configuration.write_text(
        f"listener {port} {LOOPBACK}\nallow_anonymous false\npassword_file {passwords}\n"
        f"persistence true\npersistence_location {folder}/\nmax_queued_messages 0\nmax_inflight_messages 1\n"
        + ("user root\n" if os.geteuid() == 0 else ""),
        encoding="utf-8",
    )
    with (folder / "mosquitto.log").open("ab") as log:
        process = subprocess.Popen([program("mosquitto"), "-c", str(configuration)], stdout=log, stderr=log)
    try:
        _wait_for(port, process)
        yield f"mqtt://{USER}:{URL_WORD}@{LOOPBACK}:{port}"
    finally:
        process.terminate()
        process.wait(10)


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_S
    while True:
        assert process.poll() is None, "mosquitto ended"
        try:
            socket.create_connection((LOOPBACK, port), timeout=1.0).close()
        except OSError:
            assert time.monotonic() < deadline, "mosquitto does not listen"
            time.sleep(0.05)
        else:
            return


@dataclass(frozen=True)
class Heard:
    """A message. ``attributes``: its user properties."""

    topic: str
    text: str
    retained: bool
    attributes: dict[str, str]


@dataclass
class Listener:
    """Hears everything; what it has heard, in order."""

    heard: list[Heard] = field(default_factory=list)

    def of(self, topic: str) -> list[Heard]:
        return [one for one in list(self.heard) if one.topic == topic]

    def last(self, topic: str) -> str | None:
        """The latest word on a topic."""
        found = self.of(topic)
        return found[-1].text if found else None


@contextmanager
def listening(url: str) -> Iterator[Listener]:
    """Somebody subscribed to all topics at QoS 1; back by themselves when the broker is."""
    listener = Listener()
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="listener", protocol=paho.MQTTv5)
    client.username_pw_set(USER, WORD)
    client.reconnect_delay_set(1, 1)

    def connected(
        one: paho.Client, _data: object, _flags: paho.ConnectFlags, _reason: ReasonCode, _told: Properties | None
    ) -> None:
        one.subscribe("#", qos=1)

    def received(_one: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        told = getattr(message.properties, "UserProperty", [])
        listener.heard.append(Heard(message.topic, message.payload.decode(), message.retain, dict(told)))

    client.on_connect, client.on_message = connected, received
    client.connect(LOOPBACK, int(url.rsplit(":", 1)[1]))
    client.loop_start()
    try:
        yield listener
    finally:
        client.loop_stop()
        client.disconnect()
