"""The Dockerfile as a builder reads it: stages of instructions, and the files that a build is given."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath

PROJECT_DIR = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction, its lines joined: ``RUN`` and what follows it."""

    keyword: str
    value: str


@dataclass(frozen=True, slots=True)
class Stage:
    """From one ``FROM`` to the next; ``base`` is an image or an earlier stage."""

    name: str
    base: str
    instructions: tuple[Instruction, ...]

    def last(self, keyword: str) -> str:
        """What the last instruction of that keyword says, which is the one that counts."""
        return [one.value for one in self.instructions if one.keyword == keyword][-1]

    def project_files(self) -> list[PurePosixPath]:
        """What ``COPY`` takes from the project: files and folders."""
        copies = [one.value.split() for one in self.instructions if one.keyword == "COPY"]
        return [PurePosixPath(source) for words in copies if not words[0].startswith("--") for source in words[:-1]]


def substitute(text: str, values: Mapping[str, str]) -> str:
    """``$NAME`` and ``${NAME}`` replaced, by nothing where there is no such value."""
    return re.sub(r"\$(?:\{(\w+)\}|(\w+))", lambda found: values.get(found[1] or found[2], ""), text)


def assignments(value: str) -> dict[str, str]:
    """The names and values of an ``ENV`` or ``ARG``; a name alone has no value."""
    pairs = re.findall(r'(\w+)(?:=("[^"]*"|\S*))?', value)
    return {name: given.strip('"') for name, given in pairs}


def read_stages(build_args: Mapping[str, str] | None = None) -> dict[str, Stage]:
    """The stages by name, in their order, with the arguments before the first ``FROM`` put in."""
    outside: dict[str, str] = {}
    stages: dict[str, Stage] = {}
    for block in re.split(r"(?m)^(?=FROM )", (PROJECT_DIR / "Dockerfile").read_text(encoding="utf-8")):
        found = _instructions(block)
        if found[0].keyword != "FROM":
            for one in found:
                outside |= assignments(one.value)
            outside |= build_args or {}
            continue
        base, _, name = substitute(found[0].value, outside).partition(" AS ")
        stages[name] = Stage(name, base, tuple(found[1:]))
    return stages


def _instructions(block: str) -> list[Instruction]:
    lines = [line for line in block.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [Instruction(*line.split(maxsplit=1)) for line in joined.splitlines()]


def context_files() -> list[PurePosixPath]:
    """What a build is given of the project."""
    found: list[PurePosixPath] = []
    for folder, folders, names in os.walk(PROJECT_DIR):
        place = PurePosixPath(Path(folder).relative_to(PROJECT_DIR))
        folders[:] = [name for name in folders if is_given(place / name)]
        found += [place / name for name in names if is_given(place / name)]
    return sorted(found)


def is_given(path: PurePosixPath) -> bool:
    """Whether ``.dockerignore`` lets it through: the last pattern that fits it or a folder above it decides."""
    places = [str(path), *map(str, path.parents)]
    return next((given for pattern, given in reversed(_rules()) if any(map(pattern.fullmatch, places))), True)


@cache
def _rules() -> list[tuple[re.Pattern[str], bool]]:
    """Each pattern of ``.dockerignore``, and whether it lets through what it fits."""
    lines = (PROJECT_DIR / ".dockerignore").read_text(encoding="utf-8").splitlines()
    patterns = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    return [(_as_regex(pattern.removeprefix("!")), pattern.startswith("!")) for pattern in patterns]


def _as_regex(pattern: str) -> re.Pattern[str]:
    parts = re.split(r"(\*\*/|\*|\?)", pattern.strip("/"))
    meanings = {"**/": "(?:.*/)?", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(meanings.get(part, re.escape(part)) for part in parts))
