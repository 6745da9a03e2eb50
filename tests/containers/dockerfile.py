# SPDX-License-Identifier: MIT
"""Reads a Dockerfile: as much of its language as ours uses, and an error for anything else."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

__all__ = ["TOP", "Stage", "Step", "kept", "read"]

TOP = Path(__file__).parents[2]

_INSTRUCTIONS = {"COPY", "RUN", "USER", "ENV", "WORKDIR", "EXPOSE", "ENTRYPOINT", "CMD"}


@dataclass(frozen=True, slots=True)
class Step:
    """One instruction.

    Attributes:
        name: ``COPY``.
        words: its arguments; those of ENV as ``NAME=value``.
        options: ``{"chown": "learner:learner"}``.
    """

    name: str
    words: tuple[str, ...]
    options: dict[str, str]


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage.

    Attributes:
        base: the image or stage that it begins with.
        name: its own name; nothing for the last.
        steps: in order.
    """

    base: str
    name: str
    steps: tuple[Step, ...]


def read(text: str) -> tuple[Stage, ...]:
    """Return the stages of a Dockerfile."""
    stages: list[Stage] = []
    lines = re.sub(r"^\s*#[^\n]*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ").splitlines()
    for line in filter(str.strip, lines):
        name, rest = line.split(maxsplit=1)
        if name == "FROM":
            found = re.fullmatch(r"(\S+)(?: AS (\S+))?", rest.strip())
            assert found, line
            stages.append(Stage(found[1], found[2] or "", ()))
            continue
        assert name in _INSTRUCTIONS, f"{name}: nobody has taught the test this instruction"
        last = stages.pop()
        stages.append(Stage(last.base, last.name, (*last.steps, _step(name, rest.strip()))))
    return tuple(stages)


def _step(name: str, rest: str) -> Step:
    options = {}
    while found := re.match(r"--([a-z]+)=(\S+)\s+", rest):
        options[found[1]] = found[2]
        rest = rest[found.end() :]
    words = json.loads(rest) if rest.startswith("[") else rest.split()
    assert "$" not in rest, f"{rest}: the test does not expand variables"
    return Step(name, tuple(words), options)


def kept(text: str) -> tuple[str, ...]:
    """Return what a .dockerignore that begins by leaving out all lets through, by name."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert lines[0] == "*"
    assert all(line.startswith(("!", "**/")) for line in lines[1:]), lines
    return tuple(line[1:] for line in lines if line.startswith("!"))
