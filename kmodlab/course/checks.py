# SPDX-License-Identifier: MIT
"""What a check is: a function that uses the answer's module as a program would, worth points."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import TYPE_CHECKING, NoReturn

from kmodlab.errors import UsageError

if TYPE_CHECKING:
    from kmodlab.course.trial import Trial

__all__ = ["Check", "CheckFailed", "Checks", "check", "fail", "load_checks"]

OFTEN: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "build": (
            "Begin with the compiler's first message: the later ones often only follow from it.",
            "Compare with the skeleton: which line did you change last?",
        ),
        "parameter": ("module_param() declares a parameter; its name must be the one that the task gives.",),
        "load": (
            "insmod fails with the error number that your init function returns; 0 means success.",
            "Look at %dmesg: the kernel often says why it refuses a module.",
        ),
        "unload": ("rmmod needs a module_exit(), and nobody may use the module any more.",),
        "oops": (
            "The kernel followed an address that leads nowhere. Which pointer is used on the line named above?",
            "Pointers from a program may only be touched by copy_to_user(), copy_from_user() and their relatives.",
        ),
        "hang": (
            "Something never came back: a lock that is taken and not given back, a loop without an end, or a wait that "
            "nobody ends.",
            "Follow every way out of your function, the error returns too: does each give back what was taken?",
        ),
        "warned": ("The kernel itself complained: %dmesg shows the whole report, and its first line says of what.",),
        "leak": (
            "What was allocated and not freed is lost until the machine boots again.",
            "Go through your function's ways out: each must undo what was done before it.",
        ),
        "command": ("Try the command by hand with %guest, and look at %dmesg.",),
    }
)
"""Hints for what goes wrong in every exercise; an exercise's own under the same key come first."""


class CheckFailed(AssertionError):
    """A check did not find what it wanted.

    Attributes:
        hint: key of the hint that fits.
        seen: what was seen, in a sentence.
    """

    def __init__(self, hint: str, seen: str) -> None:
        super().__init__(seen)
        self.hint = hint
        self.seen = seen


@dataclass(frozen=True, slots=True)
class Check:
    """One check of an exercise.

    Attributes:
        name: of its function.
        points: that it is worth.
        passed: the sentence for an answer that passes.
        run: raises `CheckFailed` if the answer falls short.
        hidden: whether only the instructor's copy has it.
    """

    name: str
    points: int
    passed: str
    run: Callable[[Trial], None]
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class Checks:
    """The checks of an exercise and their hints.

    Attributes:
        checks: in the order in which they run.
        hints: by key; each from a nudge to the point.
        chance: what the checks know as ``random``: theirs alone, so that it can be seeded.
    """

    checks: tuple[Check, ...]
    hints: Mapping[str, tuple[str, ...]]
    chance: random.Random = field(default_factory=random.Random)

    @property
    def points(self) -> int:
        """What all are worth together."""
        return sum(one.points for one in self.checks)


def check(*, points: int, passed: str) -> Callable[[Callable[[Trial], None]], Check]:
    """Mark a function of ``checks.py`` or ``hidden.py`` as a check.

    It gets a `Trial` with a fresh machine, in which the module is built and not loaded, and calls
    ``trial.expect(condition, hint, seen)``.

    Args:
        points: that it is worth, at least 1.
        passed: a sentence for those who pass.
    """
    if points < 1:
        raise UsageError(f"make a check worth {points} points: it must be at least 1")
    return lambda function: Check(function.__name__, points, passed, function)


def fail(hint: str, seen: str) -> NoReturn:
    """End a check.

    Raises:
        CheckFailed: always.
    """
    raise CheckFailed(hint, seen)


def load_checks(folder: Path) -> Checks:
    """Return the checks in a folder's ``checks.py`` and, where it is there, ``hidden.py``.

    Raises:
        UsageError: they are no Python, or hold no check.
    """
    found: list[Check] = []
    hints = dict(OFTEN)
    chance = random.Random()
    for file in ("checks.py", "hidden.py"):
        path = folder / file
        if not path.is_file():
            continue
        space = _run(path)
        if vars(space).get("random") is random:
            vars(space)["random"] = chance
        found += [
            Check(one.name, one.points, one.passed, one.run, hidden=file == "hidden.py")
            for one in vars(space).values()
            if isinstance(one, Check)
        ]
        hints |= {key: _texts(path, key, text) for key, text in getattr(space, "HINTS", {}).items()}
    if not found:
        raise UsageError(f"read {folder}: its checks.py marks no function with @check; an exercise needs checks")
    return Checks(tuple(found), MappingProxyType(hints), chance)


def _run(path: Path) -> ModuleType:
    space = ModuleType(f"kmodlab_exercise_{path.parent.name}_{path.stem}")
    space.__file__ = str(path)
    try:
        exec(compile(path.read_text(), str(path), "exec"), vars(space))
    except Exception as error:
        raise UsageError(f"read {path}: {type(error).__name__}: {error}") from error
    return space


def _texts(path: Path, key: str, text: object) -> tuple[str, ...]:
    texts = (text,) if isinstance(text, str) else text
    if not isinstance(texts, tuple) or not texts or not all(isinstance(one, str) and one for one in texts):
        raise UsageError(f"read {path}: the hint {key!r} must be a text or a tuple of texts")
    return texts
