"""Guests' stays and the forms of their lists."""

from __future__ import annotations

from app.composition.backends import Backends
from app.config import Settings
from app.core.stays.forms import load_forms
from app.workflows.ocr import OcrWorkflow
from app.workflows.stays import StayDesk


def compose_stays(settings: Settings, backends: Backends, documents: OcrWorkflow) -> StayDesk:
    """Raises ConfigurationError of a form that is none."""
    return StayDesk(backends.database, documents, load_forms(settings.STAY_FORMS_DIR))
