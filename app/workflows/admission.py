"""May these templates be this person's: what an enrolment is refused for, by what PostgreSQL knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from app.core.face_recognition import FaceRecognitionEngine
from app.errors import Conflict, NotFound
from app.services.database import Connection
from app.services.stores import face_store, people_store
from app.services.stores.face_store import Template
from app.types import shown
from app.utils import metrics


@dataclass(frozen=True, slots=True)
class EnrolmentTerms:
    """What the caller wants done about templates that are there already.

    Attributes:
        replace_existing: end the person's earlier templates, instead of adding to them.
        allow_duplicate: enrol although the face is somebody else's already.
        allow_mismatch: add although the face does not match the person's earlier templates.
        allow_similar_id: enrol although somebody has an id that differs from this one in nothing but case.
    """

    replace_existing: bool = False
    allow_duplicate: bool = False
    allow_mismatch: bool = False
    allow_similar_id: bool = False


@dataclass(frozen=True, slots=True)
class AdmissionRules:
    """The settings that decide; confidences are calibrated match probabilities."""

    max_templates: int
    min_duplicate_confidence: float
    min_match_confidence: float


class Admission:
    """Refuses what contradicts the record; what the caller allowed becomes a note for the audit."""

    def __init__(self, engine: FaceRecognitionEngine, rules: AdmissionRules) -> None:
        self._engine = engine
        self._rules = rules

    async def check(
        self, connection: Connection, employee_id: str, templates: Sequence[Template], terms: EnrolmentTerms
    ) -> dict[str, object]:
        """Hold the templates against the person's own record.

        Raises:
            NotFound: the hotel's own ``employees`` table does not know the id.
            Conflict: they do not match the person's earlier templates, or are too many; or the id is too like another.
        """
        if not terms.allow_similar_id:
            await self._check_id(connection, employee_id)
        if not await face_store.owns_employees(connection):
            await self._require_employee(connection, employee_id)
        if terms.replace_existing:
            return {"replaced": True}
        notes = await self._check_match(connection, employee_id, templates, allow=terms.allow_mismatch)
        await self._check_room(connection, employee_id, len(templates))
        return notes

    async def check_duplicates(
        self, connection: Connection, similarities: Mapping[str, float], *, allow: bool
    ) -> dict[str, object]:
        """Hold the templates against everybody else's.

        Args:
            similarities: the cosine to templates of others, by their vector ids; those that PostgreSQL does not know as
                active count for nothing.

        Raises:
            Conflict: the face is somebody else's.
        """
        owners = await face_store.identities(connection, list(similarities))
        if not owners:
            return {}
        nearest = max(owners, key=lambda vector_id: similarities[vector_id])
        people = await face_store.count_people(connection)
        confidence = self._engine.calibration.confidence(similarities[nearest], people=people)
        if confidence < self._rules.min_duplicate_confidence:
            return {}
        other = owners[nearest].employee_id
        if not allow:
            metrics.enrolment_total.labels("duplicate").inc()
            raise Conflict(
                f"This face is already enrolled as {other}. Send allow_duplicate=true if they are two people.",
                code="duplicate_identity",
                details={"employee_id": other, "confidence": shown(confidence)},
            )
        return {"duplicate_of": other}

    async def _check_id(self, connection: Connection, employee_id: str) -> None:
        """Ids are compared as they are given, so a slip of the shift key would make a second person."""
        others = await people_store.ids_in_other_case(connection, employee_id)
        if others:
            raise Conflict(
                f"{others[0]} is enrolled, which differs from {employee_id} in nothing but case. Send that id, or "
                "allow_similar_id=true if they are two people.",
                code="similar_id",
                details={"employee_id": others[0]},
            )

    async def _require_employee(self, connection: Connection, employee_id: str) -> None:
        if not await face_store.employee_exists(connection, employee_id):
            raise NotFound(f"The hotel has no employee {employee_id}; add them there first.", code="employee_unknown")

    async def _check_match(
        self, connection: Connection, employee_id: str, templates: Sequence[Template], *, allow: bool
    ) -> dict[str, object]:
        """The templates show one person already, so the nearest pair decides for all."""
        known = await face_store.template_vectors(connection, employee_id, model_id=self._engine.model_id)
        if not len(known):
            return {}
        similarity = float((np.stack([template.vector for template in templates]) @ known.T).max())
        confidence = shown(self._engine.calibration.confidence(similarity))
        if confidence >= self._rules.min_match_confidence:
            return {}
        if not allow:
            metrics.enrolment_total.labels("mismatch").inc()
            raise Conflict(
                f"This face does not match what is enrolled as {employee_id}. Send replace_existing=true to put "
                "it in its place, or allow_mismatch=true if it is the same person nevertheless.",
                code="face_mismatch",
                details={"confidence": confidence},
            )
        return {"mismatch": confidence}

    async def _check_room(self, connection: Connection, employee_id: str, count: int) -> None:
        present = len(await face_store.active_templates(connection, employee_id))
        if present + count > self._rules.max_templates:
            raise Conflict(
                f"{employee_id} has {present} templates and may have {self._rules.max_templates}; "
                "send fewer pictures or replace_existing=true.",
                code="too_many_templates",
            )
