# SPDX-License-Identifier: MIT
"""How results look in a notebook: each as HTML for the page and as text for a terminal or a screen reader."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from kmodlab.build.artifact import ModuleArtifact
from kmodlab.build.diagnostics import Diagnostic
from kmodlab.errors import (
    BootTimeout,
    BuildError,
    CommandError,
    CommandTimeout,
    GuestError,
    KernelHang,
    KernelOops,
    KmodlabError,
    MachineLost,
)
from kmodlab.guest.session import CommandResult
from kmodlab.jupyter.results import BuiltModule, Loaded, MachineStatus, Unloaded, kernel_log
from kmodlab.records.dependencies import DependencyGraph
from kmodlab.records.kmsg import KernelLog, KmsgRecord
from kmodlab.records.memory import MemorySnapshot
from kmodlab.records.modinfo import ModInfo
from kmodlab.records.modules import LoadedModule
from kmodlab.records.places import linked
from kmodlab.records.table import Rows, format_bytes
from kmodlab.records.taint import Taint

__all__ = ["DIAGNOSTICS", "View", "details", "headline", "note", "register", "show", "view_of"]

DIAGNOSTICS = "application/vnd.kmodlab.diagnostics+json"
"""The mime type under which an output holds what was said of its cell: a list of objects with line, column, severity,
message and hint. The extension of JupyterLab marks the cell's lines by it; others pass it over."""

_LOG_SHOWN = 60
"""Lines of the kernel's log that are shown with an error; its ``.records`` hold all."""

_PRE = (
    "margin:0;padding:0;white-space:pre-wrap;background:none;color:inherit;border:0;"
    "font-family:var(--jp-code-font-family, ui-monospace, monospace)"
)
_LINE = "margin:.3em 0"
_BARS = {"error": "#d55e00", "warning": "#e69f00", "note": "#56b4e9"}


@dataclass(frozen=True, slots=True)
class View:
    """Something to look at, in both forms.

    Attributes:
        html: for the page.
        text: for a terminal or a screen reader.
        marks: the diagnostics in it that are about lines of the cell it stands below.
    """

    html: str
    text: str
    marks: tuple[Diagnostic, ...] = ()

    def __add__(self, other: View) -> View:
        """Put one below the other."""
        text = "\n".join(part for part in (self.text, other.text) if part)
        return View(self.html + other.html, text, self.marks + other.marks)

    def __bool__(self) -> bool:
        return bool(self.text)

    def __repr__(self) -> str:
        return self.text

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        return {"text/html": self.html, "text/plain": self.text, **self.data()}

    def data(self) -> dict[str, Any]:
        """Return what stands beside both forms for programs, by mime type."""
        fields = ("line", "column", "severity", "message", "hint")
        found = [{name: getattr(one, name) for name in fields} for one in self.marks]
        return {DIAGNOSTICS: found} if found else {}


_NOTHING = View("", "")


def show(thing: object) -> None:
    """Show something in the running cell at once."""
    from IPython.display import display

    display(thing)  # type: ignore[no-untyped-call]


def note(text: str) -> View:
    """Return a remark of the lab itself, set apart by a bar."""
    style = f"{_LINE};border-left:4px solid #56b4e9;padding:.1em .6em"
    return View(f'<p role="status" style="{style}">{escape(text)}</p>', text)


def _line(text: str) -> View:
    return View(f'<p style="{_LINE}">{escape(text)}</p>', text)


def view_of(thing: object) -> View:
    """Return how something looks that has no look of its own: a built or loaded module, an error, a command's result.

    Raises:
        TypeError: it is none of these.
    """
    for kind, look in _LOOKS:
        if isinstance(thing, kind):
            return look(thing)
    raise TypeError(f"show {type(thing).__name__}: there is no view for it")


# -- Modules ------------------------------------------------------------------------------------------------------


def _built(module: ModuleArtifact) -> View:
    kept = {name: size for name, size in module.file.memory.items() if name != "other"}
    init = kept.pop("init")
    parts = [f"{format_bytes(sum(kept.values()))} of code and data"]
    parts += [f"{format_bytes(init)} more that is freed after init"] if init else []
    way = "unchanged since an earlier build" if module.how == "cache" else f"{module.how}, {module.seconds:.1f} s"
    view = _line(f"built {module.name}.ko: {', '.join(parts)}; {way}")
    for other in module.others:
        view += _line(f"and {other.name}.ko")
    if module.diagnostics:
        view += _diagnostics(module.diagnostics)
    if isinstance(module, BuiltModule) and module.loaded:
        view += _loaded(module.loaded)
    return view


def _loaded(module: LoadedModule) -> View:
    taints = f", taints the kernel {module.taints}" if module.taints else ""
    view = _line(f"{module.name} is loaded: {format_bytes(module.size)} in the kernel{taints}")
    return view + _logged(module.log) if isinstance(module, Loaded) else view


def _unloaded(modules: Unloaded) -> View:
    verb = "is" if len(modules.names) == 1 else "are"
    return _line(f"{', '.join(modules.names)} {verb} unloaded") + _logged(modules.log)


def _logged(log: KernelLog) -> View:
    return _own_look(log) if log else _line("The kernel logged nothing meanwhile.")


def _own_look(table: Rows[Any]) -> View:
    return View(table._repr_html_(), str(table))


# -- Errors -------------------------------------------------------------------------------------------------------


def _error(error: KmodlabError) -> View:
    return _line(f"{type(error).__name__}: {headline(error)}") + details(error)


def headline(error: KmodlabError) -> str:
    """Return an error's message; of a build's only the first line where `details` shows the whole."""
    text = str(error)
    return text.partition("\n")[0] if isinstance(error, BuildError) and error.diagnostics else text


def details(error: KmodlabError, *, output: bool = True) -> View:
    """Return what an error carries besides its message; empty if that is nothing.

    Args:
        error: any error of kmodlab.
        output: show what a command had printed; False if it stands there already.
    """
    view = _NOTHING
    if isinstance(error, BuildError):
        return _diagnostics(error.diagnostics)
    if isinstance(error, CommandError | CommandTimeout) and output:
        view += _streams(error.stdout, error.stderr)
    if isinstance(error, KernelOops | KernelHang) and error.report is not None:
        view += View(error.report._repr_html_(), str(error.report))
    if isinstance(error, GuestError | MachineLost) and error.records:
        view += _own_look(_tail(error.records))
    if isinstance(error, BootTimeout) and error.console:
        view += _block("\n".join(error.console))
    return view


def _tail(records: Sequence[KmsgRecord]) -> KernelLog:
    """The end of a log; after a panic, the lines from there on, since behind them every processor is dumped."""
    panic = next((at for at, record in enumerate(records) if "Kernel panic - not syncing" in record.text), None)
    start = max(0, len(records) - _LOG_SHOWN)
    if panic is not None and panic < start:
        return kernel_log(tuple(records[panic : panic + _LOG_SHOWN]), f"Kernel log, {_LOG_SHOWN} lines from the panic")
    caption = f"Kernel log, its last {_LOG_SHOWN} lines" if start else "Kernel log"
    return kernel_log(tuple(records[start:]), caption)


def _diagnostics(diagnostics: Sequence[Diagnostic]) -> View:
    """What stood against a build: place, message, the line with a mark, and the hint, one below the other."""
    if not diagnostics:
        return _NOTHING
    html = "".join(map(_diagnostic_html, diagnostics))
    text = "\n".join(map(str, diagnostics))
    marks = tuple(one for one in diagnostics if one.line and one.file.startswith("In["))
    return View(f'<section aria-label="Messages of the build" style="{_LINE}">{html}</section>', text, marks)


def _diagnostic_html(one: Diagnostic) -> str:
    option = f' <span style="opacity:.75">[{escape(one.option)}]</span>' if one.option else ""
    place = f"<code>{linked(escape(one.where))}</code> " if one.where else ""
    parts = [f"<div>{place}<strong>{one.severity}:</strong> {escape(one.message)}{option}</div>"]
    if one.source.strip():
        mark = f"\n      | {one.caret}" if one.caret else ""
        parts.append(f'<pre style="{_PRE}">{escape(f"{one.line or str():>5} | {one.source}{mark}")}</pre>')
    if one.hint:
        parts.append(f'<div style="padding-top:.2em">hint: {escape(one.hint)}</div>')
    style = f"border-left:4px solid {_BARS[one.severity]};padding:.2em .6em;margin:.4em 0;overflow-x:auto"
    return f'<div style="{style}">{"".join(parts)}</div>'


# -- Commands -----------------------------------------------------------------------------------------------------


def _command(result: CommandResult) -> View:
    view = _streams(result.stdout, result.stderr)
    if result.exit_status:
        status = f"exit status {result.exit_status}"
        view += View(f'<p style="{_LINE}"><strong>{status}</strong></p>', f"[{status}]")
    return view or View(f'<p style="{_LINE};opacity:.75">(it printed nothing)</p>', "(it printed nothing)")


def _streams(stdout: str, stderr: str) -> View:
    view = _block(stdout) if stdout.strip() else _NOTHING
    return view + _block(stderr, bar=_BARS["error"], label="standard error") if stderr.strip() else view


def _block(text: str, *, bar: str = "", label: str = "") -> View:
    text = text.rstrip("\n")
    bar = f";border-left:4px solid {bar};padding-left:.6em" if bar else ""
    label = f' role="group" aria-label="{label}"' if label else ""
    return View(f'<pre{label} style="{_PRE}{bar}">{escape(text)}</pre>', text)


# IPython asks a class for its printer before the class's parents, and a dataclass brings a printer of its own.
_LOOKS: tuple[tuple[type, Callable[[Any], View]], ...] = (
    (BuiltModule, _built),
    (Loaded, _loaded),
    (ModuleArtifact, _built),
    (LoadedModule, _loaded),
    (Unloaded, _unloaded),
    (CommandResult, _command),
    (KmodlabError, _error),
)

_WORDS: tuple[type, ...] = (MachineStatus, ModInfo, MemorySnapshot, DependencyGraph, Taint, KmsgRecord)
"""Records that say in ``str()`` what a terminal should show, and bring their own HTML."""


def register(shell: Any) -> None:
    """Teach an IPython session these looks."""
    formatters = shell.display_formatter.formatters
    for kind, look in _LOOKS:
        formatters["text/html"].for_type(kind, _html_printer(look))
        formatters["text/plain"].for_type(kind, _text_printer(look))
        shell.display_formatter.mimebundle_formatter.for_type(kind, _data_printer(look))
    for kind in _WORDS:
        formatters["text/plain"].for_type(kind, lambda thing, printer, cycle: printer.text(str(thing)))


def _html_printer(look: Callable[[Any], View]) -> Callable[[Any], str]:
    return lambda thing: look(thing).html


def _data_printer(look: Callable[[Any], View]) -> Callable[..., dict[str, Any]]:
    return lambda thing, **_: look(thing).data()


def _text_printer(look: Callable[[Any], View]) -> Callable[[Any, Any, bool], None]:
    return lambda thing, printer, cycle: printer.text(look(thing).text)
