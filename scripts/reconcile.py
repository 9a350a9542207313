"""Find what a crash left between PostgreSQL, the vector database and the object store, and mend it when asked to.

python scripts/reconcile.py           # only look; exit status 1 if something does not fit
python scripts/reconcile.py --mend    # remove orphans, restore missing vectors from PostgreSQL
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from contextlib import AsyncExitStack
from dataclasses import fields
from typing import Protocol, TypeVar

from app.composition.backends import open_backends
from app.config import Settings, load_settings
from app.errors import VisionError
from app.workflows.image_reconciliation import ImageFindings, ImageReconciler
from app.workflows.reconciliation import FaceFindings, FaceReconciler

Findings = TypeVar("Findings", FaceFindings, ImageFindings)


class Reconciler(Protocol[Findings]):
    """Finds what does not fit, and mends what was found."""

    async def find(self) -> Findings: ...
    async def mend(self, findings: Findings) -> None: ...


def report(name: str, findings: FaceFindings | ImageFindings) -> None:
    """Print each kind of finding with its count and the first few ids."""
    print(f"{name}:")
    for field in fields(findings):
        ids: tuple[str, ...] = getattr(findings, field.name)
        sample = f": {', '.join(ids[:5])}{' …' if len(ids) > 5 else ''}" if ids else ""
        print(f"  {field.name.replace('_', ' ')}: {len(ids)}{sample}")


async def reconcile(settings: Settings, *, mend: bool) -> bool:
    """Whether everything fits, after mending if that was asked for."""
    async with AsyncExitStack() as stack:
        backends = await open_backends(stack, settings)
        database, vectors, storage = backends.database, backends.vectors, backends.storage
        faces = await compare("faces", FaceReconciler(database, vectors.faces, storage), mend=mend)
        images = await compare("images", ImageReconciler(database, vectors.images, storage), mend=mend)
        return faces and images


async def compare(name: str, reconciler: Reconciler[Findings], *, mend: bool) -> bool:
    """Whether one kind of thing fits, after mending if that was asked for."""
    findings = await reconciler.find()
    report(name, findings)
    if mend and not findings.consistent:
        await reconciler.mend(findings)
        print("mended; looking again")
        findings = await reconciler.find()
        report(name, findings)
    return findings.consistent


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mend", action="store_true", help="remove orphans and restore missing vectors")
    arguments = parser.parse_args()
    try:
        return 0 if asyncio.run(reconcile(load_settings(), mend=arguments.mend)) else 1
    except VisionError as error:
        print(f"reconcile: {error.message}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
