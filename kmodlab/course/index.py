# SPDX-License-Identifier: MIT
"""The course's index: one HTML page with the lessons in order, how far a learner is, and the map."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path

from kmodlab.course.lessons import Lesson
from kmodlab.course.map import CourseMap, Place

__all__ = ["index_page"]

_STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --quiet: #57606a; --faint: #d8dee4; --page: #fff; --link: #0a5f96;
        --done: #0072b2; --begun: #e69f00; }
@media (prefers-color-scheme: dark) { :root { --ink: #eceff2; --quiet: #a9b3bd; --faint: #3a4149; --page: #16191d;
        --link: #8fd0f5; --done: #2b8fd0; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--page); max-width: 52rem;
       margin: 0 auto; padding: 2rem 1.2rem 4rem; }
h1 { font-size: 1.7rem; margin: 0 0 .3rem; } h2 { font-size: 1.2rem; margin: 2.4rem 0 .4rem; }
h3 { font-size: 1.05rem; margin: 0; } a { color: var(--link); } p { margin: .25rem 0; }
.quiet { color: var(--quiet); } .go { display: inline-block; margin-top: .8rem; padding: .45rem 1rem; color: #fff;
      background: #0072b2; border-radius: .4rem; text-decoration: none; font-weight: 600; }
.lessons { list-style: none; margin: 0; padding: 0; }
.lessons > li { display: grid; grid-template-columns: 3rem 1fr; padding: 1rem 0; border-top: 1px solid var(--faint); }
.number { font-size: 1.2rem; font-weight: 700; color: var(--quiet); }
table { border-collapse: collapse; margin-top: .5rem; width: 100%; font-size: .93rem; }
caption { text-align: left; color: var(--quiet); padding: .2rem 0; }
td, th { text-align: left; vertical-align: top; padding: .22rem .9rem .22rem 0; font-weight: normal; }
td.points, td.state { white-space: nowrap; width: 4.6rem; }
.done { color: var(--done); font-weight: 600; } .begun { font-weight: 600; }
img { max-width: 100%; height: auto; }
"""
# What was checked meanwhile in a notebook is there when the reader comes back to this page.
_SCRIPT = "document.addEventListener('visibilitychange', () => { if (!document.hidden) location.reload(); });"
_MARKS = {"done": "✓ done", "begun": "◐ begun", "not tried": "○ not tried"}


def index_page(course: CourseMap, lessons: Sequence[Lesson], link: Callable[[Path], str], *, trouble: str = "") -> str:
    """Return the page, which needs nothing besides itself.

    Args:
        course: how far the learner is.
        lessons: in reading order.
        link: returns the address at which a notebook, or the glossary, opens.
        trouble: why the learner's record could not be read, if it could not.
    """
    begin = _begin(course, lessons)
    parts = [f'<h1>The course</h1>\n<p role="status">{escape(course.finding)}</p>']
    if trouble:
        parts.append(f"<p><strong>{escape(trouble)}</strong></p>")
    if begin:
        words = "Begin" if not any(place.tries for place in course) else "Go on"
        parts.append(f'<p><a class="go" href="{escape(link(begin.notebook))}" target="kmodlab">{words}: '
                     f"{begin.number} {escape(begin.title)}</a></p>")  # fmt: skip
    rows = "\n".join(_lesson(lesson, course, link) for lesson in lessons)
    parts.append(f'<h2>Lessons</h2>\n<ol class="lessons">\n{rows}\n</ol>')
    glossary = lessons[0].notebook.parent / "glossary.md" if lessons else None
    if glossary and glossary.is_file():
        parts.append(
            f'<p><a href="{escape(link(glossary))}" target="kmodlab">Glossary</a>: the words of the course</p>'
        )
    if course:
        parts.append(f"<h2>Map</h2>\n{_picture(course)}")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>The course: kmodlab</title>\n'
        f'<meta name="viewport" content="width=device-width">\n<style>{_STYLE}</style>\n<script>{_SCRIPT}</script>'
        f"</head>\n<body><main>\n{chr(10).join(parts)}\n</main></body></html>\n"
    )


def _begin(course: CourseMap, lessons: Sequence[Lesson]) -> Lesson | None:
    """Where to go on: the lesson of the next exercise; the first of all for those who have tried nothing."""
    if not any(place.tries for place in course):
        return lessons[0] if lessons else None
    number = course.next.lesson if course.next else ""
    return next((lesson for lesson in lessons if lesson.number == number), None)


def _lesson(lesson: Lesson, course: CourseMap, link: Callable[[Path], str]) -> str:
    places = [place for place in course if place.lesson == lesson.number]
    title = f'<a href="{escape(link(lesson.notebook))}" target="kmodlab">{escape(lesson.title)}</a>'
    return (
        f'<li><div class="number">{escape(lesson.number)}</div><div><h3>{title}</h3>\n<p>{escape(lesson.proves)}</p>\n'
        f"{_table(places) if places else '<p class=quiet>To read and run; no exercises.</p>'}</div></li>"
    )


def _table(places: Sequence[Place]) -> str:
    done = sum(place.state == "done" for place in places)
    points, of = sum(place.points for place in places), sum(place.of for place in places)
    rows = "\n".join(
        f'<tr><td class="state {escape(place.state.split()[0])}">{_MARKS[place.state]}</td>'
        f'<td class="points">{escape(place.score)}</td><th scope="row">{escape(place.title)}'
        f'<br><span class="quiet">{escape(place.concept)}</span></th></tr>'
        for place in places
    )
    caption = f"{done} of {len(places)} exercises done, {points} of {of} points"
    return f"<table><caption>{caption}</caption>\n{rows}\n</table>"


def _picture(course: CourseMap) -> str:
    light, dark = course.picture("light"), course.picture("dark")
    source = base64.b64encode(dark.png()).decode()
    return (
        f'<picture><source media="(prefers-color-scheme: dark)" srcset="data:image/png;base64,{source}">'
        f"{light.html()}</picture>"
    )
