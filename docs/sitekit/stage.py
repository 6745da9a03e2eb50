# SPDX-License-Identifier: MIT
"""Lays out the sources of the site: the repository's texts and what was made from the lab."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from docs.sitekit.course import course_text, exercises_table, magics_text, module_pages, modules_text, verbs_text
from docs.sitekit.notebooks import add_notebook
from docs.sitekit.texts import relink, section

__all__ = ["lay_out"]

TOP = Path(__file__).parents[2]
_DOCS = Path("docs")
_ELSEWHERE = {
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "vm/README.md": "guest.md",
    "notebooks/glossary.md": "lessons/glossary.md",
}
"""Texts that do not lie in docs."""
_STAND_FOR = {
    "README.md": "index.md",
    "notebooks": "course.md",
    "lab_modules": "modules.md",
    "docs/gallery.md": "gallery.md",
}
"""What else a link may lead to: files and folders that another page stands for, and a page that is only made."""
_PART = re.compile(
    r"^<!-- (?:README: (?P<heading>[^\n]+)|file: (?P<file>\S+)|(?P<made>exercises|magics|verbs|others)) -->$",
    re.MULTILINE,
)


def lay_out(stage: Path, executed: Sequence[Path], gallery: Path) -> Path:
    """Fill an empty folder with the site's sources, and return the folder of pictures to put beside the pages.

    Args:
        stage: the folder.
        executed: the lessons with their outputs.
        gallery: the folder with the gallery's page and pictures.

    Raises:
        UsageError: a text names a file that is not there, or a section that the README lacks.
    """
    shutil.rmtree(stage, ignore_errors=True)
    extra = stage / "extra"
    pictures = extra / "pictures"
    shutil.copytree(gallery / "pictures", pictures)
    texts = _texts()
    known = texts | _STAND_FOR | {f"notebooks/{path.name}": f"lessons/{path.name}" for path in executed}
    for source, page in texts.items():
        if source.endswith(".md"):
            _put(stage / page, relink(_text(source), source, page, known, TOP))
        else:
            (stage / page).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(TOP / source, stage / page)
    for notebook in executed:
        source, page = f"notebooks/{notebook.name}", f"lessons/{notebook.name}"
        link = partial(relink, source=source, page=page, pages=known, top=TOP)
        add_notebook(notebook, stage / page, pictures, "../pictures/", link)
    for name, text in module_pages(TOP / "lab_modules"):
        _put(stage / "modules" / f"{name}.md", text)
    _put(stage / "modules.md", modules_text(TOP / "lab_modules"))
    _put(stage / "course.md", course_text())
    shutil.copy2(gallery / "gallery.md", stage / "gallery.md")
    return extra


def _texts() -> dict[str, str]:
    """The texts and pictures of the repository: path there → path among the site's sources."""
    docs = [path.relative_to(TOP) for kind in ("*.md", "*.rst", "*.png") for path in sorted((TOP / _DOCS).rglob(kind))]
    return {str(path): str(path.relative_to(_DOCS)) for path in docs} | _ELSEWHERE


def _others() -> str:
    """The texts of docs that the first page does not name itself, a line each: nothing is left out of its lists."""
    names = (path.relative_to(TOP / _DOCS).with_suffix("") for path in sorted((TOP / _DOCS).rglob("*.md")))
    told = (TOP / _DOCS / "index.md").read_text()
    found = [str(name) for name in names if not re.search(rf"\b{name}\b", told) and name.parts[0] != "api"]
    return "\n".join(found)


_MADE = {"exercises": exercises_table, "magics": magics_text, "verbs": verbs_text, "others": _others}


def _text(source: str) -> str:
    """A text of the repository, with the parts that it takes from elsewhere."""
    text = re.sub(r"\A<!-- SPDX.*?-->\s*", "", (TOP / source).read_text())

    def part(found: re.Match[str]) -> str:
        if found["made"]:
            return _MADE[found["made"]]()
        if found["file"]:
            return _file((TOP / source).parent / found["file"])
        # Links in the README are seen from the top, those of the text from its own folder.
        taken = section((TOP / "README.md").read_text(), found["heading"])
        return re.sub(r"\]\((?!\w+:|#)", "](../" if "/" in source else "](", taken)

    return _PART.sub(part, text)


def _file(path: Path) -> str:
    """A file that readers of the site have no other way to."""
    lexer = {".py": "python", ".yaml": "yaml"}[path.suffix]
    return f"```{lexer}\n{path.read_text()}```"


def _put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
