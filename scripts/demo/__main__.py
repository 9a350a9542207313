"""``make demo``: fills the service of ``make run`` with people, finds, claims, rooms, papers, stays, a camera and
alarms, and says what it did. A second run replaces the people and the camera, and adds the rest once more.

Settings say where the service is (HOST, PORT, ADMIN_API_KEY where it asks for keys).
"""

from __future__ import annotations

import argparse
import sys

import httpx

from scripts.demo.tour import DemoFailed, Tour
from scripts.local.api import Address, given_settings, project_data_dir

_TIMEOUT_S = 120.0  # for a document, on a machine that does other things besides


def main() -> int:
    """Returns the exit status."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    given = given_settings()
    address = Address.of(given)
    headers = {"X-API-Key": given["ADMIN_API_KEY"]} if given.get("ADMIN_API_KEY") else {}
    with httpx.Client(base_url=address.url, headers=headers, timeout=_TIMEOUT_S) as client:
        tour = Tour(client, say=lambda line: print(line, flush=True), folder=project_data_dir(given) / "demo")
        try:
            tour.walk()
        except DemoFailed as error:
            print(f"[demo] {error}", file=sys.stderr)
            return 1
        except httpx.ConnectError:
            print(f"[demo] nothing answers at {address.url}; start it first: make run", file=sys.stderr)
            return 1
    print(f"\nLook around: {address.url}/docs; every list there has something in it now.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
