# SPDX-License-Identifier: MIT
"""Checks of the exercise ``shelf``: every book and the cache are followed by the ledger of allocations."""

from __future__ import annotations

import random

from kmodlab.course import Trial, check
from kmodlab.machine import ledger

CACHE = "/sys/kernel/slab/shelf_book"

HINTS = {
    "books": (
        "There are not as many books as there should be.",
        "A book that was had goes onto the list; only a book that could not be had ends it all.",
    ),
    "cache": (
        "The cache is still there although the module is gone.",
        "kmem_cache_destroy() is the end of kmem_cache_create(); it needs a cache with no object in it.",
    ),
    "left": (
        "A book was not given back.",
        "Every book on the list goes back to its cache by kmem_cache_free(), and that before the cache is destroyed.",
    ),
    "success": ("A book could not be had, so init must fail: its return value is a negative error.",),
    "errno": ("There was no memory for a book: the error is -ENOMEM.",),
    "again": ("After a failure the module must load as if nothing had been.", "Is anything of it still there?"),
    "warned": (
        "The kernel complains: a cache was destroyed while objects of it were still in use.",
        "First every book, then the cache.",
    ),
}


def nothing_left(trial: Trial, watched: ledger.Watch, when: str) -> None:
    """Neither a book nor the cache, by the ledger and by the kernel's own list of caches."""
    books = [one for one in watched.ledger.live if one.kind == "slab"]
    trial.expect(not books, "left", f"{when} {len(books)} books were never given back")
    trial.expect(trial.run(f"test -e {CACHE}").exit_status, "cache", f"{when} the cache shelf_book is still there")
    trial.expect(not watched.ledger.live, "leak", f"{when}: {'; '.join(map(str, watched.ledger.live[:1]))}")


@check(points=2, passed="so many books, each from the cache, and all given back")
def fills_and_clears(trial: Trial) -> None:
    """Twice, with different numbers of books."""
    for count in (random.randrange(20, 60), 1):
        with ledger.watch(trial.vm, trial.built) as watched:
            trial.load(count=count)
            watched.drain()
            books = [one for one in watched.ledger.live if one.kind == "slab"]
            trial.expect(len(books) == count, "books", f"{count} books wanted, {len(books)} taken from the cache")
            trial.unload()
        nothing_left(trial, watched, "after rmmod")


@check(points=3, passed="if a book cannot be had, nothing is left")
def fails_cleanly(trial: Trial) -> None:
    """The first, one in the middle, and the last one fail."""
    count = random.randrange(20, 60)
    for fail in (random.randrange(2, count), 1, count):
        with ledger.watch(trial.vm, trial.built) as watched:
            error = trial.refused(count=count, fail=fail)
        seen = f"book {fail} of {count} could not be had"
        trial.expect(error, "success", f"{seen}, but insmod said that all was well")
        trial.expect(error == "ENOMEM", "errno", f"{seen}, and init returned {error}, not ENOMEM")
        nothing_left(trial, watched, f"{seen}; then")


@check(points=1, passed="after a failure it loads as if nothing had been")
def loads_after_a_failure(trial: Trial) -> None:
    """A failure, then a good load, then nothing is left."""
    error = trial.refused(count=5, fail=3)
    trial.expect(error, "success", "book 3 of 5 could not be had, but insmod said that all was well")
    error = trial.refused(count=5)
    trial.expect(not error, "again", f"after a failure, insmod without one says {error}")
    trial.unload()
    trial.expect(trial.run(f"test -e {CACHE}").exit_status, "cache", "after rmmod the cache shelf_book is still there")
