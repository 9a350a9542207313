"""What a Milvus can do, by the version that it reports."""

from __future__ import annotations

import pytest

from app.services.vector_db import finds_parts


@pytest.mark.parametrize(
    ("version", "can"),
    [
        ("v2.3.5", False),
        ("2.3.21-dev", False),
        ("2.2.0", False),
        ("v2.4.0", True),
        ("v2.5.15", True),
        ("2.10.1", True),
        ("v3.0.2", True),
        ("milvus_lite-3.2.2", True),
        ("", True),
    ],
)
def test_only_old_servers_find_beginnings_alone(version: str, can: bool) -> None:
    assert finds_parts(version) is can
