"""``cv users``: the people who sign in."""

from __future__ import annotations

import asyncio
import getpass
import re
import secrets
import sys
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import TypeVar

import click
from pydantic import TypeAdapter, ValidationError

from app.cli.output import Report
from app.composition.backends import open_database
from app.config import load_settings
from app.models.user import NewPassword, UserName
from app.types import StaffRole
from app.workflows.slow_hashes import SlowHashes
from app.workflows.users import User, UserBook

Result = TypeVar("Result")

_NAME, _PASSWORD = TypeAdapter(UserName), TypeAdapter(NewPassword)


def _name(_context: click.Context, _parameter: click.Parameter, text: str) -> str:
    try:
        return _NAME.validate_python(text)
    except ValidationError as error:
        raise click.BadParameter("2 to 20 small letters, digits, . _ -, a letter or digit first") from error


_ROLES = click.option(
    "--role", "roles", type=click.Choice([role.value for role in StaffRole]), multiple=True, help="Repeat for more."
)
_GENERATE = click.option("--generate", is_flag=True, help="Make the password up, and print it once.")


@click.group("users")
@click.option("--by", default=getpass.getuser, help="Who does it, for the audit log.")
@click.pass_context
def command(context: click.Context, by: str) -> None:
    """Say who may sign in, and as what. Passwords are asked for, or read from standard input."""
    context.meta["by"] = by


@command.command()
@click.argument("name", callback=_name)
@_ROLES
@_GENERATE
@click.pass_context
def add(context: click.Context, name: str, roles: tuple[str, ...], generate: bool) -> None:
    """Let somebody sign in."""
    if not roles:
        raise click.UsageError(f"Say with --role what {name} works as: {', '.join(StaffRole)}.")
    password = _generated(context.obj) if generate else _asked_for()
    given = [StaffRole(role) for role in roles]
    user = _with_book(lambda book: book.add(name, password=password, roles=given, actor=context.meta["by"]))
    context.obj.note(f"{user.name} may sign in")
    context.obj.result(_shown(user) | ({"password": password} if generate else {}))


@command.command("list")
@click.pass_obj
def list_(output: Report) -> None:
    """Show everybody who may sign in."""
    users = _with_book(lambda book: book.list_users())
    output.line("name                  last signed in    roles")
    for user in users:
        used = f"{user.signed_in_at:%Y-%m-%d %H:%M}" if user.signed_in_at else "never"
        output.line(f"{user.name:<20}  {used:<16}  {','.join(user.roles)}")
    output.result({"users": [_shown(user) for user in users]})


@command.command()
@click.argument("name", callback=_name)
@_ROLES
@click.pass_context
def roles(context: click.Context, name: str, roles: tuple[str, ...]) -> None:
    """Let somebody work as something else, within seconds."""
    if not roles:
        raise click.UsageError(f"Say with --role what {name} works as: {', '.join(StaffRole)}.")
    given = [StaffRole(role) for role in roles]
    user = _with_book(lambda book: book.change(name, password=None, roles=given, actor=context.meta["by"]))
    context.obj.note(f"{user.name} works as {', '.join(user.roles)}")
    context.obj.result(_shown(user))


@command.command()
@click.argument("name", callback=_name)
@_GENERATE
@click.pass_context
def password(context: click.Context, name: str, generate: bool) -> None:
    """Give somebody another password; their sessions end."""
    given = _generated(context.obj) if generate else _asked_for()
    user = _with_book(lambda book: book.change(name, password=given, roles=None, actor=context.meta["by"]))
    context.obj.note(f"{user.name} has another password")
    context.obj.result(_shown(user) | ({"password": given} if generate else {}))


@command.command()
@click.argument("name", callback=_name)
@click.pass_context
def end(context: click.Context, name: str) -> None:
    """Let somebody sign in no more."""
    _with_book(lambda book: book.end(name, actor=context.meta["by"]))
    context.obj.note(f"{name} signs in no more")
    context.obj.result({"name": name, "ended": True})


def _shown(user: User) -> dict[str, object]:
    return {"name": user.name, "key_id": user.key_id, "roles": list(user.roles)}


def _generated(output: Report) -> str:
    password = secrets.token_urlsafe(12)
    output.note("the password, which is not shown again:")
    output.line(password)
    return password


def _asked_for() -> str:
    if sys.stdin.isatty():
        text = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    else:
        text = re.sub(r"\r?\n$", "", sys.stdin.readline(1000))
    try:
        return _PASSWORD.validate_python(text).get_secret_value()
    except ValidationError as error:
        raise click.UsageError("A password has 10 to 200 characters.") from error


def _with_book(work: Callable[[UserBook], Awaitable[Result]]) -> Result:
    async def run() -> Result:
        async with AsyncExitStack() as stack:
            return await work(UserBook(await open_database(stack, load_settings()), SlowHashes()))

    return asyncio.run(run())
