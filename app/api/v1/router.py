"""All routes under /api/v1/cv."""

from fastapi import APIRouter

from app.api.v1.endpoints import (
    anomaly,
    attendance,
    cameras,
    claims,
    events,
    face,
    health,
    housekeeping,
    image,
    jobs,
    liveness,
    ocr,
    operator,
    privacy,
    room,
    room_reference,
    session,
    stays,
    users,
    webhooks,
)

router = APIRouter()
router.include_router(face.router)
router.include_router(liveness.router)
router.include_router(attendance.router)
router.include_router(image.router)
router.include_router(claims.router)
router.include_router(room.router)
router.include_router(housekeeping.router)
router.include_router(room_reference.router)
router.include_router(ocr.router)
router.include_router(stays.router)
router.include_router(cameras.router)
router.include_router(anomaly.router)
router.include_router(jobs.router)
router.include_router(events.router)
router.include_router(webhooks.router)
router.include_router(privacy.router)
router.include_router(session.router)
router.include_router(users.router)
router.include_router(operator.router)
router.include_router(health.router)
