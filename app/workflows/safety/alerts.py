"""The event ``anomaly.alerts``: one form for what is seen, what nobody acknowledged, and tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.services.database import Connection
from app.services.stores.outbox import publish_event
from app.types import shown
from app.utils import clock

FIRST_LEVEL, ESCALATED_LEVEL = 1, 2


@dataclass(frozen=True, slots=True)
class Alert:
    """What an alert holds. ``level``: 2 where the first one was not acknowledged in time."""

    incident_id: int
    incident_public_id: UUID
    detection_id: int
    camera_id: str
    anomaly_type: str
    confidence: float
    severity: str
    description: str
    location: Mapping[str, int] | None
    zone: str | None
    image_url: str | None
    taken_at: datetime
    seen_at: datetime
    origin: str
    level: int = FIRST_LEVEL

    async def publish(self, connection: Connection, *, occurred_at: datetime) -> None:
        """Write the event, inside the transaction of ``connection``."""
        await publish_event(
            connection,
            "anomaly.alerts",
            {
                "incident_id": self.incident_id,
                "incident_public_id": str(self.incident_public_id),
                "detection_id": self.detection_id,
                "camera_id": self.camera_id,
                "anomaly_type": self.anomaly_type,
                "confidence": shown(self.confidence),
                "severity": self.severity,
                "description": self.description,
                "location": dict(self.location) if self.location else None,
                "zone": self.zone,
                "image_url": self.image_url,
                "timestamp": clock.iso(self.taken_at),
                "detected_at": clock.iso(self.seen_at),
                "origin": self.origin,
                "level": self.level,
            },
            key=self.camera_id,
            occurred_at=occurred_at,
        )
