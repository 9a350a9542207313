"""What stands sealed in the one column ``details`` of a table, as JSON: that of stays, and of claims.

Such a table has ``id``, ``public_id`` and ``key_version`` beside it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from app.services.database import Connection, Row
from app.services.stores import key_store
from app.services.vault import SealPlace


@dataclass(frozen=True, slots=True)
class SealedDetails:
    """The column of one table.

    Attributes:
        table: its name.
        noun: one of its rows, for people.
    """

    table: str
    noun: str

    async def seal(self, connection: Connection, row_id: int, details: object) -> tuple[str, int]:
        """What the column holds, and the version of the key; inside a transaction."""
        version = await key_store.sealing_version(connection)
        text = json.dumps(details, ensure_ascii=False)
        return connection.vault.seal_text(text, self._place(row_id), version=version), version

    def open(self, connection: Connection, row: Row) -> Any:  # noqa: ANN401  # JSON, as its table writes it
        """The details of a row.

        Raises:
            SealedUnreadable: their key is not here, or they are damaged.
        """
        return json.loads(connection.vault.open_text(row["details"], self._place(row["id"])))

    async def seal_again(
        self, connection: Connection, *, unless: int, after_id: int, limit: int
    ) -> tuple[int, list[str], int | None]:
        """As ``document_store.seal_again``."""
        rows = await connection.fetch(
            f"SELECT id, public_id, details FROM {self.table} WHERE key_version <> $1 AND id > $2 "  # noqa: S608
            "ORDER BY id LIMIT $3 FOR UPDATE",
            unless,
            after_id,
            limit,
        )

        async def seal(row: Row) -> None:
            sealed = await self.seal(connection, row["id"], self.open(connection, row))
            await connection.execute(
                f"UPDATE {self.table} SET details = $2, key_version = $3 WHERE id = $1",  # noqa: S608
                row["id"],
                *sealed,
            )

        return await key_store.seal_each(rows, seal, name=lambda row: f"{self.noun} {row['public_id']}")

    def _place(self, row_id: int) -> SealPlace:
        return SealPlace(self.table, "details", str(row_id))
