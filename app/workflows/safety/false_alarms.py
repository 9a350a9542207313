"""What people call a false alarm: that place and look raise none at that camera again, until it is taken back."""

from __future__ import annotations

from collections.abc import Sequence

from app.core.anomalies import AnomalyDetector, AnomalyType, Suspect
from app.core.inference import InferencePool
from app.core.usual_scene import pack_row
from app.errors import Conflict, NotFound
from app.services.database import Connection, Database
from app.services.storage import ObjectStorage
from app.services.stores import false_alarm_store, incident_store, usual_place_store
from app.services.stores.audit import add_audit_entry
from app.types import Reference
from app.utils import clock
from app.utils.pictures import Picture, PictureOpener
from app.workflows.cameras.registry import CameraRegistry
from app.workflows.safety.areas import Areas, examine_in_areas
from app.workflows.safety.baseline import MOST_FALSE_ALARMS, CameraBaselines, kinds_like
from app.workflows.safety.incidents import Incident, IncidentBook
from app.workflows.safety.rules import CameraRules

_FRAMES = 4
_ANY_HOUR = (1 << 24) - 1
_LEARNABLE = frozenset({AnomalyType.FIRE, AnomalyType.SMOKE, AnomalyType.FLOOD})


class FalseAlarms:
    """Feedback on incidents over PostgreSQL, the store of frames and the detector."""

    def __init__(
        self,
        *,
        database: Database,
        storage: ObjectStorage,
        pool: InferencePool,
        pictures: PictureOpener,
        detector: AnomalyDetector,
        registry: CameraRegistry,
        incidents: IncidentBook,
        baselines: CameraBaselines,
    ) -> None:
        self._database = database
        self._storage = storage
        self._pool = pool
        self._pictures = pictures
        self._detector = detector
        self._registry = registry
        self._incidents = incidents
        self._baselines = baselines

    async def report(self, reference: Reference, *, actor: str) -> tuple[Incident, int]:
        """Note that nothing had happened, resolve the incident, and hold back what looked like it at its camera.

        Returns:
            The incident, and how many places are held back by it: none where its camera is not registered, its frames
            are gone, or it was about people.

        Raises:
            NotFound: there is no such incident.
            Conflict: the camera has too many false alarms.
        """
        incident, _ = await self._incidents.get(reference, actor=actor)
        looks = [] if incident.false_alarm_at else await self._looks_of(incident)
        async with self._database.transaction() as connection:
            if await false_alarm_store.note_false_alarm(connection, incident.id, actor=actor):
                await incident_store.resolve_incident(connection, incident.id, actor=actor)
                await self._hold_back(connection, incident, looks)
                await add_audit_entry(connection, "incident.false_alarm", subject=str(incident.id), actor=actor)
            held = await false_alarm_store.count_places(connection, incident.id)
            current = await _found(connection, incident.id)
        self._baselines.read_again(incident.camera_id)
        return current, held

    async def take_back(self, reference: Reference, *, actor: str) -> Incident:
        """It was an alarm after all: what looks like it counts again. The incident stays resolved.

        Raises:
            NotFound: there is no such incident.
        """
        incident, _ = await self._incidents.get(reference, actor=actor)
        async with self._database.transaction() as connection:
            if await false_alarm_store.take_back_false_alarm(connection, incident.id):
                await false_alarm_store.drop_places(connection, incident.id)
                await add_audit_entry(connection, "incident.no_false_alarm", subject=str(incident.id), actor=actor)
            current = await _found(connection, incident.id)
        self._baselines.read_again(incident.camera_id)
        return current

    async def _looks_of(self, incident: Incident) -> list[tuple[int, bytes]]:
        """The views of its frames that looked like the hazard."""
        if incident.anomaly_type not in _LEARNABLE:
            return []
        types = kinds_like(AnomalyType(incident.anomaly_type))
        async with self._database.connection() as connection:
            keys = await false_alarm_store.newest_frames(connection, incident.id, limit=_FRAMES)
        rules = await self._registry.rules_of(incident.camera_id) or CameraRules()
        looks: list[tuple[int, bytes]] = []
        for key in keys:
            try:
                jpeg = await self._storage.get(key)
            except NotFound:
                continue  # its days are over
            async with self._pictures.opened(jpeg) as picture:
                suspects = await self._pool.submit("anomaly", self._suspects, picture, types, rules.areas)
            looks += [(suspect.view, pack_row(suspect.row)) for suspect in suspects]
        return looks

    def _suspects(self, picture: Picture, types: frozenset[AnomalyType], areas: Areas) -> Sequence[Suspect]:
        """On an inference thread; painted over as the camera's frames are before they are judged."""
        return examine_in_areas(self._detector, picture.decode(), types, areas).suspects

    async def _hold_back(self, connection: Connection, incident: Incident, looks: Sequence[tuple[int, bytes]]) -> None:
        if not looks or not await usual_place_store.lock_places(connection, incident.camera_id):
            return
        known = await false_alarm_store.false_alarms_of(connection, incident.camera_id, limit=MOST_FALSE_ALARMS)
        if len(known) == MOST_FALSE_ALARMS:
            raise Conflict(
                f"Camera {incident.camera_id} has {MOST_FALSE_ALARMS} false alarms; take some back first.",
                code="too_many_false_alarms",
            )
        await usual_place_store.insert_places(
            connection,
            incident.camera_id,
            looks,
            views_id=self._detector.views_id,
            hours=_ANY_HOUR,
            seen_at=clock.now(),
            anomaly_type=incident.anomaly_type,
            incident_id=incident.id,
        )


async def _found(connection: Connection, incident_id: int) -> Incident:
    incident = await incident_store.find_incident(connection, incident_id)
    if incident is None:
        raise NotFound(f"There is no incident {incident_id}.", code="incident_not_found")
    return incident
