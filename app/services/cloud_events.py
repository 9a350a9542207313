"""The attributes of CloudEvents 1.0 (cloudevents.io) for events that travel as they are: in headers, beside the body.

That is the specification's binary mode: whoever knows it reads the headers, and everybody else the body alone.
"""

from __future__ import annotations

from collections.abc import Mapping


def cloud_attributes(payload: Mapping[str, object], *, source: str, prefix: str) -> dict[str, str]:
    """The attributes of an event, under the names of a transport.

    Args:
        payload: the message as consumers get it.
        source: which service it is of; with the id it names the event among all of the world.
        prefix: ``cloudEvents:`` in AMQP, ``ce-`` in HTTP.
    """
    attributes = {
        "specversion": "1.0",
        "id": payload["event_id"],
        "source": source,
        "type": payload["type"],
        "time": payload["occurred_at"],
    }
    return {f"{prefix}{name}": str(value) for name, value in attributes.items()}
