"""``cv keys``: API keys, of which only hashes are stored."""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import TypeVar

import click

from app.cli.output import Report
from app.composition.backends import open_database
from app.config import load_settings
from app.services.database import Database
from app.services.stores.keys import ApiKey
from app.types import Scope
from app.workflows import access

Result = TypeVar("Result")

_MAX_LABEL_LENGTH = 100  # api_keys.label


def _label(_context: click.Context, _parameter: click.Parameter, text: str) -> str:
    if not text.strip() or len(text) > _MAX_LABEL_LENGTH or not text.isprintable():
        raise click.BadParameter(f"1 to {_MAX_LABEL_LENGTH} printable characters")
    return text.strip()


@click.group("keys")
@click.option("--by", callback=_label, default=getpass.getuser, help="Who does it, for the audit log.")
@click.pass_context
def command(context: click.Context, by: str) -> None:
    """Make, list and revoke API keys. Only their hashes are stored."""
    context.meta["by"] = by


@command.command()
@click.option("--label", callback=_label, required=True, help="Whose it is; the audit log names it.")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice([scope.value for scope in Scope]),
    multiple=True,
    help="What it may do; repeat for more.",
)
@click.pass_context
def create(context: click.Context, label: str, scopes: tuple[str, ...]) -> None:
    """Make a key; it is printed once, alone on standard output."""
    output: Report = context.obj

    async def make(database: Database) -> tuple[int, str]:
        return await access.create_key(database, label=label, scopes=scopes, actor=context.meta["by"])

    key_id, secret = _with_database(make)
    output.note(f"key {key_id} for {label!r}; keep it now, it is not shown again:")
    output.line(secret)
    output.result({"id": key_id, "label": label, "scopes": sorted(scopes), "key": secret})


@command.command("list")
@click.pass_obj
def list_(output: Report) -> None:
    """Show all keys, never their secrets."""
    keys = _with_database(access.list_keys)
    output.line("   id  state                     created (UTC)     last used         scopes  label")
    for key in keys:
        output.line(_row(key))
    output.result({"keys": keys})


@command.command()
@click.argument("key_id", metavar="ID", type=click.IntRange(1, 2**31 - 1))
@click.pass_context
def revoke(context: click.Context, key_id: int) -> None:
    """End a key, everywhere, within seconds."""
    output: Report = context.obj

    async def end(database: Database) -> None:
        await access.revoke_key(database, key_id, actor=context.meta["by"])

    _with_database(end)
    output.note(f"key {key_id} is revoked; it ends within seconds")
    output.result({"id": key_id, "revoked": True})


def _row(key: ApiKey) -> str:
    used = f"{key.last_used_at:%Y-%m-%d %H:%M}" if key.last_used_at else "never"
    state = f"revoked {key.revoked_at:%Y-%m-%d %H:%M}" if key.revoked_at else "active"
    scopes = ",".join(sorted(key.scopes)) or "-"
    return f"{key.id:>5}  {state:<24}  {key.created_at:%Y-%m-%d %H:%M}  {used:<16}  {scopes}  {key.label}"


def _with_database(work: Callable[[Database], Awaitable[Result]]) -> Result:
    async def run() -> Result:
        async with AsyncExitStack() as stack:
            return await work(await open_database(stack, load_settings()))

    return asyncio.run(run())
