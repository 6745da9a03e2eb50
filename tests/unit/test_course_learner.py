# SPDX-License-Identifier: MIT
"""The learner's record: versions of cells, results, hints, and the map drawn from them."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from kmodlab.course.exercise import find_exercises
from kmodlab.course.learner import Learner
from kmodlab.course.map import course_map
from kmodlab.course.results import CheckResult, ExerciseResult
from kmodlab.errors import HostSetupError, UsageError
from kmodlab.resources import resource

GOOD = CheckResult("reads", True, "it reads", 2, 2)
BAD = CheckResult("writes", False, "it <does not> write", 0, 3, "locks", ("one", "two"))
RESULT = ExerciseResult("bounded", "A title", (GOOD, BAD))


@pytest.fixture
def learner(tmp_path: Path) -> Learner:
    return Learner(tmp_path / "deep" / "learner.sqlite3")


def test_versions_are_kept_once_each_and_come_back(learner: Learner) -> None:
    numbers = [learner.keep("hello", text) for text in ("a\n", "b\n", "b\n", "a\n")]
    assert numbers == [1, 2, 2, 3]
    assert [row.number for row in learner.versions("hello")] == [3, 2, 1]
    assert learner.version("hello").text == "a\n"
    assert learner.version("hello", 2).text == "b\n"
    with pytest.raises(UsageError, match="there are 1 to 3"):
        learner.version("hello", 9)
    with pytest.raises(UsageError, match="no %%kmod cell"):
        learner.version("other")


def test_old_versions_go_and_their_numbers_do_not_come_again(learner: Learner) -> None:
    for number in range(1, 305):
        assert learner.keep("hello", f"{number}\n") == number
    assert len(learner.versions("hello")) == 300
    assert learner.versions("hello")[-1].number == 5


def test_many_notebooks_write_at_once(learner: Learner) -> None:
    with ThreadPoolExecutor(8) as pool:
        numbers = list(pool.map(lambda number: learner.keep("hello", f"{number}\n"), range(40)))
    assert sorted(numbers) == list(range(1, 41))


def test_a_process_that_is_killed_in_the_middle_of_a_write_damages_nothing(learner: Learner) -> None:
    learner.keep("hello", "a\n")
    code = (
        "import os, sys\nfrom pathlib import Path\nfrom kmodlab.course.learner import Learner\n"
        "with Learner(Path(sys.argv[1]))._open() as db:\n"
        "    db.execute(\"insert into source values ('hello', 2, 0, 'torn')\")\n    os._exit(9)\n"
    )
    assert subprocess.run([sys.executable, "-c", code, str(learner.path)], check=False).returncode == 9
    assert [row.text for row in learner.versions("hello")] == ["a\n"]
    assert learner.keep("hello", "b\n") == 2


def test_results_are_kept_and_the_best_counts(learner: Learner) -> None:
    assert learner.last() is None
    learner.note(RESULT)
    learner.note(ExerciseResult("bounded", "A title", (BAD,)))
    assert learner.last() == ExerciseResult("bounded", "A title", (BAD,))
    assert learner.last("unwind") is None
    best = learner.best()["bounded"]
    assert (best.points, best.of, best.tries) == (2, 5, 2)


def test_hints_are_counted(learner: Learner) -> None:
    assert learner.shown("bounded", "upper") == 1
    learner.show("bounded", "upper", 2)
    assert learner.shown("bounded", "upper") == 2
    assert learner.shown("bounded", "lower") == 1


def test_what_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HostSetupError, match="KMODLAB_DATA"):
        Learner(tmp_path / "file" / "learner.sqlite3").keep("hello", "a")
    (tmp_path / "broken").write_text("no database at all, and long enough to be read as one" * 100)
    with pytest.raises(HostSetupError, match="not a database"):
        Learner(tmp_path / "broken").versions("hello")


def test_the_map_shows_how_far_one_has_come(learner: Learner) -> None:
    exercises = find_exercises(resource("lab_modules"))
    first = course_map(exercises, learner.best())
    assert {row.state for row in first} == {"not tried"}
    learner.note(RESULT)
    learner.note(ExerciseResult("unwind", "t", tuple(CheckResult(str(n), True, "", 2, 2) for n in range(3))))
    drawn = course_map(exercises, learner.best())
    assert {row.id: row.state for row in drawn if row.id in {"bounded", "unwind"}} == {
        "bounded": "begun",
        "unwind": "done",
    }
    assert "1 of" in drawn.caption
    assert 'scope="col"' in drawn._repr_html_()


def test_a_result_survives_json_and_shows_itself() -> None:
    assert ExerciseResult.from_dict(RESULT.to_dict()) == RESULT
    assert (RESULT.points, RESULT.of, RESULT.ok) == (2, 5, False)
    assert "2 of 5 points" in str(RESULT)
    assert "one" in str(RESULT)
    assert "two" not in str(RESULT)
    assert "it &lt;does not&gt; write" in RESULT._repr_html_()
    assert "Well done" in str(ExerciseResult("a", "b", (GOOD,)))
