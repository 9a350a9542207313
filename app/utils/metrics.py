"""Prometheus metrics: the spec's names first, then ours. Units stand in the names; labels are bounded sets."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product

from prometheus_client import Counter, Gauge, Histogram

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


def _counter(name: str, documentation: str, **labels: Iterable[str]) -> Counter:
    """A counter whose every label set is there from the start, at 0: in a series that begins with its first incident
    Prometheus sees no increase."""
    counter = Counter(name, documentation, list(labels))
    for values in product(*labels.values()):
        counter.labels(*values)
    return counter


# The spec's
face_recognition_total = _counter(
    "cv_face_recognition_total",
    "Face recognition requests by outcome",
    status=("success", "failure", "no_face", "liveness_failed", "liveness_required"),
)
face_recognition_duration = Histogram(
    "cv_face_recognition_duration_seconds",
    "Face recognition duration",
    buckets=[0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0],
)
face_recognition_confidence = Histogram(
    "cv_face_recognition_confidence",
    "Face recognition confidence score",
    buckets=[0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0],
)
_CATEGORIES = ("room", "lost_found", "amenity")
image_search_total = _counter("cv_image_search_total", "Image search requests", category=(*_CATEGORIES, "all"))
image_search_duration = Histogram("cv_image_search_duration_seconds", "Image search duration")
room_analysis_total = _counter(
    "cv_room_analysis_total", "Room analyses by verdict", status=("clean", "dirty", "maintenance", "unknown")
)
# Ours: what photos of rooms look like to the heads, so that a shift shows
_PROBABILITIES = tuple(tenth / 10 for tenth in range(1, 11))
room_views_total = Counter("cv_room_views_total", "Photos of rooms by what they show", ["view"])
room_scores = Histogram(
    "cv_room_score", "What a head says of a photo of a room, as a probability", ["head"], buckets=_PROBABILITIES
)

ocr_total = _counter("cv_ocr_total", "OCR requests", type=("invoice", "id"))
ocr_requests_total = Counter("cv_ocr_requests_total", "OCR requests by document type", ["document_type"])
gpu_memory_usage = Gauge("cv_gpu_memory_usage_bytes", "GPU memory in use")
model_loaded = Gauge("cv_model_loaded", "Model loaded status (1=loaded, 0=not loaded)", ["model_name"])

# Ours: the inference pool
inference_queue_depth = Gauge("cv_inference_queue_depth", "Jobs waiting for an inference thread")
inference_running = Gauge("cv_inference_running", "Jobs running on an inference thread")
inference_wait = Histogram("cv_inference_wait_seconds", "Time from admission to a thread", buckets=_SECONDS)
inference_duration = Histogram("cv_inference_seconds", "Time on an inference thread", ["engine"], buckets=_SECONDS)
inference_stuck_threads = Gauge(
    "cv_inference_stuck_threads", "Inference threads whose job has run for ten times INFERENCE_DEADLINE_S"
)
inference_rejected_total = _counter(
    "cv_inference_rejected_total", "Jobs refused or given up", reason=("full", "deadline")
)
stage_duration = Histogram("cv_stage_seconds", "Time of one stage of a request", ["stage"], buckets=_SECONDS)
batch_size = Histogram("cv_batch_size", "Crops in one forward pass", ["engine"], buckets=(1, 2, 4, 8, 16, 32, 64))

# Ours: processes for hostile formats
sandbox_jobs_total = Counter(
    "cv_sandbox_jobs_total",
    "Files read in a process of their own, by outcome",
    ["task", "outcome"],  # done, refused, killed, cancelled, failed
)
sandbox_duration = Histogram("cv_sandbox_seconds", "Time of a file in a process of its own", ["task"], buckets=_SECONDS)

# Ours: backends, events, HTTP
backend_up = Gauge("cv_backend_up", "Result of the last ping (1=ok, 0=failed)", ["backend"])
backend_duration = Histogram("cv_backend_seconds", "Backend call duration", ["backend"], buckets=_SECONDS)
backend_errors_total = _counter(
    "cv_backend_errors_total",
    "Backend calls that failed",
    backend=("database", "vector_db", "redis", "storage", "message_queue"),
)
outbox_backlog = Gauge("cv_outbox_backlog", "Events not yet published to the broker")
outbox_oldest_age = Gauge("cv_outbox_oldest_age_seconds", "Age of the oldest unpublished event")
events_total = Counter("cv_events_total", "Events written to the outbox", ["type"])
events_published_total = Counter("cv_events_published_total", "Events confirmed by the broker", ["type"])
mqtt_published_total = Counter("cv_mqtt_published_total", "Events confirmed by the MQTT broker", ["type"])
webhook_deliveries_total = _counter(
    "cv_webhook_deliveries_total", "Messages to webhooks by outcome", outcome=("delivered", "failed", "given_up")
)
webhook_dead_letters = Gauge("cv_webhook_dead_letters", "Events that webhooks did not take and that are still kept")
cleanup_backlog = Gauge("cv_cleanup_backlog", "Vectors and objects waiting to be removed")
liveness_sessions_total = Counter(
    "cv_liveness_sessions_total",
    "Active liveness sessions that ended",
    ["outcome"],  # passed, or why they failed
)
liveness_total = _counter("cv_liveness_total", "Liveness verdicts", verdict=("live", "spoof", "uncertain"))
image_index_total = _counter(
    "cv_image_index_total",
    "Pictures sent to be indexed, by outcome",
    category=_CATEGORIES,
    status=("success", "duplicate", "failure"),
)
enrolment_total = _counter(
    "cv_face_enrolment_total",
    "Enrolments by outcome",
    status=("success", "rejected", "duplicate", "mismatch", "not_one_person"),
)
http_requests_total = Counter("cv_http_requests_total", "HTTP requests", ["method", "route", "status"])
http_duration = Histogram("cv_http_request_seconds", "HTTP request duration", ["method", "route"], buckets=_SECONDS)

idempotent_requests_total = _counter(
    "cv_idempotent_requests_total",
    "Requests with an Idempotency-Key, by what became of them",
    outcome=("first", "replayed", "in_flight", "reused", "answer_lost"),
)

jobs_total = Counter("cv_jobs_total", "Jobs that ended, by kind and state", ["kind", "state"])

# Ours: cameras and incidents. Labels are ids of registered cameras and bounded sets.
_FRAME_SECONDS = _SECONDS[1:]
_LAG_SECONDS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.5, 2.0, 5.0, 10.0)  # finest below 1 s
_ANOMALIES = ("fire", "smoke", "flood", "intrusion", "loitering", "line_crossed")
detections_total = _counter(
    "cv_anomaly_detections_total", "Detections written down", type=_ANOMALIES, alerted=("true", "false")
)
held_back_total = _counter(
    "cv_anomaly_held_back_total", "Frames that would alert, did not their camera always look like that", type=_ANOMALIES
)
camera_head_scores = Histogram(
    "cv_camera_head_score",
    "What a head says of a registered camera's frames, as a probability, before its baseline is taken off",
    ["camera", "head"],
    buckets=(0.1, 0.5, 0.9),  # few, because each is a series for every camera and head
)
anomaly_duration = Histogram(
    "cv_anomaly_detection_seconds", "Time to judge a frame sent over HTTP", buckets=_FRAME_SECONDS
)
clips_total = _counter("cv_camera_clips_total", "Clips of incidents by what became of them", outcome=("stored", "lost"))
frames_lost_total = Counter("cv_frames_lost_total", "Frames of detections that the object store did not take")
camera_frames_total = Counter("cv_camera_frames_total", "Frames by what became of them", ["camera", "outcome"])
camera_faults_total = Counter("cv_camera_faults_total", "Streams that failed to open or ended", ["fault"])
camera_lag = Histogram("cv_camera_lag_seconds", "From reading a frame to having judged it", buckets=_LAG_SECONDS)
camera_up = Gauge(
    "cv_camera_up", "Whether the camera gives pictures (1=yes, 0=no); only on the replica that reads it", ["camera"]
)
camera_fps = Gauge(
    "cv_camera_frames_per_second", "Frames judged or passed over for lack of motion, a second", ["camera"]
)
camera_condition = Gauge(
    "cv_camera_condition", "What is wrong with the pictures (1=this); only on the replica", ["camera", "condition"]
)
camera_people = Gauge("cv_camera_people", "People in the last judged frame; where they are counted", ["camera"])
camera_zone_people = Gauge("cv_camera_zone_people", "People in a zone of the last judged frame", ["camera", "zone"])
line_crossings_total = Counter(
    "cv_camera_line_crossings_total", "People across a line", ["camera", "line", "direction"]
)
cameras_held = Gauge("cv_cameras_held", "Cameras that this replica reads")
