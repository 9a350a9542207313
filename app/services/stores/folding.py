"""Words in PostgreSQL compared without case and marks, as ``app.utils.text_folding.folded`` does it."""

from __future__ import annotations


def folded_sql(expression: str) -> str:
    """An SQL expression for the folded text of another one, which is never a value from outside."""
    return rf"lower(translate(regexp_replace(normalize({expression}, NFD), '[\u0300-\u036f]', '', 'g'), 'đĐ', 'dd'))"
