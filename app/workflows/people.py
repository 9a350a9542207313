"""Who is enrolled: one person, or all of them a page at a time."""

from __future__ import annotations

from app.errors import NotFound
from app.services.database import Database
from app.services.stores import people_store
from app.services.stores.people_store import EnrolledPerson
from app.utils.cursors import Slice, read_cursor, slice_of


class PeopleDirectory:
    """Reads the record of enrolments."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list_people(
        self, *, name: str | None, department: str | None, cursor: str | None, limit: int
    ) -> Slice[EnrolledPerson]:
        """People by id.

        Args:
            name: a part of it, whatever its case and marks.
            department: the whole of it, likewise.

        Raises:
            InvalidInput: the cursor is none of ours.
        """
        after = str(read_cursor(cursor, str)[0]) if cursor else ""
        async with self._database.connection() as connection:
            found = await people_store.list_people(
                connection, name=name, department=department, after=after, limit=limit + 1
            )
        return slice_of(found, limit, lambda person: (person.employee_id,))

    async def get(self, employee_id: str) -> EnrolledPerson:
        """One person.

        Raises:
            NotFound: nobody is enrolled under that id.
        """
        async with self._database.connection() as connection:
            person = await people_store.find_person(connection, employee_id)
        if person is None:
            raise NotFound(f"No face is enrolled for {employee_id}.", code="face_not_enrolled")
        return person
