# SPDX-License-Identifier: MIT
"""Places for a layered graph: what leans on something stands above it, no box touches another.

Everything that needs room is an ``Item`` in a row: the boxes of the modules, the labels of the edges, and thin
places that keep a way free where an edge passes a row. Items of one row are ordered so that few edges cross,
then moved towards their neighbours as far as the others in the row allow.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

__all__ = ["Item", "Layout", "arrange", "assign_rows", "row_width", "spread"]

_GAP = 16.0
_SWEEPS = 24


@dataclass(slots=True, eq=False)
class Item:
    """Something that takes room in a row.

    Attributes:
        key: what it stands for.
        row: its row; 0 is the top.
        width, height: its size in points.
        x: its centre.
        up, down: the items it is joined to in the rows above and below.
    """

    key: Hashable
    row: int
    width: float
    height: float = 0.0
    x: float = 0.0
    up: list[Item] = field(default_factory=list)
    down: list[Item] = field(default_factory=list)

    @property
    def thin(self) -> bool:
        """True if it only keeps a way free."""
        return self.height == 0


@dataclass(slots=True)
class Layout:
    """Rows of placed items and the width they take, from 0."""

    rows: list[list[Item]]
    width: float


def assign_rows(needs: Mapping[str, Sequence[str]], room: Callable[[str], float], limit: float) -> dict[str, int]:
    """Return a row for each node, counted from the bottom, so that everyone stands above what it needs.

    A row that would get wider than the limit goes on in the row above.

    Args:
        needs: for each node what it leans on; without cycles.
        room: how much of a row's width a node takes.
        limit: the width of a row.
    """
    rows: dict[str, int] = {}
    used: dict[int, float] = {}
    waiting = sorted(needs)
    while waiting:
        ready = [name for name in waiting if all(other in rows for other in needs[name])]
        for name in ready or waiting:
            row = 1 + max((rows[other] for other in needs[name] if other in rows), default=-1)
            while used.get(row, 0.0) and used[row] + room(name) > limit:
                row += 1
            rows[name] = row
            used[row] = used.get(row, 0.0) + room(name)
        waiting = [name for name in waiting if name not in rows]
    _raise(rows, needs, room, used, limit)
    return rows


def _raise(
    rows: dict[str, int],
    needs: Mapping[str, Sequence[str]],
    room: Callable[[str], float],
    used: dict[int, float],
    limit: float,
) -> None:
    """Move what is needed up to just below its users, where there is room: arrows get shorter."""
    for name in sorted(rows, key=lambda name: -rows[name]):
        users = [rows[user] for user, needed in needs.items() if name in needed]
        for row in range(min(users, default=0) - 1, rows[name], -1):
            if used.get(row, 0.0) + room(name) <= limit:
                used[rows[name]] -= room(name)
                used[row] = used.get(row, 0.0) + room(name)
                rows[name] = row
                break


def arrange(items: Iterable[Item], limit: float) -> Layout:
    """Order and place the items of each row within the limit, and return them by row."""
    rows: list[list[Item]] = []
    for item in items:
        while len(rows) <= item.row:
            rows.append([])
        rows[item.row].append(item)
    for row in rows:
        for number, item in enumerate(row):
            item.x = float(number)
    _order(rows)
    for row in rows:
        spread(row, [(0.0, 1.0)] * len(row), limit)
    for sweep in range(_SWEEPS):
        downward = sweep % 2 == 0
        for row in rows if downward else rows[::-1]:
            spread(row, [_wish(item, downward) for item in row], limit)
    return _shifted(rows)


def _shifted(rows: list[list[Item]]) -> Layout:
    everything = [item for row in rows for item in row]
    left = min((item.x - item.width / 2 for item in everything), default=0.0)
    for item in everything:
        item.x -= left
    return Layout(rows, max((item.x + item.width / 2 for item in everything), default=0.0))


def _order(rows: list[list[Item]]) -> None:
    """Sort each row by where its neighbours stand, up and down in turn, and keep the order with fewest crossings."""
    best, fewest = [list(row) for row in rows], _crossings(rows)
    for sweep in range(_SWEEPS):
        if not fewest:
            break
        downward = sweep % 2 == 0
        for row in rows if downward else rows[::-1]:
            _sort(row, downward)
            for number, item in enumerate(row):
                item.x = float(number)
        crossings = _crossings(rows)
        if crossings < fewest:
            best, fewest = [list(row) for row in rows], crossings
    rows[:] = best


def _sort(row: list[Item], downward: bool) -> None:
    places = {id(item): _mean([n.x for n in (item.up if downward else item.down)], item.x) for item in row}
    row.sort(key=lambda item: places[id(item)])


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def _crossings(rows: Sequence[Sequence[Item]]) -> int:
    count = 0
    for above, below in pairwise(rows):
        place = {id(item): number for number, item in enumerate(below)}
        ends = [sorted(place[id(n)] for n in item.down) for item in above]
        for number, left in enumerate(ends):
            count += sum(a > b for right in ends[number + 1 :] for a in left for b in right)
    return count


def _wish(item: Item, downward: bool) -> tuple[float, float]:
    """Return where an item wants to be, and how much."""
    near = item.up if downward else item.down
    ways = [other for other in near if item.thin and other.thin]
    # A way that goes on straight is easier to follow than a box is to find in the middle.
    return (_mean([other.x for other in ways], item.x), 12.0) if ways else (_mean([n.x for n in near], item.x), 1.0)


def _gap(left: Item, right: Item) -> float:
    return _GAP * (0.6 if left.thin and right.thin else 1.0)


def row_width(row: Sequence[Item], *, loose: bool = False) -> float:
    """Return the width that the items of a row take; `loose`: in whatever order they will stand."""
    gaps = _GAP * (len(row) - 1) if loose else sum(_gap(*pair) for pair in pairwise(row))
    return sum(item.width for item in row) + gaps


def spread(row: Sequence[Item], wishes: Sequence[tuple[float, float]], limit: float) -> None:
    """Move the items as near to their wishes as their order and their widths allow, within the limit.

    A wish is a place and its weight. With the widths to the left of each item taken off, this is isotonic regression:
    neighbours that want to pass each other are pooled at their weighted mean.
    """
    if not row:
        return
    offsets = [row[0].width / 2]
    for left, right in pairwise(row):
        offsets.append(offsets[-1] + left.width / 2 + _gap(left, right) + right.width / 2)
    slack = max(limit - offsets[-1] - row[-1].width / 2, 0.0)
    pools: list[tuple[float, float, int]] = []
    for (wish, weight), offset in zip(wishes, offsets, strict=True):
        pools.append((wish - offset, weight, 1))
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            (value, mass, count), (other, more, others) = pools.pop(), pools.pop()
            pools.append(((value * mass + other * more) / (mass + more), mass + more, count + others))
    values = [min(max(value, 0.0), slack) for value, _, count in pools for _ in range(count)]
    for item, value, offset in zip(row, values, offsets, strict=True):
        item.x = value + offset
