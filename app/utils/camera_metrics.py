"""Prometheus metrics of cameras and incidents. Labels are ids of registered cameras and bounded sets."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
_LAG_SECONDS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.5, 2.0, 5.0, 10.0)  # finest below 1 s

detections_total = Counter("cv_anomaly_detections_total", "Detections written down", ["type", "alerted"])
anomaly_duration = Histogram("cv_anomaly_detection_seconds", "Time to judge a frame sent over HTTP", buckets=_SECONDS)
frames_lost_total = Counter("cv_frames_lost_total", "Frames of detections that the object store did not take")
frames_total = Counter("cv_camera_frames_total", "Frames by what became of them", ["camera", "outcome"])
faults_total = Counter("cv_camera_faults_total", "Streams that failed to open or ended", ["fault"])
lag = Histogram("cv_camera_lag_seconds", "From reading a frame to having judged it", buckets=_LAG_SECONDS)
up = Gauge(
    "cv_camera_up", "Whether the camera gives pictures (1=yes, 0=no); only on the replica that reads it", ["camera"]
)
fps = Gauge("cv_camera_frames_per_second", "Frames judged or passed over for lack of motion, a second", ["camera"])
held = Gauge("cv_cameras_held", "Cameras that this replica reads")
