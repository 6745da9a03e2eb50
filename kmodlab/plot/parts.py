# SPDX-License-Identifier: MIT
"""Places for the boxes, labels and arrows of a layered graph, in points, y downwards."""

from __future__ import annotations

from dataclasses import dataclass, field

from kmodlab.plot.layers import Item, arrange, assign_rows, row_width
from kmodlab.plot.picture import text_width
from kmodlab.plot.theme import BODY, SMALL

__all__ = ["ROOM", "Arrow", "Line", "Node", "Part", "Place", "node_box", "pack"]

ROOM = 560.0
"""The width that a graph may take, in points: a notebook's."""

_BOX_HEIGHT = 42.0
_LINE_HEIGHT = 12.5
_TALLEST = 640.0
_LONGEST_WORD = 30
_BETWEEN = 16.0


@dataclass(frozen=True, slots=True)
class Node:
    """A box: its name, the small words below that, and whether its part of the graph comes first."""

    name: str
    words: str = ""
    first: bool = False


@dataclass(frozen=True, slots=True)
class Arrow:
    """An arrow from one box down to another.

    Attributes:
        source, target: names of the boxes.
        words: what stands on it, a line each; of many only the first.
        few: what stands on it where there is no room for those.
        soft: drawn dashed.
    """

    source: str
    target: str
    words: tuple[str, ...] = ()
    few: str = ""
    soft: bool = False


@dataclass(slots=True)
class Place:
    """A rectangle: the middle of its top edge, its size, and the text in it."""

    x: float
    y: float
    width: float
    height: float
    text: str = ""


@dataclass(slots=True)
class Line:
    """One bend of an arrow: from the first point down to the second, over to the third, down to the last."""

    points: list[tuple[float, float]]
    soft: bool


@dataclass(slots=True)
class Part:
    """A connected part of the graph, and where everything in it is."""

    nodes: list[Node]
    edges: list[Arrow]
    boxes: list[tuple[Place, Node]] = field(default_factory=list)
    labels: list[Place] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    heads: list[tuple[float, float]] = field(default_factory=list)
    width: float = 0.0
    height: float = 0.0

    def clear(self) -> None:
        """Forget all places."""
        self.boxes, self.labels, self.lines, self.heads = [], [], [], []

    def move(self, right: float, down: float) -> None:
        """Shift everything."""
        for place in [place for place, _ in self.boxes] + self.labels:
            place.x += right
            place.y += down
        for line in self.lines:
            line.points = [(x + right, y + down) for x, y in line.points]
        self.heads = [(x + right, y + down) for x, y in self.heads]


def node_box(node: Node) -> float:
    """Return the width of a box."""
    return max(text_width(node.name, BODY, bold=True), text_width(node.words, SMALL)) + 20


def pack(parts: list[Part]) -> float:
    """Lay out every part and put them side by side and below each other; return the height of it all."""
    for part in parts:
        _lay_out(part)
    ordered = sorted(parts, key=lambda part: (not any(node.first for node in part.nodes), -part.height))
    connected = [part for part in ordered if part.edges]
    single = [part for part in ordered if not part.edges]
    y = _shelves(connected, 0.0, 26.0, 30.0)
    return _shelves(single, y + (30.0 if connected and single else 0.0), 12.0, 10.0)


def _shelves(parts: list[Part], y: float, gap: float, below: float) -> float:
    """Put parts into rows from this height on, each row in the middle, and return where the last one ends."""
    rows: list[list[Part]] = []
    for part in parts:
        fitting = next((row for row in rows if _row_width(row, gap) + gap + part.width <= ROOM), None)
        if fitting is None:
            rows.append([part])
        else:
            fitting.append(part)
    for number, row in enumerate(rows):
        x = (ROOM - _row_width(row, gap)) / 2
        for part in row:
            part.move(x, y)
            x += part.width + gap
        y += max(part.height for part in row) + (below if number < len(rows) - 1 else 0.0)
    return y


def _row_width(row: list[Part], gap: float) -> float:
    return sum(part.width for part in row) + gap * (len(row) - 1)


def _lay_out(part: Part) -> None:
    """Find places with as many words on the arrows as there is room for: three lines, two, one, few words, none."""
    most = max((len(edge.words) for edge in part.edges), default=0)
    for shown in (3, 2, 1, 0, -1) if most else (-1,):
        # Ways past a row need room too, so what is planned for the boxes alone may have to be less than there is.
        tries = (_Layers(part, shown, limit * ROOM) for limit in (1.0, 0.8, 0.6, 0.45, 0.3))
        layers = next((layers for layers in tries if layers.fits), None)
        if layers is None and shown >= 0:
            continue
        part.clear()
        (layers or _Layers(part, shown, 0.3 * ROOM)).place()
        if part.height <= (_TALLEST if shown else 2 * _TALLEST):
            return


def _label(edge: Arrow, shown: int) -> list[str]:
    """Return the lines of an arrow's label."""
    if not edge.words or shown < 0:
        return []
    if not shown:
        return [edge.few] if edge.few else []
    rest = len(edge.words) - shown
    names = [n if len(n) <= _LONGEST_WORD else n[: _LONGEST_WORD - 1] + "…" for n in edge.words[:shown]]
    return [*names, f"+{rest}"] if rest > 0 else names


class _Layers:
    """One attempt to lay out a part: the rows are boxes, labels, boxes, labels … from the top."""

    def __init__(self, part: Part, shown: int, limit: float) -> None:
        self.part = part
        self.limit = limit
        self.labels = {id(edge): _label(edge, shown) for edge in part.edges}
        self.boxes: dict[str, Item] = {}
        self.ways: dict[tuple[str, bool, int], Item] = {}
        self.texts: list[tuple[Item, list[str]]] = []
        self.soft: dict[tuple[int, int], bool] = {}
        self._make_items()

    def _make_items(self) -> None:
        needs: dict[str, list[str]] = {node.name: [] for node in self.part.nodes}
        for edge in self.part.edges:
            needs[edge.source].append(edge.target)
        widths = {node.name: node_box(node) for node in self.part.nodes}
        rows = assign_rows(needs, lambda name: max(widths[name], self._labels_width(name)) + _BETWEEN, self.limit)
        top = max(rows.values())
        for name, row in rows.items():
            self.boxes[name] = Item(name, 2 * (top - row), widths[name], _BOX_HEIGHT)
        for edge in sorted(self.part.edges, key=lambda edge: (edge.source, edge.target)):
            self._join(edge)

    def _labels_width(self, name: str) -> float:
        own = [edge for edge in self.part.edges if edge.source == name]
        return sum(self._label_width(self.labels[id(edge)]) for edge in own) + _BETWEEN * (len(own) - 1)

    @staticmethod
    def _label_width(lines: list[str]) -> float:
        return max((text_width(line, SMALL, mono=True) for line in lines), default=0.0) + 4

    def _join(self, edge: Arrow) -> None:
        """Make the way of an edge: its label below the source, then places it shares with others to that target."""
        source, target = self.boxes[edge.source], self.boxes[edge.target]
        last, lines = source, self.labels[id(edge)]
        for row in range(source.row + 1, target.row):
            if row == source.row + 1 and lines:
                item = Item(
                    ("label", edge.source, edge.target), row, self._label_width(lines), len(lines) * _LINE_HEIGHT + 3
                )
                self.texts.append((item, lines))
            else:
                item = self.ways.setdefault(
                    (edge.target, edge.soft, row), Item(("way", edge.target, edge.soft, row), row, 2.0)
                )
            self._connect(last, item, edge.soft)
            last = item
        self._connect(last, target, edge.soft)

    def _connect(self, above: Item, below: Item, soft: bool) -> None:
        if below not in above.down:
            above.down.append(below)
            below.up.append(above)
        self.soft[id(above), id(below)] = soft

    @property
    def items(self) -> list[Item]:
        """Everything that takes room."""
        return [*self.boxes.values(), *self.ways.values(), *(item for item, _ in self.texts)]

    @property
    def fits(self) -> bool:
        """True if no row is wider than there is room."""
        rows: dict[int, list[Item]] = {}
        for item in self.items:
            rows.setdefault(item.row, []).append(item)
        return all(row_width(row, loose=True) + 4 <= ROOM for row in rows.values())

    def place(self) -> None:
        """Write the places into the part."""
        layout = arrange(self.items, ROOM)
        tops, bottoms = self._heights(layout.rows)
        part = self.part
        part.width, part.height = layout.width, bottoms[-1] if bottoms else 0.0
        for node in part.nodes:
            item = self.boxes[node.name]
            part.boxes.append((Place(item.x, tops[item.row], item.width, item.height), node))
            if item.up:
                part.heads.append((item.x, tops[item.row]))
        for item, lines in self.texts:
            part.labels.append(Place(item.x, tops[item.row], item.width, item.height, "\n".join(lines)))
        for item in self.items:
            self._lines_below(item, tops, bottoms)

    @staticmethod
    def _heights(rows: list[list[Item]]) -> tuple[list[float], list[float]]:
        """Return where each row begins and ends; far jumps get a higher gap to bend in."""
        tops, bottoms, y = [], [], 0.0
        for number, row in enumerate(rows):
            tops.append(y)
            bottoms.append(y + max((item.height for item in row), default=0.0))
            jump = max((abs(item.x - other.x) for item in row for other in item.down), default=0.0)
            labels = number % 2 == 0 and any(other.height for item in row for other in item.down)
            y = bottoms[-1] + (14.0 if labels else 18.0) + min(jump * 0.06, 18.0)
        return tops, bottoms

    def _lines_below(self, item: Item, tops: list[float], bottoms: list[float]) -> None:
        below = sorted(item.down, key=lambda other: other.x)
        step = min(16.0, (item.width - 24) / max(len(below) - 1, 1)) if isinstance(item.key, str) else 0.0
        for number, other in enumerate(below):
            x = item.x + step * (number - (len(below) - 1) / 2)
            end = tops[other.row] - (6.0 if isinstance(other.key, str) else 0.0)
            points = [
                (x, tops[item.row] + item.height),
                (x, bottoms[item.row]),
                (other.x, end),
                (other.x, end if isinstance(other.key, str) or other.height else bottoms[other.row]),
            ]
            self.part.lines.append(Line(points, self.soft[id(item), id(other)]))
