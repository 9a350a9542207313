"""Run a program under another account: ``as_account.py UID GID PROGRAM [ARGUMENT...]``, started as root.

A program of its own rather than ``subprocess``'s ``user`` argument: that one forks the whole calling process, and the
fork handlers of a gRPC library in it kill the child now and then.
"""

from __future__ import annotations

import os
import sys


def main(arguments: list[str]) -> None:
    """Give up root for good, then become the program; the process id stays."""
    uid, gid, *program = arguments
    os.setgroups([])
    os.setgid(int(gid))
    os.setuid(int(uid))
    try:
        os.execv(program[0], program)  # noqa: S606  # the point of this file
    except OSError as error:
        sys.exit(f"{program[0]}: {error.strerror}")


if __name__ == "__main__":
    main(sys.argv[1:])
