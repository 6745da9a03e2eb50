# SPDX-License-Identifier: MIT
"""One machine's way through a trial: load, use, unload, and gather the evidence."""

from __future__ import annotations

import contextlib
import errno
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from kmodlab.build.artifact import ModuleArtifact
from kmodlab.build.kernel import KernelBuild
from kmodlab.errors import KmodlabError, MachineLost, ModuleLoadError, UsageError
from kmodlab.guest.channel import TaskResult
from kmodlab.guest.session import LoadResult
from kmodlab.machine import refusals
from kmodlab.machine.clone import HOME
from kmodlab.machine.hang import SEARCH
from kmodlab.machine.leftovers import look_around
from kmodlab.machine.machine import Machine
from kmodlab.machine.stall import HANG_LIMIT
from kmodlab.machine.trust import settled
from kmodlab.records.report import parse_reports
from kmodlab.verdict.gathering import Gathering
from kmodlab.verdict.places import needed
from kmodlab.verdict.record import Evidence, ExecResult, Finding, Leak, Step

__all__ = ["Script", "Wishes"]

_LATER = 5  # fifths of a second in which what a module left running may still show itself after it has gone
_OUTPUT = 1 << 20
# What a module uses that leaves something running: only then is there something to wait for.
_DEFERRED = (
    *("mod_timer", "add_timer", "add_timer_on", "hrtimer_start_range_ns", "call_rcu", "call_srcu"),
    *("queue_work_on", "queue_delayed_work_on", "mod_delayed_work_on", "__tasklet_schedule", "kthread_create_on_node"),
    *("request_threaded_irq", "register_reboot_notifier", "add_timer_local", "add_timer_global"),
)


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is to be done with a module.

    Attributes:
        lines: for the guest's bash, while the module is loaded.
        timeout: seconds that a step may take.
        memory, cpus: of the machine; None means the setting.
        ledger: keep account of what is allocated.
        rounds: how often to load, use and unload.
    """

    lines: tuple[str, ...] = ()
    timeout: float = HANG_LIMIT
    memory: int | None = None
    cpus: int | None = None
    ledger: bool = True
    rounds: int = 1


# Programs (they have a command line) whose parent is gone: init has taken them in. The agent is init's own child.
_LEFT_BEHIND = """
for status in /proc/[0-9]*/stat; do
    read -r pid name state parent rest <"$status" || continue
    [ "$parent" = 1 ] && [ "$name" != "(agent)" ] && [ "$pid" != "$PPID" ] && [ "$state" != Z ] && echo "$pid"
done
true
"""


class _Stop(Exception):
    """The trial cannot go on; why is known already."""


class Script(Gathering):
    """A trial in one machine. `run` does it once.

    Attributes:
        certain: it hangs, whatever time the host gave it.
    """

    def __init__(
        self,
        modules: Sequence[ModuleArtifact],
        parameters: Mapping[str, str],
        kernel: KernelBuild,
        wishes: Wishes,
        note: Callable[[str], object],
    ) -> None:
        super().__init__(modules, kernel)
        self._parameters, self._wishes, self._say = parameters, wishes, note
        self._loaded: list[ModuleArtifact] = []
        self._mounts = ""
        self.certain = False

    def run(self) -> Evidence:
        """Go through all of it and return the evidence; raises nothing but what the caller did wrong."""
        vm = Machine(self._kernel, memory=self._wishes.memory, cpus=self._wishes.cpus)
        try:
            with self._timed("machine"):
                vm.start()
        except UsageError:
            raise
        except KmodlabError as error:
            self._lost, self.lost_by = str(error), "start"
            return self._evidence((), ())
        try:
            with contextlib.suppress(_Stop):
                self._through(vm)
        finally:
            records = tuple(vm.dmesg())
            if not self._stall and not self._ended and vm._emulator and vm._emulator.lost == "panic":
                self._ended = "panic"
            vm.kill()
        judged = records[: self._log_end]
        return self._evidence(records if self._stall else judged, judged)

    # -- The way through ---------------------------------------------------------------------------------------------

    def _through(self, vm: Machine) -> None:
        try:
            for name in needed(self._modules):
                vm.modprobe(name)
            if self._wishes.lines:
                self._mounts = vm.run(["cat", "/proc/self/mounts"]).stdout
            before = look_around(vm) if self._wishes.ledger else None
            with self._account(vm) if self._wishes.ledger else contextlib.nullcontext():
                self._work(vm)
            self._wait_for_what_is_left(vm)
            self._compare_witnesses(vm)
            if before and not self._loaded:
                self._look_for_leftovers(vm, before)
        except MachineLost as lost:
            self._machine_is_gone(vm, lost)
        except UsageError:
            raise
        except KmodlabError as error:
            self._notes.append(Finding("note", str(error)))
        finally:
            self._look_from_outside(vm)

    def _work(self, vm: Machine) -> None:
        """What is done to the module, again and again."""
        for number in range(self._wishes.rounds):
            if number == 0 or not self._loaded:
                self._round(vm)

    def _round(self, vm: Machine) -> None:
        try:
            with self._timed("load"):
                for module in self._modules:
                    self._load(vm, module)
            with self._timed("exec"):
                for line in self._wishes.lines:
                    self._exec(vm, line)
        except ModuleLoadError as refused:
            self._load_error = refused
        with self._timed("unload"):
            for module in reversed(self._loaded[:]):
                self._unload(vm, module)

    def _load(self, vm: Machine, module: ModuleArtifact) -> None:
        self._say(f"Loading {module.name}")
        line = self._parameters.get(module.name, "")
        mark = vm.log_mark()
        argv = ["@insmod", f"{HOME}/{module.name}.ko", "644", line, "0"]
        done = self._step(vm, Step("load", module.name), argv, stdin=module.path.read_bytes())
        self._stop_at_damage(vm, mark)
        if done is not None and done.exit_status != 0:
            answer = LoadResult.of(done)
            log = vm.dmesg(since=mark)
            raise refusals.load_refused(module.name, answer, log, file=module.file, release=self._kernel.release)
        self._loaded.append(module)
        vm._expected.load(module.file)

    def _exec(self, vm: Machine, line: str) -> None:
        self._say(f"Running {line}")
        mark = vm.log_mark()
        start = time.monotonic()
        done = self._step(vm, Step("exec", line), ["bash", "-c", line])
        if done is None:
            limit = f"{self._wishes.timeout:g} s"
            self._execs.append(ExecResult(line, None, "", time.monotonic() - start))
            words = "It runs in its own code, not in the module; give it more time, or let it end by itself."
            self._notes.append(Finding("exec-failed", f"`{line}` did not end within {limit}", words, evidence="host"))
        else:
            output = (done.stdout + done.stderr).decode(errors="replace")
            self._execs.append(ExecResult(line, done.exit_status, output, done.seconds))
        self._stop_at_damage(vm, mark)

    def _unload(self, vm: Machine, module: ModuleArtifact) -> None:
        self._say(f"Unloading {module.name}")
        mark = vm.log_mark()
        done = self._delete(vm, module)
        if done.errno == errno.EWOULDBLOCK and self._wishes.lines and self._end_what_lines_left(vm):
            done = self._delete(vm, module)
        self._stop_at_damage(vm, mark)
        if done.exit_status == 0:
            self._loaded.remove(module)
            return
        rows = vm.lsmod()
        row = next((row for row in rows if row.name == module.name), None)
        title, _, advice = str(refusals.unload_refused(module.name, LoadResult.of(done), rows)).partition("; ")
        if row is not None and row.permanent:
            self._notes.append(Finding("note", f"{module.name} has no module_exit, so it stays", failing=False))
        elif row is not None and row.refcount and not row.holders and not self._mounted(vm):
            what = f"a reference to {module.name} itself (refcount {row.refcount}), so it can never be unloaded"
            self._leaks.append(Leak("reference", what))
        else:
            self._notes.append(Finding("in-use", title, advice))

    def _delete(self, vm: Machine, module: ModuleArtifact) -> TaskResult:
        done = self._step(vm, Step("unload", module.name), ["@delete", module.name, "2048"])
        assert done is not None  # only lines may come back without a result
        if done.exit_status == 0:
            vm._expected.unload(module.name)
        return done

    def _end_what_lines_left(self, vm: Machine) -> bool:
        """Kill what the lines left running in the background, which may have the module open; tell if there was any."""
        left = vm.run(_LEFT_BEHIND).stdout.split()
        if left:
            vm.run(["kill", "-9", *left])
            names = "processes" if len(left) > 1 else "a process"
            words = f"the lines left {names} in the background; they were killed before the unloading"
            self._notes.append(Finding("note", words, failing=False))
        return bool(left)

    def _mounted(self, vm: Machine) -> bool:
        """Whether something is mounted that was not when the machine started, so that a file system is in use."""
        return bool(self._mounts) and vm.run(["cat", "/proc/self/mounts"]).stdout != self._mounts

    def _step(self, vm: Machine, step: Step, argv: Sequence[str], stdin: bytes = b"") -> TaskResult | None:
        """Do one thing in the guest under a time limit; return None for a line that did not end by its own fault."""
        end = len(vm.dmesg())
        limit = self._wishes.timeout * (1 - SEARCH)
        watched = vm._watch(argv, limit=limit, own=self._names, stdin=stdin, output_limit=_OUTPUT)
        self.starved = self.starved or watched.pulse.starved
        if watched.result is not None:
            return watched.result
        stall = watched.stall
        assert stall is not None
        if step.kind == "exec" and not stall.culprit and not stall.unkillable and stall.answered:
            return None
        self._stall, self._log_end = (stall, step), max(end, stall.log_end - vm._log_start)
        # A processor that was busy for so long by the host's own account is no processor that got no time.
        busiest = max(watched.pulse.busy.values(), default=0.0)
        self.certain = stall.manner == "spinning" and stall.culprit is not None and busiest > limit / 2
        raise _Stop

    def _stop_at_damage(self, vm: Machine, mark: int) -> None:
        """End the trial at a fault that damages the kernel: whatever comes after says nothing."""
        if vm.state.value == "lost":
            raise MachineLost("use machine: it is gone", reason="ended")
        told = parse_reports(vm.dmesg(since=mark), modules=self._names)
        if any(report.oops for report in told) and not self._made_up(vm):
            raise _Stop

    def _made_up(self, vm: Machine) -> bool:
        """Whether a fault that the log tells of left no mark in memory: then it only tells, and the trial goes on."""
        with contextlib.suppress(KmodlabError, TimeoutError):
            return "die" not in settled(vm).taint
        return False

    def _wait_for_what_is_left(self, vm: Machine) -> None:
        """Give what a module, or a line in the background, left running the time to show what comes of it."""
        if self._loaded:
            return
        deferred = any(symbol in _DEFERRED for one in self._modules for symbol in one.file.imports)
        mark = vm.log_mark()
        # So many times, and not so many seconds: a slow host lengthens each.
        for _ in range(_LATER):
            if not deferred and not (self._wishes.lines and vm.run(_LEFT_BEHIND).stdout.split()):
                return
            if vm.state.value != "running":
                return
            with contextlib.suppress(MachineLost):
                self._step(vm, Step("after", self._names[-1]), ["sleep", "0.2"])
            self._stop_at_damage(vm, mark)
