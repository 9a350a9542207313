"""How Milvus is asked, and what it can do by the version that it names."""

from __future__ import annotations

import pytest

from app.services.vectors.milvus_expressions import any_of, finds_parts, quote


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


def test_quoting_keeps_text_a_literal() -> None:
    assert quote('a"b') == r'"a\"b"'
    assert any_of("vector_id", ["a", "b"]) == 'vector_id in ["a", "b"]'
