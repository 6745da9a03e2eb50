# SPDX-License-Identifier: MIT
"""``%ksource``: what the kernel's headers, or its source, say of a name."""

from __future__ import annotations

from argparse import Namespace

from kmodlab.build.definitions import ensure_definitions, find_definitions
from kmodlab.build.reference import Excerpt, Reference, ensure_reference
from kmodlab.config import settings
from kmodlab.errors import UsageError
from kmodlab.jupyter.arguments import near
from kmodlab.jupyter.display import View
from kmodlab.jupyter.excerpts import excerpts
from kmodlab.jupyter.lab import Lab

__all__ = ["ksource", "with_comment"]


def ksource(lab: Lab, given: Namespace) -> View:
    """Return what is known of a name, to look at.

    Args:
        lab: the session's, whose kernel is asked.
        given: what the line says: the name, ``definition`` and ``all``.

    Raises:
        UsageError: no header, or no function that the kernel exports, has that name.
        HostSetupError: the kernel's source was asked for and is not at hand.
    """
    name = _name(given.words)
    kernel, cache = lab.kernel(), settings().cache
    if given.definition:
        definitions = ensure_definitions(kernel, cache)
        found, origin = definitions.find(name), definitions.source
        if not found:
            raise UsageError(
                f"%ksource --definition {name}: no function that modules may call has that name; %ksource {name} asks "
                "the headers"
            )
    else:
        reference = ensure_reference(kernel, cache)
        found, origin = reference.find(name), f"Linux {kernel.release}"
        if not found:
            raise UsageError(f"%ksource {name}: {_nothing(reference, name)}")
        found = (with_comment(lab, found[0]), *found[1:])
    shown = View("", "")
    for one in [(one,) for one in found] if given.all else [found]:
        shown += excerpts(one, origin)
    return shown


def _name(words: list[str]) -> str:
    name = words[-1].rstrip("()") if words else ""
    if not name:
        raise UsageError("%ksource: which name? write one, such as %ksource module_init; %ksource -h shows more")
    if words[:-1] and words[:-1] not in (["struct"], ["union"], ["enum"]):
        raise UsageError(f"%ksource: {words[-1]!r} is one word too many; name one function, macro, struct or constant")
    return name


def _nothing(reference: Reference, name: str) -> str:
    guesses = near(name, reference.similar(name))
    meant = f"did you mean {' or '.join(guesses)}?" if guesses else "names of one file alone are not known here"
    return f"the headers of {reference.kernel.release} do not declare it; {meant}"


def with_comment(lab: Lab, one: Excerpt) -> Excerpt:
    """Return an excerpt with the comment of the definition, where the header has none and the source was read."""
    if one.kind != "prototype" or one.documented:
        return one
    definitions = find_definitions(lab.ready_kernel(), settings().cache)
    found = definitions.find(one.name) if definitions else ()
    return one.with_comment(found[0].comment) if found and found[0].documented else one
