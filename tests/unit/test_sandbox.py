"""Jobs in processes of their own: what they return, what stops them, and that nobody else notices."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from app.errors import DeadlineExceeded, InvalidImage, TooLarge, Unavailable, VisionError
from app.utils.sandbox import Sandbox, SandboxLimits, SandboxReply, SandboxTask
from tests import sandbox_functions
from tests.waiting import PATIENCE_S, until

LIMITS = SandboxLimits(cpu_s=1, wall_s=PATIENCE_S, memory_bytes=256 * 2**20)
OUTPUT_BYTES = 2**20


def task(name: str) -> SandboxTask:
    return SandboxTask(name, f"{sandbox_functions.__name__}:{name}", "too_complex", "Send a simpler one.")


NAMES = (
    "gradient", "refuse", "burn", "sleep", "wait_for_file", "eat_memory", "crash", "raise_anything",
    "answer_too_much", "lie", "look_around",
)  # fmt: skip


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    sandbox = Sandbox([task(name) for name in NAMES])
    await sandbox.open()
    yield sandbox
    await sandbox.close()


async def run(sandbox: Sandbox, name: str, *, limits: SandboxLimits = LIMITS, **arguments: object) -> SandboxReply:
    return await sandbox.run(task(name), b"\1\2\3", arguments, limits=limits, output_bytes=OUTPUT_BYTES)


def children_of(pid: int) -> list[int]:
    """The processes whose parent is ``pid``; none where it is gone."""
    path = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in path.read_text().split()] if path.exists() else []


def server_pid(module: str = "app.utils.sandbox_server") -> int:
    """The sandbox's server below this process."""
    for pid in children_of_all_threads(os.getpid()):
        if module in Path(f"/proc/{pid}/cmdline").read_text().split("\0"):
            return pid
    raise AssertionError("no server runs")


def children_of_all_threads(pid: int) -> list[int]:
    found = [path.read_text().split() for path in Path(f"/proc/{pid}/task").glob("*/children")]
    return [int(child) for children in found for child in children]


async def until_jobs_run(count: int, *, server: int) -> None:
    await until(lambda: len(children_of(server)) == count)


def is_there(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


async def test_bytes_and_arguments_go_in_and_pixels_come_out(sandbox: Sandbox) -> None:
    reply = await run(sandbox, "gradient", height=2)
    image = reply.output.pixels(reply.value["image"])
    assert reply.value["length"] == 3
    assert image.tolist() == [[[1] * 3, [2] * 3, [3] * 3]] * 2
    image += 1  # it is ours to write into
    assert image.flags.c_contiguous
    assert image.dtype == np.uint8


async def test_what_the_function_finds_wrong_is_told_as_it_is(sandbox: Sandbox) -> None:
    with pytest.raises(TooLarge) as refused:
        await run(sandbox, "refuse")
    assert (refused.value.code, refused.value.message) == ("too_much", "Send less.")


@pytest.mark.parametrize("name", ["burn", "eat_memory", "crash", "raise_anything", "answer_too_much"])
async def test_what_is_too_much_work_or_kills_the_decoder_is_refused(sandbox: Sandbox, name: str) -> None:
    with pytest.raises(InvalidImage) as refused:
        await run(sandbox, name)
    assert refused.value.code == "too_complex"
    assert (await run(sandbox, "gradient", height=1)).value["length"] == 3


async def test_a_job_that_only_takes_long_may_be_sent_again(sandbox: Sandbox) -> None:
    with pytest.raises(DeadlineExceeded):
        await run(sandbox, "sleep", limits=SandboxLimits(1, 0.3, 2**28), seconds=60)
    await until_jobs_run(0, server=server_pid())


async def test_one_that_dies_disturbs_no_other(sandbox: Sandbox) -> None:
    names = ["crash", "gradient", "eat_memory", "gradient", "crash", "gradient"]
    jobs = [run(sandbox, name, height=1) for name in names]
    slow = asyncio.create_task(run(sandbox, "sleep", seconds=1.0))
    ended = await asyncio.gather(*jobs, return_exceptions=True)
    assert [isinstance(end, SandboxReply) for end in ended] == [name == "gradient" for name in names]
    assert (await slow).value == {}


async def test_who_goes_away_ends_the_work(sandbox: Sandbox) -> None:
    job = asyncio.create_task(run(sandbox, "sleep", seconds=60))
    await until_jobs_run(1, server=server_pid())
    job.cancel()
    await asyncio.gather(job, return_exceptions=True)
    await until_jobs_run(0, server=server_pid())


async def test_an_answer_that_points_beyond_its_memory_is_damage(sandbox: Sandbox) -> None:
    reply = await run(sandbox, "lie")
    with pytest.raises(InvalidImage):
        reply.output.pixels(reply.value["image"])


async def test_a_job_finds_no_secret_and_no_other_job(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADMIN_API_KEY", "x" * 32)
    other = asyncio.create_task(run(sandbox, "sleep", seconds=1.0))
    seen = (await run(sandbox, "look_around")).value
    await other
    environment, descriptors = seen["environment"], seen["descriptors"]
    assert isinstance(environment, dict)
    assert set(environment) <= {"PYTHONPATH", "OPENBLAS_NUM_THREADS", "PATH", "LC_ALL", "LC_CTYPE"}
    # Standard ones; input, output and the way back; the two memories' own; the folder that lists them.
    assert descriptors == list(range(9))


async def test_a_server_that_is_gone_is_started_again_and_its_job_too(sandbox: Sandbox, tmp_path: Path) -> None:
    first = server_pid()
    job = asyncio.create_task(run(sandbox, "wait_for_file", path=str(tmp_path / "go on")))
    await until_jobs_run(1, server=first)
    [child] = children_of(first)
    os.kill(first, signal.SIGKILL)
    os.kill(child, signal.SIGKILL)
    (tmp_path / "go on").touch()
    assert (await job).value == {}
    assert server_pid() != first
    assert (await run(sandbox, "gradient", height=1)).value["length"] == 3


async def test_closing_leaves_no_process_and_takes_no_job() -> None:
    sandbox = Sandbox([task(name) for name in NAMES])
    await sandbox.open()
    pid = server_pid()
    job = asyncio.create_task(run(sandbox, "sleep", seconds=60))
    await until_jobs_run(1, server=pid)
    await sandbox.close()
    assert isinstance((await asyncio.gather(job, return_exceptions=True))[0], VisionError)
    assert not is_there(pid)
    with pytest.raises(Unavailable):
        await run(sandbox, "gradient", height=1)
