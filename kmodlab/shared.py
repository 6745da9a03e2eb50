# SPDX-License-Identifier: MIT
"""A cache folder that several computers or users share (``KMODLAB_SHARED_CACHE``): looked at first, never written.

An administrator fills it as any cache (``KMODLAB_CACHE=FOLDER ./lab setup``). What is not in it is made in the user's
own cache, as ever. Nothing in it is believed that somebody else than root or this user could have put there.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from kmodlab.config import settings
from kmodlab.progress import say

__all__ = ["SHARED_PARTS", "complaint", "pass_over", "shared"]

SHARED_PARTS = frozenset(("headers", "images", "kernels", "recipes", "reference", "symbols", "templates"))
"""What is looked for in it. Grades and what was built from cells are each user's own."""

_passed_over: set[Path] = set()


def shared(path: Path) -> Path | None:
    """Return what stands in the shared cache for a path of the cache folder; None if there is nothing to be used."""
    folder = settings().shared_cache
    if folder is None or folder == settings().cache or not path.is_relative_to(settings().cache):
        return None
    inside = path.relative_to(settings().cache)
    place = folder / inside
    if inside.parts[0] not in SHARED_PARTS or place in _passed_over:
        return None
    try:
        why = complaint(folder) or _complaint_within(folder, inside)
    except FileNotFoundError:
        return None
    except OSError as error:
        why = error.strerror or "unreadable"
    if why:
        pass_over(place, why)
        return None
    return place


def pass_over(place: Path, why: str) -> None:
    """Use a part of the shared cache no more in this process, and say so once."""
    if place not in _passed_over:
        _passed_over.add(place)
        say(f"kmodlab: passed over {place}: {why}; the own cache serves instead, and ./lab doctor tells more")


def complaint(path: Path) -> str:
    """Return why a file or folder of a shared cache is not to be believed, or an empty text.

    Raises:
        OSError: it is not there, or may not be looked at.
    """
    facts = path.stat()
    if facts.st_uid not in {0, os.geteuid()}:
        return f"it belongs to user {facts.st_uid}, neither to root nor to you"
    if facts.st_mode & stat.S_IWOTH or (facts.st_mode & stat.S_IWGRP and facts.st_gid not in {0, os.getegid()}):
        return "others may write to it"
    wanted = os.R_OK | (os.X_OK if stat.S_ISDIR(facts.st_mode) else 0)
    return "" if os.access(path, wanted) else "Permission denied"


def _complaint_within(folder: Path, inside: Path) -> str:
    """The same for each folder on the way to a part, the part, and the files that lie right in it."""
    places = [folder.joinpath(*inside.parts[:count]) for count in range(1, len(inside.parts) + 1)]
    if len(places) > 1 and places[-1].is_dir():
        places += sorted(places[-1].iterdir())
    for place in places:
        why = "it is a symbolic link" if place.is_symlink() else complaint(place)
        if why:
            return f"{place.relative_to(folder)}: {why}"
    return ""
