# SPDX-License-Identifier: MIT
"""The map of the course, drawn and as a table; the index page; the list of lessons."""

from __future__ import annotations

import base64
import re
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import pytest

from kmodlab import plot
from kmodlab.course.exercise import find_exercises
from kmodlab.course.index import index_page
from kmodlab.course.learner import Best, Learner
from kmodlab.course.lessons import Lesson, find_lessons
from kmodlab.course.map import CourseMap, course_map
from kmodlab.course.picture import draw_map
from kmodlab.errors import UsageError
from kmodlab.resources import resource
from tests.unit.pictures import nothing_overlaps

EXERCISES = find_exercises(resource("lab_modules"))
LESSONS = find_lessons(resource("notebooks"))
NONE: dict[str, Best] = {}
SOME = {"bounded": Best(5, 5, 1), "unwind": Best(2, 6, 3), EXERCISES[-1].id: Best(0, 6, 1)}
ALL = {one.id: Best(100, 100, 1) for one in EXERCISES}


def course(best: dict[str, Best]) -> CourseMap:
    return course_map(EXERCISES, best, LESSONS)


@pytest.mark.parametrize(("best", "theme"), [(NONE, "light"), (SOME, "dark"), (ALL, "light")])
def test_no_text_of_the_map_overlaps_another_or_is_cut_off(best: dict[str, Best], theme: plot.theme.ThemeName) -> None:
    ax = draw_map(course(best), theme=theme)
    assert len(nothing_overlaps(ax)) > 2 * len(EXERCISES)


def test_the_title_says_how_far_one_is() -> None:
    assert course(NONE).finding.startswith(f"{len(EXERCISES)} exercises, 0 of ")
    assert re.fullmatch(rf"1 of {len(EXERCISES)} exercises done, 7 of \d+ points; next: “.+”", course(SOME).finding)
    assert course(ALL).finding == f"All {len(EXERCISES)} exercises done, {course(ALL).of} points"
    assert course_map((), NONE).finding == "No exercises here"


def test_the_map_says_in_words_what_it_shows() -> None:
    words = plot.alt_text(draw_map(course(SOME)))
    assert course(SOME).finding in words
    assert "A parameter that knows its limits, done, 5 of 5 points" in words
    assert "Undo what was done, begun, 2 of 6 points" in words
    assert all(one.title in words for one in EXERCISES)


def test_exercises_come_as_the_notebook_has_them_and_lessons_in_order() -> None:
    order = [(place.lesson, place.id) for place in course(NONE)]
    assert [lesson for lesson, _ in order] == sorted(lesson for lesson, _ in order)
    for lesson in (lesson for lesson in LESSONS if lesson.exercises):
        assert [name for number, name in order if number == lesson.number] == list(lesson.exercises)


def test_in_a_notebook_the_picture_stands_above_the_table() -> None:
    bundle = course(SOME)._repr_mimebundle_()
    assert bundle["text/html"].index("<img alt=") < bundle["text/html"].index("<table")
    assert base64.b64decode(bundle["image/png"]).startswith(b"\x89PNG")
    assert "5 of 5" in bundle["text/plain"]


# -- The index --------------------------------------------------------------------------------------------------------


class Tags(HTMLParser):
    """The attributes of the elements of a page, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


@cache
def page(name: str) -> Tags:
    """The index of who has done nothing, something or all; the last one's record is damaged."""
    best, trouble = {"none": (NONE, ""), "some": (SOME, ""), "all": (ALL, "no <database>")}[name]
    return Tags(index_page(course(best), LESSONS, lambda path: f"/lab/tree/{path.name}", trouble=trouble))


def test_every_lesson_is_on_the_index_with_its_notebook() -> None:
    made = page("some")
    links = [given["href"] for tag, given in made.found if tag == "a"]
    assert links[1:] == [f"/lab/tree/{lesson.notebook.name}" for lesson in LESSONS] + ["/lab/tree/glossary.md"]
    assert all(lesson.title in made.text and lesson.proves in made.text for lesson in LESSONS)
    assert all(given["alt"] for tag, given in made.found if tag == "img")
    outside = [value for _, given in made.found for value in given.values() if re.match("https?:", value or "")]
    assert outside == []


@pytest.mark.parametrize(
    ("who", "words", "to"), [("none", "Begin", "00_tour.ipynb"), ("some", "Go on", "01_first_module.ipynb")]
)
def test_the_index_leads_to_where_one_goes_on(who: str, words: str, to: str) -> None:
    made = page(who)
    (go,) = [given for tag, given in made.found if given.get("class") == "go"]
    assert go["href"] == f"/lab/tree/{to}"
    assert f"{words}: " in made.text


def test_who_has_done_all_is_led_nowhere() -> None:
    assert "go" not in [given.get("class") for _, given in page("all").found]


def test_a_record_that_cannot_be_read_is_named() -> None:
    assert "no <database>" in page("all").text


def test_titles_are_text_and_no_markup(tmp_path: Path) -> None:
    lesson = Lesson("01", "<script>x</script>", "a < b", tmp_path / "01_x.ipynb")
    made = index_page(course_map((), NONE), [lesson], str)
    assert "<script>x" not in made
    assert "a &lt; b" in made


# -- Lessons ----------------------------------------------------------------------------------------------------------


def test_every_notebook_is_listed_in_reading_order() -> None:
    notebooks = sorted(path.name for path in resource("notebooks").glob("*.ipynb"))
    assert [lesson.notebook.name for lesson in LESSONS] == notebooks
    assert len({lesson.title for lesson in LESSONS}) == len(LESSONS)


@pytest.mark.parametrize("text", ["", "lesson = 3", "[[lesson]]\nproves = 'x'", "[[lesson"])
def test_a_damaged_list_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "course.toml").write_text(text)
    with pytest.raises(UsageError, match="read the lessons"):
        find_lessons(tmp_path)


def test_the_server_makes_the_page_of_the_learners_own_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import kmodlab
    from kmodlab.course.results import CheckResult, ExerciseResult
    from kmodlab.jupyter import server

    monkeypatch.setenv("KMODLAB_DATA", str(tmp_path))
    kmodlab.settings.cache_clear()
    Learner().note(ExerciseResult("bounded", "t", (CheckResult("a", True, "", 5, 5),)))
    made = Tags(server._page(resource("notebooks").parent.resolve(), "/user/anna/"))
    assert "✓ done" in made.text
    assert "/user/anna/lab/tree/notebooks/01_first_module.ipynb" in [given.get("href") for _, given in made.found]
    monkeypatch.undo()
    kmodlab.settings.cache_clear()
