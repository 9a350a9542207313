"""What is stored about a person."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from app.api.routes import MarkedRoute
from app.api.security import require
from app.dependencies import resource
from app.models.common import EmployeeId
from app.models.privacy import PersonExportResponse
from app.types import Scope
from app.workflows.access import Caller
from app.workflows.privacy import PrivacyWorkflow

router = APIRouter(prefix="/privacy", tags=["privacy"], route_class=MarkedRoute)

Privacy = Annotated[PrivacyWorkflow, Depends(resource(lambda resources: resources.privacy))]
Officer = Annotated[Caller, Depends(require(Scope.PRIVACY))]


@router.get("/export")
async def export_person(
    caller: Officer, employee_id: Annotated[EmployeeId, Query()], privacy: Privacy
) -> PersonExportResponse:
    """All that is stored about an employee, for the employee to see; without the templates' numbers."""
    return PersonExportResponse.of(employee_id, await privacy.export(employee_id, actor=caller.label))
