"""Names of what is kept in Redis, where several modules use it."""

PEOPLE_KEY = "face:people"
"""How many people are enrolled."""


def attendance_key(employee_id: str) -> str:
    """By camera, until when an attendance event of this person exists."""
    return f"attendance:{employee_id}"
