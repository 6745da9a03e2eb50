# SPDX-License-Identifier: MIT
"""Where modules lie: the kernel's half of all addresses, enlarged twice."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import matplotlib
from matplotlib.axes import Axes

from kmodlab.errors import UsageError
from kmodlab.plot.frame import MARGIN, WIDTH, set_title
from kmodlab.plot.picture import describe, wrapped
from kmodlab.plot.strip import Piece, Strip, draw_lens, draw_strip, points_axes, strip_height
from kmodlab.plot.theme import TITLE, Theme, ThemeName, get_theme
from kmodlab.records.address_space import AddressArea, AddressSpace
from kmodlab.records.table import Rows, format_bytes

__all__ = ["address_space"]

_BETWEEN = 26.0  # points between two strips
_TOP = 1 << 64
_GIB = 1 << 30
_TIB = 1 << 40
_LOOKS = {
    "direct": ("rodata", "..", "#00507d"), "vmalloc": ("overhead", "", ""), "memmap": ("bss", "\\\\\\", "#8a8000"),
    "kernel": ("text", "", ""), "modules": ("faint", "", ""),
}  # fmt: skip
_NAMES = {
    "direct": "RAM", "vmalloc": "for vmalloc()", "memmap": "struct pages", "kernel": "the kernel",
    "modules": "for modules",
}  # fmt: skip


def address_space(
    space: AddressSpace, modules: str | Iterable[str] | None = None, *, theme: Theme | ThemeName | None = None
) -> Axes:
    """Draw where modules lie: the kernel's half of the addresses, the end of it, and the modules' own area, enlarged.

    Args:
        space: what ``vm.address_space()`` returned.
        modules: those to point out; else the one that was loaded last, which is not known, so the highest.
        theme: ``light`` or ``dark``; else the one that ``set_theme`` chose.

    Returns:
        The axes. ``table(ax)`` has areas and modules with their addresses, ``alt_text(ax)`` says it in words.

    Raises:
        UsageError: a module is not loaded, or the kernel does not show where its modules lie.
    """
    style = get_theme(theme)
    home, kernel = space.area("modules"), space.area("kernel")
    if home is None or kernel is None or not space.modules:
        raise UsageError("draw addresses: the kernel does not show where it and its modules lie; be root in the guest")
    chosen = _chosen(space, modules)
    strips = [_all(space, home, kernel, style), _end(home, kernel, style), _near(space, chosen, style)]
    title = _finding(chosen[0], home, kernel)
    with matplotlib.rc_context(style.rc):
        lines = wrapped(title, (WIDTH - 2 * MARGIN) * 72, TITLE, bold=True)
        head = (MARGIN + 0.25 * lines.count("\n") + 0.42) * 72
        height = sum(map(strip_height, strips)) + _BETWEEN * (len(strips) - 1)
        ax = points_axes(head, height, MARGIN * 72, style, MARGIN * 72)
        set_title(ax, lines, head / 72 - MARGIN, MARGIN, TITLE, style)
        tops = [sum(strip_height(strip) + _BETWEEN for strip in strips[:number]) for number in range(len(strips))]
        for strip, top in zip(strips, tops, strict=True):
            draw_strip(ax, top, strip, style)
        for (upper, top), (lower, bottom) in pairwise(zip(strips, tops, strict=True)):
            draw_lens(ax, upper, top, lower, bottom, style)
    rows = Rows([*space.areas, *space.modules], caption="Addresses", columns=AddressArea.COLUMNS)
    describe(ax, f"Three ranges of addresses, each enlarged from the one before. {title}. {_words(space)}.", rows)
    return ax


def _chosen(space: AddressSpace, modules: str | Iterable[str] | None) -> list[AddressArea]:
    if modules is None:
        return [space.modules[-1]]
    names = [name.replace("-", "_") for name in ([modules] if isinstance(modules, str) else modules)]
    known = {row.module: row for row in space.modules}
    for name in names:
        if name not in known:
            raise UsageError(f"draw where {name} lies: it is not loaded; load it first")
    return [known[name] for name in names]


def _size(count: int) -> str:
    """Return a size of addresses: these are larger than any memory."""
    if count >= _TIB:
        return f"{count / _TIB:.3g} TiB"
    return f"{count / _GIB:.3g} GiB" if count >= _GIB else format_bytes(count)


def _finding(module: AddressArea, home: AddressArea, kernel: AddressArea) -> str:
    far = _size(abs(module.start - kernel.start))
    where = "above" if module.start > kernel.start else "below"
    reach = ", near enough for a 32-bit call" if abs(module.start - kernel.start) < 2 * _GIB else ""
    return f"{module.module} lies {far} {where} the kernel's own code{reach}"


def _words(space: AddressSpace) -> str:
    areas = "; ".join(f"{area.meaning} from {area.start:#x}, {_size(area.size)}" for area in space.areas)
    modules = ", ".join(f"{row.module} at {row.start:#x}" for row in space.modules[-6:])
    return f"{areas}; {len(space.modules)} modules, the highest: {modules}"


def _piece(area: AddressArea, style: Theme, label: str = "") -> Piece:
    colour, hatch, edge = _LOOKS[area.kind]
    return Piece(area.start, area.size, getattr(style, colour), hatch, edge, label)


def _all(space: AddressSpace, home: AddressArea, kernel: AddressArea, style: Theme) -> Strip:
    """The half that begins with a 1 as the highest bit of an address, as far down as the processor can reach."""
    lowest = min(area.start for area in space.areas)
    size = 1 << (_TOP - lowest - 1).bit_length()
    pieces = [
        _piece(area, style, f"{_NAMES[area.kind]}\n{_size(area.size)}")
        for area in space.areas
        if area.kind not in ("kernel", "modules")
    ]
    both = max(home.end, kernel.end) - min(home.start, kernel.start)
    last = Piece(min(home.start, kernel.start), both, style.text, label="kernel, modules\n2 GiB")
    return Strip(f"The kernel's half of the addresses, {_size(size)}", _range(_TOP - size, _TOP), _TOP - size, size,
                 [last, *pieces])  # fmt: skip


def _end(home: AddressArea, kernel: AddressArea, style: Theme) -> Strip:
    start = min(home.start, kernel.start) // (2 * _GIB) * 2 * _GIB
    end = -(-max(home.end, kernel.end) // _GIB) * _GIB
    pieces = [_piece(area, style, f"{_NAMES[area.kind]}\n{_size(area.size)}") for area in (kernel, home)]
    return Strip(f"Its last {_size(end - start)}", _range(start, end), start, end - start, pieces)


def _near(space: AddressSpace, chosen: list[AddressArea], style: Theme) -> Strip:
    start, end = space.modules[0].start, space.modules[-1].end
    names = {row.module for row in chosen}
    pieces = [
        Piece(
            row.start, row.size, style.data if row.module in names else style.rodata,
            "///" if row.module in names else "", "#7a5200" if row.module in names else style.page,
            f"{row.module}\n{row.start:#x}" if row.module in names else f"{row.module}\n{format_bytes(row.size)}",
        )
        for row in sorted(space.modules, key=lambda row: (row.module not in names, -row.size))
    ]  # fmt: skip
    caption = f"Its {len(space.modules)} modules, {_size(end - start)} with the gaps"
    return Strip(caption, _range(start, end), start, end - start, pieces)


def _range(start: int, end: int) -> str:
    return f"0x{start:016x} to 0x{end - 1:016x}"
