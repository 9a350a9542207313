"""How Milvus is asked."""

from __future__ import annotations

from app.services.vectors.milvus_expressions import any_of, quote


def test_quoting_keeps_text_a_literal() -> None:
    assert quote('a"b') == r'"a\"b"'
    assert any_of("vector_id", ["a", "b"]) == 'vector_id in ["a", "b"]'
