"""``cv reconcile``: finds what a crash or a loss left between PostgreSQL, the vector database and object store."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, fields
from typing import Generic, Protocol, TypeVar

import click

from app.cli.environment import patient
from app.cli.output import Report
from app.composition.backends import Backends, open_backends
from app.config import Settings, load_settings
from app.workflows.image_reconciliation import ImageFindings, ImageReconciler
from app.workflows.object_reconciliation import ObjectFindings, ObjectReconciler
from app.workflows.reconciliation import FaceFindings, FaceReconciler

Findings = TypeVar("Findings", FaceFindings, ImageFindings)

_FEW = 100
_FEW_OF_ALL = 0.05
_SHOWN = 5


class Reconciler(Protocol[Findings]):
    """Finds what does not fit, and repairs what was found."""

    async def find(self) -> Findings: ...
    async def restore(self, findings: Findings) -> None: ...
    async def remove(self, findings: Findings) -> None: ...


@dataclass(frozen=True, slots=True)
class Comparison(Generic[Findings]):
    """One kind of thing, as it was found."""

    name: str
    reconciler: Reconciler[Findings]
    findings: Findings

    async def restore(self) -> None:
        await self.reconciler.restore(self.findings)

    async def remove(self) -> None:
        await self.reconciler.remove(self.findings)


def report(output: Report, name: str, findings: FaceFindings | ImageFindings) -> None:
    """Print each kind of finding with its count and the first few ids."""
    output.line(f"{name}:")
    for field in fields(findings):
        found = getattr(findings, field.name)
        if isinstance(found, tuple):
            output.line(f"  {field.name.replace('_', ' ')}: {_listed(found)}")


def report_lost(output: Report, findings: ObjectFindings) -> None:
    """Print which objects are lost, by kind and by what people know them by."""
    output.line(f"objects:\n  lost: {len(findings.lost)} of {findings.looked_for}")
    owners: dict[str, list[str]] = defaultdict(list)
    for lost in findings.lost:
        owners[lost.kind].append(lost.owner)
    for kind, names in sorted(owners.items()):
        output.line(f"  lost {kind}s: {_listed(sorted(names))}")


def _listed(names: tuple[str, ...] | list[str]) -> str:
    sample = f": {', '.join(names[:_SHOWN])}{' …' if len(names) > _SHOWN else ''}" if names else ""
    return f"{len(names)}{sample}"


def may_remove(surplus: int, looked_at: int, *, allowed: int) -> bool:
    """Whether so many things may be deleted of all that are stored; ``allowed`` is what the operator consented to."""
    return surplus <= max(allowed, min(_FEW, _FEW_OF_ALL * looked_at))


@dataclass(frozen=True, slots=True)
class Look:
    """Everything compared."""

    faces: Comparison[FaceFindings]
    images: Comparison[ImageFindings]
    objects: ObjectFindings

    @property
    def vectors_fit(self) -> bool:
        return self.faces.findings.consistent and self.images.findings.consistent

    def outcome(self) -> dict[str, object]:
        """For programs."""
        return {
            "fits": self.vectors_fit and self.objects.consistent,
            "faces": asdict(self.faces.findings),
            "images": asdict(self.images.findings),
            "objects": asdict(self.objects),
        }


async def look(output: Report, backends: Backends) -> Look:
    """Compare everything and print what was found."""
    database, vectors, storage = backends.database, backends.vectors, backends.storage
    face_reconciler = FaceReconciler(database, vectors.faces, storage)
    image_reconciler = ImageReconciler(database, vectors.images, storage)
    faces = Comparison("faces", face_reconciler, await face_reconciler.find())
    images = Comparison("images", image_reconciler, await image_reconciler.find())
    objects = await ObjectReconciler(database, storage).find()
    report(output, faces.name, faces.findings)
    report(output, images.name, images.findings)
    report_lost(output, objects)
    return Look(faces, images, objects)


async def repair(output: Report, found: Look, *, allowed: int) -> None:
    """Restore what is missing; remove what is left over, unless it is more than may be."""
    await found.faces.restore()
    await found.images.restore()
    surplus = found.faces.findings.surplus + found.images.findings.surplus
    looked_at = found.faces.findings.looked_at + found.images.findings.looked_at
    if may_remove(surplus, looked_at, allowed=allowed):
        await found.faces.remove()
        await found.images.remove()
        return
    output.line(
        f"NOT deleted: {surplus} of {looked_at} stored things have no row. Is this the right database, and is it "
        f"restored? If they really have to go: --mend --yes-delete {surplus}"
    )


async def reconcile(settings: Settings, output: Report, *, repairs: bool, allowed: int) -> Look:
    """What is found, after repairs if they were asked for."""
    async with AsyncExitStack() as stack:
        backends = await open_backends(stack, patient(settings))
        found = await look(output, backends)
        if repairs and not found.vectors_fit:
            await repair(output, found, allowed=allowed)
            output.line("repaired; looking again")
            found = await look(output, backends)
        return found


@click.command("reconcile")
@click.option("--mend", "repairs", is_flag=True, help="Restore missing and different vectors, delete orphans.")
@click.option("--yes-delete", "allowed", type=int, default=0, metavar="N", help="Delete up to N orphans.")
@click.pass_obj
def command(output: Report, *, repairs: bool, allowed: int) -> int:
    """Find what a crash or a loss left between the backends, and repair it if asked.

    Without --mend it only looks; exit status 1 if something does not fit. Objects that are lost come back from the
    store's own backup alone; they are listed. More than a few orphans (over 100, or over 5 % of all that is stored) are
    deleted only with --yes-delete: so much is rather a sign of the wrong database than of a crash.
    """
    outcome = asyncio.run(reconcile(load_settings(), output, repairs=repairs, allowed=allowed)).outcome()
    output.result(outcome)
    return 0 if outcome["fits"] else 1
