# SPDX-License-Identifier: MIT
"""How a magic's line is read: argparse, made to answer with one sentence instead of ending the Jupyter kernel."""

from __future__ import annotations

import argparse
import difflib
import re
import shlex
from collections.abc import Iterable
from typing import Any, NoReturn

from kmodlab.errors import UsageError

__all__ = ["Options", "near", "split_parameters"]

_PARAMETER = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)


class Options(argparse.ArgumentParser):
    """What one magic takes.

    Every argument is optional for argparse, so that ``-h`` works without the rest; the magic itself says what it
    misses.

    Args:
        verb: the magic with its percent signs.
        about: what it does, in a sentence or two.
        example: a line or two to copy.
    """

    def __init__(self, verb: str, about: str, example: str) -> None:
        super().__init__(
            prog=verb,
            description=about,
            epilog=f"example:\n{example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            add_help=False,
            allow_abbrev=False,
        )
        self.verb = verb
        self.about = about
        self.flags: list[str] = []
        self.choices: dict[str, tuple[str, ...]] = {}
        self._takes_value: set[str] = set()
        self.option("-h", "--help", action="store_true", help="show this text")

    def option(self, *names: str, **how: Any) -> None:
        """Add an option; `how` is what ``add_argument`` takes. It takes a value unless an action says otherwise."""
        self.add_argument(*names, **how)
        self.flags += names
        if "action" not in how:
            self._takes_value.update(names)
            self.choices.update({name: tuple(how.get("choices", ())) for name in names})

    def words(self, name: str, help: str, metavar: str | None = None) -> None:
        """Add the arguments that are no options, as a list that may be empty."""
        self.add_argument(name, nargs="*", help=help, metavar=metavar)

    def error(self, message: str) -> NoReturn:
        """Raise what argparse complains of as a `UsageError` of one sentence."""
        raise UsageError(f"{self.verb}: {self._words_for(message)}; {self.verb} -h lists what it takes")

    def _words_for(self, message: str) -> str:
        choice = re.search(r"invalid choice: ('[^']*')", message)
        if choice:
            names = list(dict.fromkeys(name for names in self.choices.values() for name in names))
            guess = near(choice[1].strip("'"), names)
            return f"{choice[1]} is none of {', '.join(names)}{f', did you mean {guess[0]}?' if guess else ''}"
        unknown = message.removeprefix("unrecognized arguments: ")
        if unknown == message:
            return message
        word = unknown.split(" ")[0]
        if not word.startswith("-"):
            return f"{word!r} is one word too many"
        guess = near(word, self.flags)
        return f"there is no option {word}{f', did you mean {guess[0]}?' if guess else ''}"

    def read(self, line: str) -> argparse.Namespace | None:
        """Return what a line says, options and other words in any order; None if it asked for help, which is printed.

        Raises:
            UsageError: the line cannot be meant.
        """
        try:
            words = shlex.split(line)
        except ValueError as error:
            raise UsageError(f"{self.verb}: {str(error).lower()}; close the quotation mark") from None
        return self._given(words)

    def read_front(self, line: str) -> tuple[argparse.Namespace | None, str]:
        """Return what the options at the front of a line say, and the rest of the line as it stands.

        Raises:
            UsageError: as for `read`.
        """
        words: list[str] = []
        rest = line.strip()
        while rest.startswith("-"):
            word, _, rest = rest.partition(" ")
            words.append(word)
            if word in self._takes_value:
                value, _, rest = rest.lstrip().partition(" ")
                words.append(value)
            rest = rest.lstrip()
            if word == "--":
                break
        return self._given([word for word in words if word != "--"]), rest

    def _given(self, words: list[str]) -> argparse.Namespace | None:
        given = self.parse_intermixed_args(words)
        if given.help:
            print(self.format_help())
            return None
        return given


def split_parameters(verb: str, words: Iterable[str]) -> tuple[list[str], dict[str, str]]:
    """Return the plain words, and the ``NAME=VALUE`` ones as a dictionary.

    Raises:
        UsageError: a parameter is given twice.
    """
    plain: list[str] = []
    parameters: dict[str, str] = {}
    for word in words:
        found = _PARAMETER.fullmatch(word)
        if found is None:
            plain.append(word)
        elif found[1] in parameters:
            raise UsageError(f"{verb}: the parameter {found[1]} is given twice; give it once")
        else:
            parameters[found[1]] = found[2]
    return plain, parameters


def near(word: str, names: Iterable[str]) -> list[str]:
    """Return the names that look like a word, the nearest first."""
    return difflib.get_close_matches(word, list(names), n=3, cutoff=0.6)
