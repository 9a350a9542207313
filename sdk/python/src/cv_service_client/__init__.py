"""Client of CV Service. ``connect`` is where to begin; each operation is a module of ``cv_service_client.api``."""

from cv_service_client.connection import connect
from cv_service_client.files import file, ndjson, to_base64
from cv_service_client.generated.client import Client
from cv_service_client.lists import aeach, afinished, each, finished
from cv_service_client.problem import Problem
from cv_service_client.stream import Event, aevents, events
from cv_service_client.transport import Limits
from cv_service_client.webhook import InvalidSignature, verify_webhook

__all__ = [
    "Client",
    "Event",
    "InvalidSignature",
    "Limits",
    "Problem",
    "aeach",
    "aevents",
    "afinished",
    "connect",
    "each",
    "events",
    "file",
    "finished",
    "ndjson",
    "to_base64",
    "verify_webhook",
]
