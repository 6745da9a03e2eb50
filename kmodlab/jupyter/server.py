# SPDX-License-Identifier: MIT
"""The course's index as a page of the Jupyter server, at ``kmodlab/course``: made anew whenever it is asked for.

``./lab start`` brings it along. A hub switches it on for its users with
``c.ServerApp.jpserver_extensions = {"kmodlab.jupyter.server": True}``.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jupyter_server.base.handlers import JupyterHandler
from tornado.web import authenticated

from kmodlab.course.exercise import find_exercises
from kmodlab.course.index import index_page
from kmodlab.course.learner import Best, Learner
from kmodlab.course.lessons import find_lessons
from kmodlab.course.map import course_map
from kmodlab.errors import HostSetupError
from kmodlab.resources import resource

__all__ = ["LABEXTENSIONS", "PATH", "add_course"]

PATH = "/kmodlab/course"
LABEXTENSIONS = Path(__file__).with_name("labextensions")
"""Where JupyterLab finds kmodlab's extension of it. A wheel also puts it where any Jupyter server looks."""


class CourseHandler(JupyterHandler):
    """Answers with the page of the learner whose server this is."""

    def initialize(self, top: Path, gate: asyncio.Lock) -> None:
        """Take the folder that the server shows, and what lets one picture be drawn at a time."""
        self.top, self.gate = top, gate

    @authenticated
    async def get(self) -> None:
        """Send the page."""
        async with self.gate:
            page = await asyncio.to_thread(_page, self.top, self.base_url)
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.set_header("Cache-Control", "no-store")
        await self.finish(page)


def _page(top: Path, base_url: str) -> str:
    own = top / "notebooks"
    lessons = find_lessons(own if (own / "course.toml").is_file() else resource("notebooks"))
    trouble, best = "", dict[str, Best]()
    try:
        best = Learner().best()
    except HostSetupError as error:
        trouble = str(error)
    course = course_map(find_exercises(resource("lab_modules")), best, lessons)

    def link(path: Path) -> str:
        place = path.resolve()
        inside = place.relative_to(top) if place.is_relative_to(top) else Path()
        return f"{base_url}lab/tree/{quote(inside.as_posix())}"

    return index_page(course, lessons, link, trouble=trouble)


def add_course(server: Any) -> None:
    """Give a Jupyter server the page."""
    base = server.web_app.settings["base_url"].rstrip("/")
    facts = {"top": Path(server.root_dir).resolve(), "gate": asyncio.Lock()}
    server.web_app.add_handlers(".*$", [(base + PATH, CourseHandler, facts)])


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "kmodlab.jupyter.server"}]


_load_jupyter_server_extension = add_course
