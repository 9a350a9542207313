"""What does not fit between the backends: the command ``cv reconcile`` by its path; ``--help`` explains it."""

from __future__ import annotations

import sys

from app.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["reconcile", *sys.argv[1:]]))
