# SPDX-License-Identifier: MIT
"""Colours and type sizes of the pictures: one light and one dark theme, chosen explicitly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from kmodlab.errors import UsageError

__all__ = ["DARK", "LIGHT", "Theme", "ThemeName", "get_theme", "set_theme"]

ThemeName = Literal["light", "dark"]

FONT = "DejaVu Sans"
MONO = "DejaVu Sans Mono"
TITLE, BODY, SMALL = 13.5, 11.5, 10.0


@dataclass(frozen=True, slots=True)
class Theme:
    """The colours of a picture; the hues are those of Okabe and Ito, which colour-blind people can tell apart.

    Attributes:
        name: ``light`` or ``dark``.
        page: the background.
        ink, quiet, faint: the colours of text, of secondary text, and of grid lines.
        line: the colour of arrows.
        box, box_edge: a module that is part of the kernel's source.
        own, own_edge: a module from outside it, such as one's own.
        text, rodata, data, bss, overhead: the kinds of sections.
        before, after: two moments that are compared.
    """

    name: ThemeName
    page: str
    ink: str
    quiet: str
    faint: str
    line: str
    box: str
    box_edge: str
    own: str
    own_edge: str
    text: str = "#0072b2"
    rodata: str = "#56b4e9"
    data: str = "#e69f00"
    bss: str = "#f0e442"
    overhead: str = "#bdbdbd"
    before: str = "#bdbdbd"
    after: str = "#0072b2"

    @property
    def rc(self) -> dict[Any, Any]:
        """The settings of matplotlib under which a picture is made."""
        return {
            "font.family": "sans-serif",
            "font.sans-serif": [FONT],
            "font.monospace": [MONO],
            "font.size": BODY,
            "text.color": self.ink,
            "axes.edgecolor": self.faint,
            "axes.labelcolor": self.quiet,
            "axes.facecolor": self.page,
            "figure.facecolor": self.page,
            "xtick.color": self.quiet,
            "ytick.color": self.ink,
            "hatch.linewidth": 0.7,
            "text.usetex": False,
        }


LIGHT = Theme(
    "light",
    page="#ffffff",
    ink="#1b1f24",
    quiet="#57606a",
    faint="#d8dee4",
    line="#6e7781",
    box="#eef4fa",
    box_edge="#7aa7cf",
    own="#fff1d6",
    own_edge="#d08700",
)
DARK = Theme(
    "dark",
    page="#16191d",
    ink="#eceff2",
    quiet="#a9b3bd",
    faint="#3a4149",
    line="#939da7",
    box="#1f2e3d",
    box_edge="#5b94c4",
    own="#3d2e10",
    own_edge="#e69f00",
    text="#2b8fd0",
    rodata="#8fd0f5",
    overhead="#7d858d",
    before="#7d858d",
    after="#2b8fd0",
)
_THEMES: dict[str, Theme] = {"light": LIGHT, "dark": DARK}
_default = LIGHT


def get_theme(theme: Theme | ThemeName | None = None) -> Theme:
    """Return the theme of this name, or the default one.

    Raises:
        UsageError: there is no such theme.
    """
    if theme is None:
        return _default
    if isinstance(theme, Theme):
        return theme
    if theme not in _THEMES:
        raise UsageError(f"use theme {theme!r}: there is no such theme; use 'light' or 'dark'")
    return _THEMES[theme]


def set_theme(theme: Theme | ThemeName) -> None:
    """Make this the theme of pictures that do not name one.

    Raises:
        UsageError: there is no such theme.
    """
    global _default
    _default = get_theme(theme)
