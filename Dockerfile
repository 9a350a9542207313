# syntax=docker/dockerfile:1
# The service with its models. Three stages: Python packages, model weights, and what serves.
#   docker build -t cv-service:1.0.0 .
#   docker build -t cv-service:1.0.0-gpu --build-arg VARIANT=gpu .
#   docker build -t cv-service:1.0.0-full --build-arg MODEL_PACK=full --build-arg PACK_OPTIONS=... .
# VARIANT=gpu installs onnxruntime-gpu and the CUDA libraries from their wheels, so the host brings only the driver and
# NVIDIA's container runtime. PACK_OPTIONS go to scripts/download_models.py, for example to accept a licence.

ARG PYTHON_IMAGE=python:3.11.13-slim-bookworm

FROM ${PYTHON_IMAGE} AS packages
ARG VARIANT=cpu
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /build
COPY requirements.txt requirements-gpu.txt ./
# --no-deps: the files are complete, and hold back packages that would bring further builds of OpenCV.
RUN python -m venv /opt/venv \
    && case "${VARIANT}" in cpu) list=requirements.txt ;; gpu) list=requirements-gpu.txt ;; \
       *) echo "VARIANT is cpu or gpu, not ${VARIANT}" >&2; exit 1 ;; esac \
    && /opt/venv/bin/pip install --no-deps --require-hashes --requirement "${list}"

FROM packages AS weights
ARG MODEL_PACK=compact
ARG PACK_OPTIONS=""
# Of the environment that the full pack is converted in.
COPY requirements-models.txt requirements-models-torch.txt requirements-models-detectors.txt ./
COPY app/ ./app/
COPY scripts/ ./scripts/
# Not quoted: several options are several words.
# hadolint ignore=SC2086
RUN /opt/venv/bin/python -m scripts.download_models --pack "${MODEL_PACK}" --weights-dir /weights ${PACK_OPTIONS}

FROM ${PYTHON_IMAGE} AS serving
ARG MODEL_PACK=compact
LABEL org.opencontainers.image.title="cv-service" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN groupadd --gid 10001 cv && useradd --uid 10001 --gid cv --no-create-home --home-dir /tmp --shell /usr/sbin/nologin cv \
    && install --directory --owner=cv --group=cv --mode=0750 /var/lib/cv
COPY --from=packages /opt/venv /opt/venv
COPY --from=weights /weights /opt/weights
WORKDIR /app
COPY LICENSE alembic.ini ./
COPY alembic/ ./alembic/
COPY scripts/ ./scripts/
COPY app/ ./app/
# Nothing below / has to be writable but /tmp and, for what the hotel teaches the service, a volume at /var/lib/cv; the log goes to the console, which Docker and Kubernetes collect. The
# inference pool has a thread for each core, so OpenBLAS, numpy's, gets none of its own.
ENV PATH=/opt/venv/bin:/app/scripts:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp \
    PYTHONPATH=/app \
    OPENBLAS_NUM_THREADS=1 \
    CV_DATA_DIR=/var/lib/cv \
    LOG_DIR= \
    LOG_JSON=true \
    MODEL_PACK=${MODEL_PACK} \
    MODEL_WEIGHTS_DIR=/opt/weights
USER 10001:10001
EXPOSE 8001
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8001/api/v1/cv/health', timeout=8)"]
# One process a container: each loads every model and has threads for the cores; more containers are more replicas.
CMD ["python", "-m", "app.server", "--host", "0.0.0.0", "--port", "8001", "--stop-timeout", "20"]
