# SPDX-License-Identifier: MIT
"""Proofs of the checkers: each accepts the solution, and nothing else that we can think of.

A wrong answer must not only fail: the first hint that its author sees must be the one that fits.
"""

from __future__ import annotations

import ast
from functools import cache
from itertools import pairwise

import pytest

from kmodlab.build.kernel import KernelBuild
from kmodlab.course.checks import load_checks
from kmodlab.course.examine import examine
from kmodlab.course.exercise import Exercise, WrongAnswer, find_exercises
from kmodlab.course.results import ExerciseResult
from kmodlab.resources import resource

pytestmark = pytest.mark.machine

EXERCISES = find_exercises(resource("lab_modules"))
BY_ID = {one.id: one for one in EXERCISES}
IDS = list(BY_ID)
DEFAULT = {"bounded", "unwind", "slate"}
"""A plain failure, a leak, and a hang."""

FORGER = """#include <linux/module.h>
static int __init forger_init(void)
{
%s
	return 0;
}
static void __exit forger_exit(void)
{
}
module_init(forger_init);
module_exit(forger_exit);
MODULE_LICENSE("GPL");
"""


def wrong_answers() -> list[object]:
    """All of them; the first of a few exercises belong to the default run."""
    return [
        pytest.param(
            one.id,
            wrong,
            id=f"{one.id}-{wrong.name}",
            marks=[pytest.mark.slow] if number or one.id not in DEFAULT else [],
        )
        for one in EXERCISES
        for number, wrong in enumerate(one.wrong_answers)
    ]


def forgery(exercise: Exercise) -> str:
    """A module that does nothing but print whatever its checkers contain to the log."""
    texts: list[str] = [exercise.title]
    for path in sorted(exercise.folder.glob("*.py")):
        tree = ast.parse(path.read_text())
        texts += [
            node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)
        ]
    escaped = (text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%") for text in texts)
    lines = [line for text in escaped for line in text.splitlines() if line.strip()]
    return FORGER % "\n".join(f'\tpr_info("{line}\\n");' for line in lines)


@cache
def result_of(name: str, text: str, kernel: KernelBuild) -> ExerciseResult:
    return examine(BY_ID[name], BY_ID[name].source(text), kernel)


@pytest.mark.parametrize("name", IDS)
def test_the_solution_gets_every_point(frozen: KernelBuild, name: str) -> None:
    result = result_of(name, BY_ID[name].solution, frozen)
    assert [(one.name, one.message) for one in result.failed] == []
    assert (result.points, result.of) == (BY_ID[name].points, BY_ID[name].points)


@pytest.mark.slow
@pytest.mark.parametrize("name", IDS)
def test_the_skeleton_builds_and_falls_short(frozen: KernelBuild, name: str) -> None:
    result = result_of(name, BY_ID[name].skeleton, frozen)
    assert result.verdict == "built", result.checks[0].message
    assert result.points <= result.of / 2
    assert all(one.hints for one in result.failed)


@pytest.mark.parametrize(("name", "wrong"), wrong_answers())
def test_a_wrong_answer_gets_the_hint_that_fits(frozen: KernelBuild, name: str, wrong: WrongAnswer) -> None:
    result = result_of(name, wrong.text, frozen)
    assert result.verdict == "built", result.checks[0].message
    assert not result.ok
    assert result.failed[0].hint == wrong.hint, result.failed[0].message
    assert result.points < result.of


@pytest.mark.parametrize("name", [pytest.param(one, marks=[pytest.mark.slow] if number else [])
                                  for number, one in enumerate(IDS)])  # fmt: skip
def test_printing_to_the_log_earns_nothing(frozen: KernelBuild, name: str) -> None:
    result = result_of(name, forgery(BY_ID[name]), frozen)
    assert result.verdict == "built", result.checks[0].message
    assert result.points == 0, [one.name for one in result.checks if one.passed]


@pytest.mark.slow
@pytest.mark.parametrize("name", IDS)
def test_there_is_no_check_that_cannot_fail(frozen: KernelBuild, name: str) -> None:
    exercise = BY_ID[name]
    texts = [exercise.skeleton, *(wrong.text for wrong in exercise.wrong_answers)]
    failed = {one.name for text in texts for one in result_of(name, text, frozen).failed}
    assert failed == {one.name for one in load_checks(exercise.folder).checks}


@pytest.mark.slow
@pytest.mark.parametrize("name", [one.id for one in EXERCISES if (one.folder / "hidden.py").is_file()])
def test_a_hidden_check_finds_what_the_others_do_not(frozen: KernelBuild, name: str) -> None:
    failed = [result_of(name, wrong.text, frozen).failed for wrong in BY_ID[name].wrong_answers]
    assert any(all(one.hidden for one in each) for each in failed)


def test_lessons_come_in_order() -> None:
    assert all(before.lesson <= after.lesson for before, after in pairwise(EXERCISES))
