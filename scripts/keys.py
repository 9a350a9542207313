"""API keys: create, list, revoke. Needs the service's settings (the environment or .env), DATABASE_URL above all.

python scripts/keys.py create --label "reception desk" --scope face:recognize --scope events
python scripts/keys.py list
python scripts/keys.py revoke 3

A new key is printed once, alone on standard output, and only its hash is stored.
"""

from __future__ import annotations

import argparse
import asyncio
import getpass
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack

from app.composition.backends import open_database
from app.config import load_settings
from app.errors import VisionError
from app.services.database import Database
from app.services.stores.keys import ApiKey
from app.types import Scope
from app.workflows import access

_MAX_LABEL_LENGTH = 100  # api_keys.label


def _label(text: str) -> str:
    if not text.strip() or len(text) > _MAX_LABEL_LENGTH or not text.isprintable():
        raise argparse.ArgumentTypeError(f"1 to {_MAX_LABEL_LENGTH} printable characters")
    return text.strip()


def _key_id(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or not 0 < int(text) < 2**31:
        raise argparse.ArgumentTypeError("a number as the list shows it")
    return int(text)


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--by", type=_label, default=getpass.getuser(), help="who does it, for the audit log")
    commands = parser.add_subparsers(dest="command", required=True)
    create = commands.add_parser("create", help="make a key")
    create.add_argument("--label", type=_label, required=True, help="whose it is; the audit log names it")
    create.add_argument(
        "--scope", choices=[*Scope], action="append", default=[], help="what it may do; repeat for more"
    )
    commands.add_parser("list", help="show all keys, never their secrets")
    commands.add_parser("revoke", help="end a key").add_argument("id", type=_key_id)
    return parser.parse_args(given)


def row(key: ApiKey) -> str:
    """One line of the list."""
    used = f"{key.last_used_at:%Y-%m-%d %H:%M}" if key.last_used_at else "never"
    state = f"revoked {key.revoked_at:%Y-%m-%d %H:%M}" if key.revoked_at else "active"
    scopes = ",".join(sorted(key.scopes)) or "-"
    return f"{key.id:>5}  {state:<24}  {key.created_at:%Y-%m-%d %H:%M}  {used:<16}  {scopes}  {key.label}"


async def carry_out(database: Database, options: argparse.Namespace) -> None:
    """Do what the command line asks."""
    if options.command == "create":
        key_id, secret = await access.create_key(database, label=options.label, scopes=options.scope, actor=options.by)
        print(f"key {key_id} for {options.label!r}; keep it now, it is not shown again:", file=sys.stderr)
        print(secret)
    elif options.command == "revoke":
        await access.revoke_key(database, options.id, actor=options.by)
        print(f"key {options.id} is revoked; it ends within seconds", file=sys.stderr)
    else:
        print("   id  state                     created (UTC)     last used         scopes  label")
        for key in await access.list_keys(database):
            print(row(key))


async def run(options: argparse.Namespace) -> None:
    async with AsyncExitStack() as stack:
        await carry_out(await open_database(stack, load_settings()), options)


def main() -> int:
    try:
        asyncio.run(run(arguments()))
    except VisionError as error:
        print(f"keys: {error.message}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
