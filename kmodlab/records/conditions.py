# SPDX-License-Identifier: MIT
"""Which branch of an ``#if`` a kernel's configuration takes, as far as that can be said without a compiler."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

__all__ = ["Branches", "parse_config"]

_DEFINE = re.compile(r"^#define (CONFIG_\w+) (.*)$", re.MULTILINE)
_TOKEN = re.compile(r"\s*(defined|\w+|&&|\|\||[!()]|\S)")
_KNOWN = {
    **dict.fromkeys(("__KERNEL__", "MODULE", "__GNUC__"), True),
    **dict.fromkeys(("__ASSEMBLY__", "__ASSEMBLER__", "__cplusplus", "__CHECKER__", "BUILD_VDSO"), False),
}
_ENDS = {"&&", "||", ")"}
_ENABLED = {"IS_ENABLED", "IS_BUILTIN", "IS_MODULE", "IS_REACHABLE"}


def parse_config(text: str) -> dict[str, str]:
    """Return the symbols of a kernel's ``include/generated/autoconf.h`` and their values."""
    return dict(_DEFINE.findall(text))


class Branches:
    """Follows the conditions of one file: `active` is false in a branch that is surely not compiled."""

    def __init__(self, config: Mapping[str, str]) -> None:
        self._config = config
        # For each open #if: whether this branch may be the one, and whether one before it surely was.
        self._open: list[tuple[bool, bool]] = []

    @property
    def active(self) -> bool:
        """Whether what comes now may be compiled."""
        return all(mine for mine, _ in self._open)

    def directive(self, word: str, rest: str) -> None:
        """Take note of ``#if``, ``#else`` and the like; other directives are passed over."""
        if word in {"if", "ifdef", "ifndef"}:
            truth = self._defined(rest.strip()) if word != "if" else self._value(rest)
            truth = not truth if word == "ifndef" and truth is not None else truth
            self._open.append((truth is not False, truth is True))
        elif word in {"elif", "else"} and self._open:
            taken = self._open.pop()[1]
            truth = True if word == "else" else self._value(rest)
            self._open.append((not taken and truth is not False, taken or truth is True))
        elif word == "endif" and self._open:
            self._open.pop()

    def _defined(self, name: str) -> bool | None:
        if name.startswith("CONFIG_"):
            return name in self._config
        return _KNOWN.get(name)

    def _enabled(self, macro: str, name: str) -> bool | None:
        if not name.startswith("CONFIG_"):
            return None
        built_in, as_module = name in self._config, f"{name}_MODULE" in self._config
        return {"IS_BUILTIN": built_in, "IS_MODULE": as_module}.get(macro, built_in or as_module)

    def _value(self, expression: str) -> bool | None:
        """The truth of an expression; None where it cannot be known."""
        tokens = [found for found in _TOKEN.findall(expression) if found]
        try:
            value = self._any(tokens)
        except IndexError:
            return None
        return None if tokens else value

    def _any(self, tokens: list[str]) -> bool | None:
        return _chain(tokens, "||", self._all, True)

    def _all(self, tokens: list[str]) -> bool | None:
        return _chain(tokens, "&&", self._atom, False)

    def _atom(self, tokens: list[str]) -> bool | None:
        token = tokens.pop(0)
        if token == "!":
            value = self._atom(tokens)
            return None if value is None else not value
        if token == "(":
            value = self._any(tokens)
            tokens.pop(0)
            return value
        if token == "defined" or token in _ENABLED:
            bracket = tokens[0] == "("
            name = tokens.pop(1 if bracket else 0)
            del tokens[: 2 if bracket else 0]
            return self._defined(name) if token == "defined" else self._enabled(token, name)
        if token.isdigit() and (not tokens or tokens[0] in _ENDS):
            return int(token) != 0
        depth = 0
        while tokens and (depth or tokens[0] not in _ENDS):  # a comparison, a macro's arguments: nothing to be known
            skipped = tokens.pop(0)
            depth += (skipped == "(") - (skipped == ")")
        return None


def _chain(tokens: list[str], operator: str, part: Callable[[list[str]], bool | None], decisive: bool) -> bool | None:
    """The value of parts joined by one operator, of which one part with the `decisive` value settles it."""
    values = [part(tokens)]
    while tokens and tokens[0] == operator:
        tokens.pop(0)
        values.append(part(tokens))
    if decisive in values:
        return decisive
    return None if None in values else not decisive
