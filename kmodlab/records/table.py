# SPDX-License-Identifier: MIT
"""A sequence of records that shows itself as a table: aligned text in a terminal, an accessible table in a notebook."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from html import escape
from typing import Any, Literal, Self, SupportsIndex, TypeVar, overload

from kmodlab.records.places import linked

__all__ = ["Column", "Rows", "format_bytes"]

T = TypeVar("T")

Kind = Literal["text", "number", "bytes", "address", "code"]

_SHOWN = 400
"""Rows beyond this many are left out of the middle of a table; ``to_dicts()`` and the sequence itself hold all."""

_HIGH, _WIDE = 12, 4
"""Rows and columns beyond which a table may not fit its place."""

_TABLE = "border-collapse:collapse;margin:.4em 0;color:inherit;font-size:inherit;width:auto"
_BORDER = "var(--jp-border-color2, rgba(128,128,128,.35))"
_CAPTION = "caption-side:top;text-align:left;padding:.2em 0;font-weight:600;color:inherit"
_CELL = f"padding:.25em .75em;border-bottom:1px solid {_BORDER};vertical-align:top;"
_MONO = "font-family:var(--jp-code-font-family, ui-monospace, monospace);white-space:pre-wrap;"
# Tints, not text colours: the text keeps the page's own colour, so it stays readable on light and dark pages.
_TONES = {
    "bad": "background:rgba(213,94,0,.20);box-shadow:inset 4px 0 #d55e00;",
    "warn": "background:rgba(230,159,0,.18);box-shadow:inset 4px 0 #e69f00;",
    "note": "background:rgba(86,180,233,.14);box-shadow:inset 4px 0 #56b4e9;",
    "faint": "opacity:.75;",
}


def format_bytes(count: int) -> str:
    """Return a number of bytes for people: ``976 B``, ``14.2 kB``, ``3.1 MiB``.

    As in ``/proc/meminfo``, 1 kB is 1024 bytes; 1 MiB is 1024 kB.
    """
    sign, size = ("-" if count < 0 else ""), abs(count)
    if size < 1024:
        return f"{sign}{size} B"
    for unit, step in (("kB", 1024), ("MiB", 1024**2), ("GiB", 1024**3)):
        value = size / step
        if round(value, 1) < 1024 or unit == "GiB":
            break
    return f"{sign}{value:.1f}".removesuffix(".0") + f" {unit}"


@dataclasses.dataclass(frozen=True, slots=True)
class Column:
    """How a field of a record is shown.

    Attributes:
        name: the field or property; the record itself if empty.
        heading: the column's heading; the name if empty.
        kind: ``text``, ``number``, ``bytes`` (shown as ``14.2 kB``), ``address`` (hexadecimal) or ``code``.
    """

    name: str
    heading: str = ""
    kind: Kind = "text"

    @property
    def label(self) -> str:
        """The heading that is shown."""
        return self.heading or self.name.replace("_", " ")

    @property
    def right(self) -> bool:
        """True if the cells are aligned to the right, as numbers are."""
        return self.kind in ("number", "bytes", "address")

    def text(self, row: object) -> str:
        """Return the cell as text."""
        value: Any = getattr(row, self.name) if self.name else row
        if value is None:
            return ""
        if self.kind == "bytes":
            return format_bytes(value)
        if self.kind == "address":
            return f"0x{value:016x}"
        if isinstance(value, bool):
            return "yes" if value else "no"
        if isinstance(value, float):
            return f"{value:.6f}"
        if isinstance(value, (tuple, list, frozenset)):
            return ", ".join(str(item) for item in value)
        return str(value)

    def html(self, row: object) -> str:
        """Return the content of the cell as escaped HTML, with links to places in cells and exact sizes as titles."""
        text = linked(escape(self.text(row)))
        value = getattr(row, self.name, None)
        if self.kind == "bytes" and value is not None:
            return f'<span title="{value:,} bytes">{text}</span>'
        return text


class Rows(tuple[T, ...]):
    """A tuple of records that shows itself as a table.

    The columns are those that the records' class names in ``COLUMNS``, else the fields of the dataclass. A
    record may have a property ``tone`` (``bad``, ``warn``, ``note``, ``faint`` or empty) that colours its row.

    Attributes:
        caption: the table's heading.
        columns: what is shown, in order.
    """

    caption: str
    columns: tuple[Column, ...]

    def __new__(cls, rows: Iterable[T] = (), *, caption: str = "", columns: Sequence[Column] | None = None) -> Self:
        """Make a table from records."""
        self = super().__new__(cls, rows)
        self.caption = caption
        self.columns = tuple(columns) if columns is not None else _columns_of(self)
        return self

    def _like(self, rows: Iterable[T]) -> Self:
        return type(self)(rows, caption=self.caption, columns=self.columns)

    @overload
    def __getitem__(self, index: SupportsIndex, /) -> T: ...
    @overload
    def __getitem__(self, index: slice, /) -> Self: ...
    def __getitem__(self, index: SupportsIndex | slice, /) -> T | Self:
        """Return one record, or, for a slice, a table of them."""
        if isinstance(index, slice):
            return self._like(super().__getitem__(index))
        return super().__getitem__(index)

    def filter(self, keep: Callable[[T], object]) -> Self:
        """Return the table of the records for which ``keep(record)`` is true."""
        return self._like(row for row in self if keep(row))

    def where(self, **fields: object) -> Self:
        """Return the table of the records whose fields have these values: ``rows.where(state="Live")``."""
        return self.filter(lambda row: all(getattr(row, name) == value for name, value in fields.items()))

    def named(self, name: str) -> T:
        """Return the record whose ``name`` is this one.

        Raises:
            KeyError: there is none; its text lists the names there are.
        """
        for row in self:
            if getattr(row, "name", None) == name:
                return row
        names = ", ".join(str(getattr(row, "name", "?")) for row in self[:20]) or "none"
        raise KeyError(f"{name}: not in this table; it has {names}")

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return every record as a dictionary: all fields of a dataclass, then the other columns shown."""
        return [_as_dict(row, self.columns) for row in self]

    def __repr__(self) -> str:
        """Return the table as text."""
        return str(self)

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy with caption and columns."""
        return _rebuild, (type(self), tuple(self), self.caption, self.columns)

    def __str__(self) -> str:
        """Return the table as aligned text, the caption first."""
        head = [self.caption] if self.caption else []
        if not self:
            return "\n".join([*head, "(no rows)"])
        cells = [[_one_line(column.text(row)) for column in self.columns] for row in self._shown()[0]]
        labels = [column.label for column in self.columns]
        widths = [max(map(len, column)) for column in zip(labels, *cells, strict=True)]
        lines = [self._line(labels, widths), self._line(["-" * width for width in widths], widths)]
        lines += [self._line(row, widths) for row in cells]
        before, left_out = self._shown()[1:]
        if left_out:
            lines.insert(2 + before, f"… {left_out} rows not shown …")
        return "\n".join([*head, *lines])

    def _line(self, cells: Sequence[str], widths: Sequence[int]) -> str:
        pairs = zip(self.columns, cells, widths, strict=True)
        parts = [cell.rjust(width) if column.right else cell.ljust(width) for column, cell, width in pairs]
        return "  ".join(parts).rstrip()

    def _shown(self) -> tuple[tuple[T, ...], int, int]:
        """Return the rows to show, after how many of them there is a gap, and how many are left out there."""
        if len(self) <= _SHOWN:
            return tuple(self), len(self), 0
        before = _SHOWN // 4
        return (*self[:before], *self[before - _SHOWN :]), before, len(self) - _SHOWN

    def _repr_html_(self) -> str:
        """Return the table for a notebook: caption, headings with a scope, everything escaped."""
        return "".join(self._html())

    def _html(self) -> Iterator[str]:
        # What may have to be scrolled must be reachable without a mouse.
        large = len(self) > _HIGH or len(self.columns) > _WIDE
        reach = f' tabindex="0" role="region" aria-label="{escape(self.caption or "table")}"' if large else ""
        yield f'<div{reach} style="overflow:auto;max-height:32em"><table style="{_TABLE}">'
        if self.caption:
            yield f'<caption style="{_CAPTION}">{escape(self.caption)}</caption>'
        yield "<thead><tr>"
        for column in self.columns:
            yield f'<th scope="col" style="{_CELL}{_align(column)}font-weight:600">{escape(column.label)}</th>'
        yield "</tr></thead><tbody>"
        rows, before, left_out = self._shown()
        span = f'<td colspan="{len(self.columns)}" style="{_CELL}text-align:left">'
        for number, row in enumerate(rows):
            if left_out and number == before:
                yield f"<tr>{span}… {left_out} rows not shown …</td></tr>"
            yield self._html_row(row)
        if not rows:
            yield f"<tr>{span}no rows</td></tr>"
        yield "</tbody></table></div>"

    def _html_row(self, row: T) -> str:
        cells = []
        for number, column in enumerate(self.columns):
            header = number == 0 and column.name == "name"
            tag, weight = ('th scope="row"', "font-weight:600;") if header else ("td", "font-weight:400;")
            font = _MONO if column.kind in ("code", "address") else ""
            style = f"{_CELL}{_align(column)}{weight}{font}"
            cells.append(f'<{tag} style="{style}">{column.html(row)}</{tag[:2]}>')
        tone = _TONES.get(getattr(row, "tone", ""), "")
        return f'<tr style="{tone}background-clip:padding-box">{"".join(cells)}</tr>'


def _rebuild(cls: type[Rows[T]], rows: tuple[T, ...], caption: str, columns: tuple[Column, ...]) -> Rows[T]:
    return cls(rows, caption=caption, columns=columns)


def _columns_of(rows: Sequence[object]) -> tuple[Column, ...]:
    if not rows:
        return ()
    first = rows[0]
    named: tuple[Column, ...] | None = getattr(type(first), "COLUMNS", None)
    if named is not None:
        return named
    if not dataclasses.is_dataclass(first):
        return (Column("", "value"),)
    return tuple(
        Column(field.name, kind="number" if type(getattr(first, field.name)) in (int, float) else "text")
        for field in dataclasses.fields(first)
    )


def _as_dict(row: object, columns: Iterable[Column]) -> dict[str, Any]:
    fields = dataclasses.fields(row) if dataclasses.is_dataclass(row) else ()
    names = dict.fromkeys([*(field.name for field in fields), *(column.name for column in columns)])
    return {name or "value": getattr(row, name) if name else row for name in names}


def _align(column: Column) -> str:
    return "text-align:right;" if column.right else "text-align:left;"


def _one_line(text: str) -> str:
    """Return the text with its control characters written out, so that a row stays on its line."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
