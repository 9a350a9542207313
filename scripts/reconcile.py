"""Find what a crash or a loss left between PostgreSQL, the vector database and object store, and repair it if asked.

python scripts/reconcile.py                        # only look; exit status 1 if something does not fit
python scripts/reconcile.py --mend                 # restore missing vectors from PostgreSQL, delete a few orphans
python scripts/reconcile.py --mend --yes-delete N  # delete as many orphans as N, where that is more than a few

Objects that are lost come back from the store's own backup alone; they are listed. More than a few are over 100, or
over 5 % of all that is stored: so much is rather a sign of the wrong database than of a crash.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections import defaultdict
from contextlib import AsyncExitStack
from dataclasses import dataclass, fields
from typing import Generic, Protocol, TypeVar

from app.composition.backends import Backends, open_backends
from app.config import Settings, load_settings
from app.errors import VisionError
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


def report(name: str, findings: FaceFindings | ImageFindings) -> None:
    """Print each kind of finding with its count and the first few ids."""
    print(f"{name}:")
    for field in fields(findings):
        found = getattr(findings, field.name)
        if isinstance(found, tuple):
            print(f"  {field.name.replace('_', ' ')}: {_listed(found)}")


def report_lost(findings: ObjectFindings) -> None:
    """Print which objects are lost, by kind and by what people know them by."""
    print(f"objects:\n  lost: {len(findings.lost)} of {findings.looked_for}")
    owners: dict[str, list[str]] = defaultdict(list)
    for lost in findings.lost:
        owners[lost.kind].append(lost.owner)
    for kind, names in sorted(owners.items()):
        print(f"  lost {kind}s: {_listed(sorted(names))}")


def _listed(names: tuple[str, ...] | list[str]) -> str:
    sample = f": {', '.join(names[:_SHOWN])}{' …' if len(names) > _SHOWN else ''}" if names else ""
    return f"{len(names)}{sample}"


def may_remove(surplus: int, looked_at: int, *, allowed: int) -> bool:
    """Whether so many things may be deleted of all that are stored; ``allowed`` is what the operator consented to."""
    return surplus <= max(allowed, min(_FEW, _FEW_OF_ALL * looked_at))


async def look(backends: Backends) -> tuple[Comparison[FaceFindings], Comparison[ImageFindings], ObjectFindings]:
    """Compare everything and print what was found."""
    database, vectors, storage = backends.database, backends.vectors, backends.storage
    face_reconciler = FaceReconciler(database, vectors.faces, storage)
    image_reconciler = ImageReconciler(database, vectors.images, storage)
    faces = Comparison("faces", face_reconciler, await face_reconciler.find())
    images = Comparison("images", image_reconciler, await image_reconciler.find())
    objects = await ObjectReconciler(database, storage).find()
    report(faces.name, faces.findings)
    report(images.name, images.findings)
    report_lost(objects)
    return faces, images, objects


async def mend(faces: Comparison[FaceFindings], images: Comparison[ImageFindings], *, allowed: int) -> None:
    """Restore what is missing; remove what is left over, unless it is more than may be."""
    await faces.restore()
    await images.restore()
    surplus = faces.findings.surplus + images.findings.surplus
    looked_at = faces.findings.looked_at + images.findings.looked_at
    if may_remove(surplus, looked_at, allowed=allowed):
        await faces.remove()
        await images.remove()
        return
    print(
        f"NOT deleted: {surplus} of {looked_at} stored things have no row. Is this the right database, and is it "
        f"restored? If they really have to go: --mend --yes-delete {surplus}"
    )


async def reconcile(settings: Settings, *, mends: bool, allowed: int) -> bool:
    """Whether everything fits, after repairs if they were asked for."""
    async with AsyncExitStack() as stack:
        backends = await open_backends(stack, settings)
        faces, images, objects = await look(backends)
        if mends and not (faces.findings.consistent and images.findings.consistent):
            await mend(faces, images, allowed=allowed)
            print("repaired; looking again")
            faces, images, objects = await look(backends)
        return faces.findings.consistent and images.findings.consistent and objects.consistent


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mend", action="store_true", help="restore missing and different vectors, delete orphans")
    parser.add_argument("--yes-delete", type=int, default=0, metavar="N", help="delete up to N orphans")
    arguments = parser.parse_args()
    try:
        fits = asyncio.run(reconcile(load_settings(), mends=arguments.mend, allowed=arguments.yes_delete))
    except VisionError as error:
        print(f"reconcile: {error.message}", file=sys.stderr)
        return 2
    return 0 if fits else 1


if __name__ == "__main__":
    sys.exit(main())
