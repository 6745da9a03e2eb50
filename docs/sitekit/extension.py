# SPDX-License-Identifier: MIT
"""What the site needs beyond sphinx's own extensions: cells of C in their colours, references from docstrings."""

from __future__ import annotations

import dataclasses
import importlib
import re
from collections.abc import Iterator
from types import ModuleType
from typing import Any, TypeVar

import click
from docutils import nodes
from IPython.lib.lexers import IPython3Lexer
from pygments.lexer import Lexer
from pygments.lexers import BashLexer, CLexer
from pygments.token import Keyword, Text, _TokenType
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.domains.python import PyObject
from sphinx.environment import BuildEnvironment
from sphinx.util.nodes import make_refnode

from kmodlab.cli import Verbs

VERBS = Verbs().list_commands(click.Context(click.Group()))

__all__ = ["CellLexer", "prepare", "quote_options", "resolve", "setup", "sign"]

_FIRST_LINE = re.compile(r"\s*%%(kmod|program|guest)\b[^\n]*\n?")
_OPTION = re.compile(r"(?<![\w`-])(--[a-z][\w-]*)")
_SEVERAL = re.compile(r"(?P<space> +)(?P<names>\w+(?:, \w+)+): (?P<words>.+)")
_LEXERS: dict[str, type[Lexer]] = {"kmod": CLexer, "program": CLexer, "guest": BashLexer}


class CellLexer(Lexer):  # type: ignore[misc]  # pygments has no types
    """Code of a notebook: below ``%%kmod`` and ``%%program`` it is C, below ``%%guest`` shell, else Python."""

    name = "A cell of kmodlab"
    aliases = ("kmodlab",)

    def get_tokens_unprocessed(self, text: str) -> Iterator[tuple[int, _TokenType, str]]:
        """Yield place, kind and text of each token."""
        head = _FIRST_LINE.match(text)
        if not head:
            yield from IPython3Lexer().get_tokens_unprocessed(text)
            return
        yield 0, Keyword, head[0].rstrip()
        yield len(head[0].rstrip()), Text, head[0][len(head[0].rstrip()) :]
        for place, kind, words in _LEXERS[head[1]]().get_tokens_unprocessed(text[head.end() :]):
            yield head.end() + place, kind, words


def resolve(app: Sphinx, env: BuildEnvironment, node: pending_xref, words: nodes.Element) -> nodes.Element | None:
    """Find what a docstring or a signature names in short, such as ``KernelBuild``; an extension's hook.

    What is on the site becomes a link. What is importable and not kmodlab's stays plain, since its documentation is
    elsewhere and nobody is asked for it; so does an attribute that a class's docstring tells of. All else is left
    unresolved, which sphinx makes an error.
    """
    if node.get("refdomain") != "py":
        return None
    target = node["reftarget"].lstrip(".~")
    if node["refdoc"] == "cli" and target in VERBS:
        return words
    for name in (target, _own_name(_imported(target))):
        found = {entry.docname: entry for known, entry in _objects(env).items() if f".{known}".endswith(f".{name}")}
        if name and len(found) == 1:
            ((document, entry),) = found.items()
            return make_refnode(app.builder, node["refdoc"], document, entry.node_id, words, target)
    return words if _is_elsewhere(target) or _is_attribute(target, node, env) else None


def _objects(env: BuildEnvironment) -> dict[str, Any]:
    objects: dict[str, Any] = env.domains["py"].objects
    return objects


def _imported(target: str) -> Any:
    """What a dotted name names, or None."""
    module, _, name = target.rpartition(".")
    for place in (module or "builtins", "typing", "collections.abc", "pathlib", "argparse", "os"):
        try:
            return getattr(importlib.import_module(place), name)
        except (ImportError, AttributeError):
            continue
    try:
        return importlib.import_module(target)
    except ImportError:
        return None


def _own_name(value: Any) -> str:
    """The name under which an object of kmodlab is documented, whatever else it is called."""
    if isinstance(value, ModuleType):
        value = getattr(value, "make", None)  # kmodlab.build is a module that can be called
    module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", "")
    return f"{module}.{name}" if str(module).startswith("kmodlab") and name else ""


def _is_elsewhere(target: str) -> bool:
    """Whether a dotted name can be imported, and is not kmodlab's."""
    value = _imported(target)
    if isinstance(value, ModuleType):
        return not value.__name__.startswith("kmodlab")
    return value is not None and (isinstance(value, TypeVar) or not _own_name(value))


def _is_attribute(target: str, node: pending_xref, env: BuildEnvironment) -> bool:
    """Whether a name is that of an attribute which the docstring of its class tells of."""
    owner, _, name = target.rpartition(".")
    ends = f".{owner or node.get('py:class') or ''}"
    for known in _objects(env):
        if f".{known}".endswith(ends):
            told = getattr(_imported(known), "__doc__", None) or ""
            if re.search(rf"^ +(?:\w+, )*{re.escape(name)}(?:, \w+)*: ", told, re.MULTILINE):
                return True
    return False


def prepare(app: Sphinx, what: str, name: str, value: Any, options: Any, lines: list[str]) -> None:
    """Make of a docstring what napoleon reads as it is meant; an extension's hook, called before it.

    ``stdout, stderr: what it printed`` is a line for each; and the sentence about a property has no type in front of
    its first colon.
    """
    if what in {"property", "attribute", "data"} and lines:
        lines[0] = f": {lines[0]}"
    made: list[str] = []
    for line in lines:
        several = _SEVERAL.match(line)
        if several:
            first, *others = several["names"].split(", ")
            made += [f"{several['space']}{other}: see {first}." for other in others]
            line = f"{several['space']}{first}: {several['words']}"
        made.append(line)
    lines[:] = made


def sign(
    app: Sphinx, what: str, name: str, value: Any, options: Any, signature: str | None, returns: str | None
) -> tuple[str | None, str | None] | None:
    """Leave out how a record is made, where its docstring tells of all its fields; an extension's hook."""
    if what == "class" and dataclasses.is_dataclass(value) and "Attributes:" in (value.__doc__ or ""):
        return "", None
    return (signature.replace("<factory>", "..."), returns) if signature else None


def quote_options(app: Sphinx, context: click.Context, lines: list[str]) -> None:
    """Mark options that a help text names as code, in which two dashes stay two; an extension's hook."""
    lines[:] = [line if line.startswith("..") else _OPTION.sub(r"``\1``", line) for line in lines]


def setup(app: Sphinx) -> dict[str, bool]:
    """Register all of it with sphinx."""
    for field in PyObject.doc_field_types:
        if field.name == "variable":
            field.label = "Attributes"  # as the docstrings say
    app.add_lexer("kmodlab", CellLexer)
    app.connect("missing-reference", resolve)
    for part in ("description", "options"):
        app.connect(f"sphinx-click-process-{part}", quote_options)
    app.connect("autodoc-process-signature", sign)
    app.connect("autodoc-process-docstring", prepare, priority=100)  # napoleon's is 500
    return {"parallel_read_safe": True, "parallel_write_safe": True}
