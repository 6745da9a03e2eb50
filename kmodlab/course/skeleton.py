# SPDX-License-Identifier: MIT
"""One source, two views: from an exercise's source to the learner's skeleton, and to the solution without its marks.

In the source, what the learner is to write stands in a region::

    /* BEGIN SOLUTION: refuse what is not between 0 and 100 */
    if (value < 0 || value > 100)
        return -EINVAL;
    /* SKELETON: return -ENOSYS; */
    /* END SOLUTION */

In the skeleton a region becomes ``/* TODO: refuse what is not between 0 and 100 */``, and below it what its SKELETON
comments hold: what the compiler needs to accept it. In the solution only the marks are gone.
"""

from __future__ import annotations

import re

from kmodlab.errors import UsageError

__all__ = ["has_solution", "make_skeleton", "make_solution"]

_REGION = re.compile(
    r"^(?P<indent>[ \t]*)/\*[\s*]*BEGIN SOLUTION\b:?(?P<task>.*?)\*/[ \t]*\n"
    r"(?P<body>.*?)"
    r"^[ \t]*/\*\s*END SOLUTION\s*\*/[ \t]*(?:\n|\Z)",
    re.MULTILINE | re.DOTALL,
)
_FILLER = re.compile(r"^[ \t]*/\*\s*SKELETON:[ ]?(?P<code>.*?)\s*\*/[ \t]*\n", re.MULTILINE | re.DOTALL)
_MARK = re.compile(r"/\*[\s*]*(BEGIN SOLUTION|END SOLUTION|SKELETON:)")


def has_solution(text: str) -> bool:
    """Return whether a source has regions, so that it is the source of both views and no skeleton."""
    return _MARK.search(text) is not None


def make_skeleton(text: str) -> str:
    """Return the learner's view of a source.

    Raises:
        UsageError: a region does not end, ends without having begun, or stands in another.
    """
    return _checked(text, _REGION.sub(_todo, text))


def make_solution(text: str) -> str:
    """Return a source without the marks of its regions and without what only the skeleton has.

    Raises:
        UsageError: as for `make_skeleton`.
    """
    return _checked(text, _REGION.sub(lambda region: _FILLER.sub("", region["body"]), text))


def _todo(region: re.Match[str]) -> str:
    indent, task = region["indent"], region["task"].strip() or "your code"
    todo = f"{indent}/*\n{indent} * TODO: {task}\n{indent} */" if "\n" in task else f"{indent}/* TODO: {task} */"
    lines = [todo, *(indent + filler["code"] for filler in _FILLER.finditer(region["body"]))]
    return "\n".join(lines) + "\n"


def _checked(text: str, made: str) -> str:
    bodies = [region["body"] for region in _REGION.finditer(text)]
    left = _MARK.search(made) or next((mark for body in bodies if (mark := _MARK.search(_FILLER.sub("", body)))), None)
    if left:
        line = text[: text.find(left[0])].count("\n") + 1
        raise UsageError(
            f"read exercise: {left[1]} (line {line} or below) has no partner; every BEGIN SOLUTION needs one "
            "END SOLUTION below it, and regions do not stand in each other"
        )
    return made
