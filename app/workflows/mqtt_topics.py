"""What our MQTT topics are called."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Topics:
    """Topics below a prefix. Ids of cameras and types of events hold no character that means anything in a topic."""

    prefix: str

    @property
    def status(self) -> str:
        """Retained: ``online`` or ``offline``, of the service."""
        return f"{self.prefix}/status"

    def event(self, event_type: str) -> str:
        """Every event of a type."""
        return f"{self.prefix}/events/{event_type}"

    def alert(self, camera_id: str) -> str:
        """Alerts of a camera."""
        return f"{self.prefix}/cameras/{camera_id}/alert"

    def health(self, camera_id: str) -> str:
        """Retained: ``online``, ``offline`` or ``tampered``, of a camera."""
        return f"{self.prefix}/cameras/{camera_id}/health"
