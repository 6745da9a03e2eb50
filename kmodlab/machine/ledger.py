# SPDX-License-Identifier: MIT
"""The ledger of a running machine: trace while modules are loaded, used and unloaded, and say what they left."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from errno import EAGAIN
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Self

from kmodlab.build.artifact import ModuleArtifact
from kmodlab.config import settings
from kmodlab.errors import MachineError, MachineLost, RecordParseError, SandboxError, TransferError, UsageError
from kmodlab.machine import probes
from kmodlab.machine.machine import Machine, State
from kmodlab.progress import step
from kmodlab.records.account import LedgerBuilder, merge
from kmodlab.records.elf import read_module
from kmodlab.records.ledger import Ledger
from kmodlab.records.modules import parse_modules
from kmodlab.records.owners import Owners
from kmodlab.records.symbols import CallSite, KernelSymbols, ModuleCode
from kmodlab.records.trace import TraceEvent, TraceFormat
from kmodlab.shared import shared

__all__ = ["Watch", "lines_of", "watch"]

_BUFFER_KB = 8192
_READ_LIMIT = 256 << 20
_ROUNDS = 4
_SLABS = {"skb": ("skbuff_head_cache", 232), "cache": ("kmem_cache", 448)}
# What the kernel keeps of a file that is gone, its dentry and inode, holds the entry that the module had made. And the
# removal of a network device ends in rcu_barrier(): all that was handed to RCU before has been freed then.
_BARRIER = "echo 2 > /proc/sys/vm/drop_caches; ip link add kmodlab-rcu type dummy && ip link del kmodlab-rcu"
_WITH_DUMMY = "modprobe dummy numdummies=0 && " + _BARRIER


def watch(
    vm: Machine,
    *modules: ModuleArtifact | str | os.PathLike[str],
    buffer_kb: int = _BUFFER_KB,
    tidy: bool = True,
) -> Watch:
    """Return a context manager that keeps a ledger of what these modules allocate.

    Load, use and unload them inside the block; behind it, ``.ledger`` is the result. ::

        with watch(vm, built) as watched:
            vm.insmod(built)
            vm.rmmod(built.name)
        assert not watched.ledger.leaks

    Args:
        vm: a running machine.
        modules: what `kmodlab.build` returned (with the other modules of the same source), or paths of ``.ko`` files.
        buffer_kb: of the trace, for each processor, in the guest's memory. A flood that fills it before `Watch.drain`
            makes the ledger inexact, and it says so.
        tidy: take the probes away at the end; not needed for a machine that is thrown away then.
    """
    artifacts = [one for module in modules if isinstance(module, ModuleArtifact) for one in (module, *module.others)]
    codes = [code for module in modules for code in _codes(module)]
    return Watch(vm, codes, buffer_kb, lines_of(artifacts), tidy=tidy)


class Watch:
    """A trace that is running; made by `watch`."""

    def __init__(
        self,
        vm: Machine,
        codes: list[ModuleCode],
        buffer_kb: int = _BUFFER_KB,
        locate: Callable[[Sequence[CallSite]], Sequence[CallSite]] | None = None,
        *,
        tidy: bool = True,
    ) -> None:
        """Take the code of the modules to watch, and who knows the lines of its source."""
        self._vm, self._codes, self._buffer_kb, self._locate, self._tidy = vm, codes, buffer_kb, locate, tidy
        self._builder: LedgerBuilder | None = None
        self._format: TraceFormat | None = None
        self._probes: dict[str, str] = {}
        self._held: list[TraceEvent] = []
        self._overrun = 0
        self._ledger: Ledger | None = None

    def __enter__(self) -> Self:
        """Begin to trace."""
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Make the ledger, and end the trace; a machine that is lost gives the ledger of what was drained before."""
        if kind is None:
            self.finish()
            return
        with contextlib.suppress(MachineError, TransferError):
            self.finish(settle=False)

    @property
    def ledger(self) -> Ledger:
        """The ledger: the final one behind the block, inside it that of what was drained until now."""
        if self._ledger is not None:
            return self._ledger
        return self._running().ledger()

    def start(self) -> Self:
        """Begin to trace.

        Raises:
            MachineError: this kernel cannot trace what is needed.
        """
        vm = self._vm
        symbols = _symbols(vm)
        with vm._talking() as session:
            paths = {name: f"/sys/kernel/slab/{slab}/object_size" for name, (slab, _) in _SLABS.items()}
            found = session.snapshot(["/proc/modules", *paths.values()])
        sizes = {name: int(found.get(path, b"") or _SLABS[name][1]) for name, path in paths.items()}
        self._probes, stacks, missing = probes.choose_probes(symbols.names(), sizes)
        owners = Owners(symbols, self._codes)
        for row in parse_modules(found["/proc/modules"].decode(errors="replace")):
            if row.name in owners.names and row.address:
                owners.place(row.name, row.address, row.size)
        self._builder = LedgerBuilder(owners)
        with step("Setting probes on the kernel's allocators"):
            done = vm.run(probes.setup_script(self._probes, stacks, self._buffer_kb))
        if done.exit_status:
            said = (done.stderr.strip().splitlines() or ["it gives no reason"])[-1]
            raise MachineError(f"trace allocations: {said}; this kernel has no tracing instance to offer")
        for doubt in (*missing, *re.findall(r"^missing (\w+)$", done.stdout, re.M)):
            self._builder.doubt(doubt if " " in doubt else f"the kernel refused the probe {doubt}")
        self._format = self._read_format()
        return self

    def _read_format(self) -> TraceFormat:
        top = f"{probes.TRACING}/events"
        with self._vm._talking() as session:
            heads = [f"{top}/header_page", f"{top}/header_event"]
            folders = [f"{top}/{name}/format" for name in probes.event_folders(self._probes)]
            files = session.snapshot([*heads, *folders])
        texts = {path: content.decode(errors="replace") for path, content in files.items()}
        formats = [texts[path] for path in folders if texts.get(path)]
        return TraceFormat(texts.get(heads[0], ""), texts.get(heads[1], ""), formats)

    def drain(self) -> None:
        """Take over what was traced until now, so that the buffer has room again."""
        builder = self._running()
        assert self._format is not None
        now, overrun, cpus = self._statistics()
        pages = []
        with self._vm._talking() as session:
            for cpu in cpus:
                path = f"{probes.INSTANCE}/per_cpu/cpu{cpu}/trace_pipe_raw"
                done = session.task(["@read", path], timeout=60, limit=_READ_LIMIT, cwd="/")
                if done.errno not in (0, EAGAIN) or done.cut:
                    builder.doubt(f"the trace of processor {cpu} could not be read")
                pages.append(self._format.read(cpu, done.stdout))
        for one in pages:
            builder.note(one)
        if overrun > self._overrun and not builder.doubts.lost:
            builder.doubts.lost = overrun - self._overrun
        self._overrun = overrun
        # A processor that was read first may lack what another one already tells: only what is older than the
        # reading's begin is complete.
        events = sorted([*self._held, *merge(pages)], key=lambda event: event.seconds)
        self._held = [event for event in events if event.seconds > now]
        builder.feed(event for event in events if event.seconds <= now)

    def _statistics(self) -> tuple[float, int, list[int]]:
        """The trace's clock now, how many events were lost in all, and the processors."""
        with self._vm._talking() as session:
            found = session.snapshot([f"{probes.INSTANCE}/per_cpu/cpu*/stats"])
        now, lost, cpus = 0.0, 0, []
        for path, content in sorted(found.items()):
            text = content.decode(errors="replace")
            number = re.search(r"/cpu(\d+)/stats$", path)
            clock = re.search(r"^now ts:\s*([\d.]+)", text, re.M)
            if not number:
                continue
            cpus.append(int(number[1]))
            now = min(now, float(clock[1])) if clock and now else float(clock[1]) if clock else now
            lost += sum(int(count) for count in re.findall(r"^(?:overrun|dropped events): (\d+)", text, re.M))
        return now, lost, sorted(cpus)

    def settle(self) -> None:
        """Drain, and while something lives, let RCU do what was left to it, until that changes nothing any more.

        What is freed may hand more to RCU, so the last of at most four rounds is the second that changes nothing.
        """
        builder = self._running()
        self.drain()
        unchanged = rounds = 0
        while builder.holds and unchanged < 2 and rounds < _ROUNDS:
            held = builder.holds
            done = self._vm.run(_BARRIER if rounds else _WITH_DUMMY)
            if done.exit_status:
                builder.doubt("what RCU had still to free could not be awaited: no dummy network device")
            self.drain()
            rounds += 1
            unchanged = unchanged + 1 if builder.holds == held else 0
        if rounds:
            self._vm.run("rmmod dummy")

    def finish(self, *, settle: bool = True) -> Ledger:
        """End the trace and return its ledger; with `settle`, after what was left to RCU has been done."""
        if self._ledger is not None:
            return self._ledger
        builder = self._running()
        try:
            if self._vm.state is State.RUNNING:
                with step("Reading what was allocated"):
                    self.settle() if settle else self.drain()
                builder.complete(self._held)
                self._note_misses()
                if self._tidy:
                    self._vm.run(probes.tear_down_script(self._probes))
            else:
                builder.doubt("the machine was lost before its trace was read")
        except MachineLost:
            builder.doubt("the machine was lost before its trace was read")
            raise
        finally:
            self._ledger = builder.ledger()
        if self._locate is not None:
            self._ledger = self._ledger.located(self._locate)
        return self._ledger

    def _note_misses(self) -> None:
        path = f"{probes.TRACING}/kprobe_profile"
        with self._vm._talking() as session:
            text = session.snapshot([path]).get(path, b"").decode(errors="replace")
        for line in text.splitlines():
            parts = line.split()
            if len(parts) == 3 and parts[0] in self._probes and parts[2] != "0":
                self._running().doubt(f"the probe {parts[0]} missed {parts[2]} calls")

    def _running(self) -> LedgerBuilder:
        if self._builder is None:
            raise UsageError("ledger: not started; use it as a context manager")
        return self._builder


def lines_of(artifacts: Sequence[ModuleArtifact]) -> Callable[[Sequence[CallSite]], list[CallSite]]:
    """Return what finds the lines of these modules' own source; it leaves places as they are where it cannot."""
    by_name = {artifact.name.replace("-", "_"): artifact for artifact in artifacts}

    def locate(sites: Sequence[CallSite]) -> list[CallSite]:
        found: dict[CallSite, CallSite] = {}
        for name, artifact in by_name.items():
            mine = [site for site in sites if site.module == name and site.function]
            found.update(_lines(artifact, mine))
        return [found.get(site, site) for site in sites]

    return locate


def _lines(artifact: ModuleArtifact, sites: Sequence[CallSite]) -> Iterator[tuple[CallSite, CallSite]]:
    if not sites:
        return
    from kmodlab.build import lines
    from kmodlab.records.report import Frame

    code = _code(artifact.name, artifact.path)
    frames = [Frame(site.function, site.offset, code.room(site), site.module) for site in sites]
    chains: list[tuple[lines.Spot, ...]] = []
    with contextlib.suppress(SandboxError, RecordParseError):
        chains = lines.locate(artifact.path.read_bytes(), frames)
    own = {Path(path).name: path for path in artifact.source.files}
    for site, chain in zip(sites, chains, strict=False):
        # What is inlined from the kernel's headers is not what the module's author wrote.
        spot = next((spot for spot in chain if Path(spot.file).name in own), None)
        if spot is not None:
            file, line = artifact.source.place(own[Path(spot.file).name], spot.line)
            yield site, replace(site, file=file, line=line or spot.line)


def _codes(module: ModuleArtifact | str | os.PathLike[str]) -> list[ModuleCode]:
    if isinstance(module, ModuleArtifact):
        return [_code(one.name, one.path) for one in (module, *module.others)]
    path = Path(module)
    return [_code(read_module(path.read_bytes()).name, path)]


def _code(name: str, path: Path) -> ModuleCode:
    return ModuleCode.read(name, path.read_bytes())


def _symbols(vm: Machine) -> KernelSymbols:
    """The kernel's functions. All clones of one frozen machine have the same, so they are read from one of them."""
    assert vm._template is not None
    own = settings().cache / "symbols" / f"{vm._template.folder.name}.txt"
    path = shared(own) or own
    if not path.exists():
        with vm._talking() as session:
            text = session.task(["@read", "/proc/kallsyms"], timeout=60, limit=_READ_LIMIT, cwd="/").stdout
        code = re.findall(rb"^[0-9a-f]+ [tTwW] \S+$", text, re.M)
        _keep(path, b"\n".join(code) + b"\n")
    return _parsed(path)


@lru_cache(maxsize=4)
def _parsed(path: Path) -> KernelSymbols:
    return KernelSymbols.parse(path.read_text(errors="replace"))


def _keep(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        file.write(content)
        Path(file.name).chmod(0o644)
    Path(file.name).replace(path)
