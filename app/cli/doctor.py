"""``cv doctor``: looks at everything that the service needs, and says what is wrong and what to do."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Collection
from dataclasses import asdict

import click
from dotenv import dotenv_values

from app.cli.checks.machine import look_at_machine, misspelt, packages
from app.cli.checks.result import CheckResult, CheckState, wrong
from app.cli.checks.servers import look_at_servers
from app.cli.environment import PROJECT_DIR
from app.cli.output import Report
from app.config import Settings, load_settings
from app.errors import ConfigurationError
from app.ml_models.manifest import load_pack
from app.utils.logging import setup_logging

_MARKS = {CheckState.OK: "ok     ", CheckState.WARNING: "warning", CheckState.WRONG: "WRONG  "}


def examine(environment: Collection[str]) -> list[CheckResult]:
    """Every finding; without settings or a pack that can be read, what can be told without them."""
    try:
        settings: Settings = load_settings()
        pack = load_pack(settings.MODEL_PACK)
    except ConfigurationError as error:
        return [
            wrong("settings", error.message, "Correct them; the rest is looked at then."),
            *misspelt(environment),
            packages(),
        ]
    found = look_at_machine(settings, pack, environment)
    try:
        return [*found, *asyncio.run(look_at_servers(settings))]
    except ConfigurationError as error:  # a file that a setting names
        return [*found, wrong("settings", error.message, "Correct it; the servers are looked at then.")]


@click.command("doctor")
@click.pass_obj
def command(output: Report) -> int:
    """Look at everything that the service needs, and say what is wrong and what to do.

    Settings, packages, disks, clocks, models, master keys, certificates, backends, tables and vector
    collections. It changes nothing; the object store gets one empty object, which is removed at once.

    Exit status 1: something is wrong. Warnings alone leave it 0.
    """
    setup_logging(level="ERROR")
    found = examine({*dotenv_values(PROJECT_DIR / ".env"), *os.environ})
    for finding in found:
        output.line(f"{_MARKS[finding.state]}  {finding.check}: {finding.found}")
        if finding.advice:
            output.line(f"{'':9}-> {finding.advice}")
    count = {state: sum(finding.state is state for finding in found) for state in CheckState}
    output.line(f"{count[CheckState.WRONG]} wrong, {count[CheckState.WARNING]} warnings, {count[CheckState.OK]} ok")
    output.result(
        {"findings": [asdict(finding) for finding in found], **{state.value: n for state, n in count.items()}}
    )
    return 1 if count[CheckState.WRONG] else 0
