"""Claims of lost property."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from app.composition.backends import Backends
from app.config import Settings
from app.workflows.claim_matching import ClaimMatcher
from app.workflows.claims import ClaimDesk
from app.workflows.image import ImageWorkflow
from app.workflows.image_search import ImageSearchWorkflow


def compose_claims(
    settings: Settings, backends: Backends, images: ImageWorkflow, searches: ImageSearchWorkflow, *, zone: ZoneInfo
) -> tuple[ClaimDesk, ClaimMatcher]:
    """The desk, and what holds finds against claims in the background."""
    matcher = ClaimMatcher(backends.database, searches, zone=zone, min_score=settings.CLAIM_MATCH_SCORE)
    return ClaimDesk(backends.database, matcher, images), matcher
