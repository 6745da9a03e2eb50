# SPDX-License-Identifier: MIT
"""What a learner has done: every version of every cell that was built, the results of checks, and hints read.

One SQLite file in the user's data folder; nothing of it is sent anywhere. Each call opens and closes it, so that any
number of notebooks may share it and a crash at any moment loses nothing.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from kmodlab.config import settings
from kmodlab.course.results import ExerciseResult
from kmodlab.errors import HostSetupError, UsageError
from kmodlab.records.table import Column, Rows

__all__ = ["Best", "Learner", "Version"]

_MOST_VERSIONS = 300  # of one module
_PATIENCE = 10.0  # seconds to wait for another notebook's write
_TABLES = """
create table if not exists source (
    name text not null, number integer not null, at real not null, text text not null, primary key (name, number));
create table if not exists attempt (
    id integer primary key, exercise text not null, at real not null, points integer not null, total integer not null,
    result text not null);
create table if not exists hint (
    exercise text not null, key text not null, shown integer not null, primary key (exercise, key));
"""


@dataclass(frozen=True, slots=True)
class Version:
    """A cell's C as it was when it was built.

    Attributes:
        name: of the module.
        number: counts from 1.
        at: when, in seconds since 1970.
        text: the C.
    """

    name: str
    number: int
    at: float
    text: str

    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("number", kind="number"),
        Column("when"),
        Column("lines", kind="number"),
        Column("changed", "last line of C", kind="code"),
    )

    @property
    def when(self) -> str:
        """Date and time, in the local zone."""
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.at))

    @property
    def lines(self) -> int:
        """How many lines it has."""
        return len(self.text.splitlines())

    @property
    def changed(self) -> str:
        """Its last line that is not blank, to know it by."""
        lines = [line.strip() for line in self.text.splitlines() if line.strip()]
        return lines[-1] if lines else ""


@dataclass(frozen=True, slots=True)
class Best:
    """The best that a learner has reached in an exercise.

    Attributes:
        points, of: got, and to be had.
        tries: how often it was checked.
    """

    points: int
    of: int
    tries: int


class Learner:
    """The record of one learner; see the module."""

    def __init__(self, path: Path | None = None) -> None:
        """Name the file, made at first use; that of the settings' data folder if None."""
        self.path = path or settings().data / "learner.sqlite3"

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """Give a connection inside a transaction that is kept if the block ends well.

        Raises:
            HostSetupError: the file cannot be read or written.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.closing(sqlite3.connect(self.path, timeout=_PATIENCE)) as connection, connection:
                connection.executescript(_TABLES)
                connection.execute("begin immediate")
                yield connection
        except (sqlite3.Error, OSError) as error:
            raise HostSetupError(
                f"keep the learner's record in {self.path}: {error}; set KMODLAB_DATA to a folder that you may write to"
            ) from error

    # -- Cells -------------------------------------------------------------------------------------------------------

    def keep(self, name: str, text: str) -> int:
        """Keep a cell's C as the newest version of a module, and return its number.

        What is the same as the newest one is not kept twice.

        Raises:
            HostSetupError: it could not be written.
        """
        with self._open() as db:
            row = db.execute("select number, text from source where name = ? order by number desc", (name,)).fetchone()
            if row and row[1] == text:
                return int(row[0])
            number = (row[0] if row else 0) + 1
            db.execute("insert into source values (?, ?, ?, ?)", (name, number, time.time(), text))
            db.execute("delete from source where name = ? and number <= ?", (name, number - _MOST_VERSIONS))
            return number

    def versions(self, name: str) -> Rows[Version]:
        """Return the versions of a module that were built, the newest first."""
        with self._open() as db:
            rows = db.execute("select * from source where name = ? order by number desc", (name,)).fetchall()
        return Rows([Version(*row) for row in rows], caption=f"Versions of {name}", columns=Version.COLUMNS)

    def version(self, name: str, number: int | None = None) -> Version:
        """Return a version of a module; the newest if no number is given.

        Raises:
            UsageError: there is none.
        """
        rows = self.versions(name)
        for row in rows:
            if number is None or row.number == number:
                return row
        has = f"there are {rows[-1].number} to {rows[0].number}" if rows else "no %%kmod cell of that name was run"
        which = "any version" if number is None else f"version {number}"
        raise UsageError(f"find {which} of {name}: {has}; %kmod {name} --history lists them")

    # -- Exercises ---------------------------------------------------------------------------------------------------

    def note(self, result: ExerciseResult) -> None:
        """Keep the result of a check."""
        facts = (result.id, time.time(), result.points, result.of, json.dumps(result.to_dict()))
        with self._open() as db:
            db.execute("insert into attempt (exercise, at, points, total, result) values (?, ?, ?, ?, ?)", facts)

    def last(self, exercise: str | None = None) -> ExerciseResult | None:
        """Return the result of the last check, of one exercise or of any; None if there was none."""
        with self._open() as db:
            row = db.execute(
                "select result from attempt where ?1 is null or exercise = ?1 order by id desc limit 1", (exercise,)
            ).fetchone()
        return ExerciseResult.from_dict(json.loads(row[0])) if row else None

    def best(self) -> dict[str, Best]:
        """Return the best result of each exercise that was tried, by its id."""
        with self._open() as db:
            rows = db.execute(
                "select exercise, max(points), max(total), count(*) from attempt group by exercise"
            ).fetchall()
        return {name: Best(*numbers) for name, *numbers in rows}

    def shown(self, exercise: str, key: str) -> int:
        """Return how many texts of a hint were shown; the first comes with the table of results."""
        with self._open() as db:
            row = db.execute("select shown from hint where exercise = ? and key = ?", (exercise, key)).fetchone()
        return int(row[0]) if row else 1

    def show(self, exercise: str, key: str, count: int) -> None:
        """Note that so many texts of a hint were shown."""
        with self._open() as db:
            db.execute("insert or replace into hint values (?, ?, ?)", (exercise, key, count))
