# SPDX-License-Identifier: MIT
"""From evidence to a verdict: the precedence, the JSON, the looks."""

from __future__ import annotations

import dataclasses
import html.parser
import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmodlab.build.diagnostics import Diagnostic
from kmodlab.errors import CompileError, ModuleLoadError
from kmodlab.machine.hang import backtraces
from kmodlab.machine.stall import Stall
from kmodlab.records.kmsg import parse_console
from kmodlab.records.report import Frame, Report, Where
from kmodlab.records.taint import Taint
from kmodlab.verdict import ORDER, Evidence, ExecResult, Finding, Leak, Step, Verdict, judge, stands_for

WHERE = Where("demo.c", 7, "demo_write", "*p = 1;", ((6, "{"), (7, "\t*p = 1;"), (8, "}")))
OOPS = Report("null-dereference", "NULL pointer dereference in demo_write", "demo_write", "demo", WHERE, oops=True)
WARNING = Report("warning", "WARNING in demo_read", "demo_read", "demo")
LOCKUP = Report("soft-lockup", "BUG: soft lockup in demo_read", "demo_read", "demo")
TRACE = (Frame("queued_spin_lock_slowpath", 16, exact=True), Frame("demo_take", 32, module="demo"))
STALL = Stall("spinning", TRACE, "cat/12", own=("demo",))
LEAK = Leak("kmalloc", "64 B of kmalloc at demo.c:9 (demo_open)", 64, "demo_open", Where("demo.c", 9, "demo_open"))
ERROR = Diagnostic("demo.c", 3, 5, "error", "expected ';'", source="int x", hint="write a semicolon")

PIECES: dict[str, dict[str, Any]] = {
    "machine-lost": {"lost": "the machine was lost: QEMU was killed from outside"},
    "build-error": {"build_error": CompileError("build demo: no", diagnostics=[ERROR])},
    "load-error": {
        "load_error": ModuleLoadError("insmod demo.ko: No such device (ENODEV); see its log", module="demo", errno=19)
    },
    "hung": {"stall": STALL, "stalled": Step("exec", "cat /dev/demo")},
    "oopsed": {"reports": (OOPS,)},
    "leaked": {"leaks": (LEAK,)},
    "warned": {"taint": Taint(1 << 4)},
    "clean": {},
}


def evidence(*names: str) -> Evidence:
    fields: dict[str, Any] = {}
    for name in names:
        fields |= PIECES[name]
    return Evidence(("demo",), "6.1.0-1-amd64", **fields)


@pytest.mark.parametrize("name", ORDER)
def test_each_verdict_alone(name: str) -> None:
    verdict = judge("demo", evidence(name))
    assert verdict.verdict == name
    assert verdict.title
    assert verdict.exit_status == {"clean": 0, "machine-lost": 3}.get(name, 1)
    assert verdict.ok == (name == "clean")


@pytest.mark.parametrize(("worse", "better"), [*itertools.combinations(ORDER[:-1], 2)])
def test_the_worse_of_two_holds_and_the_other_is_a_finding(worse: str, better: str) -> None:
    verdict = judge("demo", evidence(better, worse))
    if (worse, better) in {("load-error", "hung"), ("load-error", "oopsed")}:
        # "load-error" means that insmod was refused and nothing worse happened.
        assert verdict.verdict == better
        assert "note" in {finding.kind for finding in verdict.findings}
        return
    assert verdict.verdict == worse
    assert better in {finding.kind for finding in verdict.findings}


@given(st.sets(st.sampled_from(ORDER)))
def test_there_is_always_exactly_one(names: set[str]) -> None:
    verdict = judge("demo", evidence(*sorted(names)))
    assert verdict.verdict in ORDER
    json.dumps(verdict.to_dict())
    assert str(verdict)
    assert verdict._repr_html_()


def test_what_reports_stand_for() -> None:
    assert stands_for(OOPS) == "oopsed"
    assert stands_for(WARNING) == "warned"
    assert stands_for(LOCKUP) == "hung"
    assert stands_for(Report("memory-leak", "memory leak in demo_open")) == "leaked"
    assert stands_for(Report("warning", "WARNING in demo_read", deadly=True)) == "oopsed"


def test_a_failing_line_leaves_the_verdict_and_makes_the_status_1() -> None:
    lines = (ExecResult("true", 0, ""), ExecResult("false", 1, "no\n"))
    verdict = judge("demo", dataclasses.replace(evidence(), execs=lines))
    assert (verdict.verdict, verdict.exit_status) == ("clean", 1)
    assert [finding.title for finding in verdict.findings] == ["`false` ended with exit status 1"]


def test_a_remark_fails_nothing() -> None:
    note = Finding("note", "demo has no module_exit, so it stays", failing=False)
    assert judge("demo", dataclasses.replace(evidence(), notes=(note,))).exit_status == 0


def test_the_taint_of_a_report_is_not_told_twice() -> None:
    taint = Taint(1 << 7 | 1 << 9)
    told = judge("demo", dataclasses.replace(evidence("oopsed"), taint=taint))
    assert told.findings == ()
    untold = judge("demo", dataclasses.replace(evidence(), taint=taint, taint_source="host"))
    assert untold.verdict == "warned"
    assert untold.evidence == "host"


def test_the_end_of_the_machine_without_a_word() -> None:
    assert judge("demo", dataclasses.replace(evidence(), ended="reset")).title == "the machine was reset"
    assert judge("demo", dataclasses.replace(evidence(), ended="panic")).verdict == "oopsed"


def test_json_has_the_documented_form() -> None:
    whole = judge("demo", evidence("oopsed", "leaked")).to_dict()
    documented = {
        *("verdict", "module", "modules", "kernel", "title", "where", "explanation", "findings", "reports", "log"),
        *("exec", "leaks", "seconds"),
    }
    assert documented <= set(whole)
    assert whole["where"] == {"file": "demo.c", "line": 7, "function": "demo_write", "source": "*p = 1;"}
    assert whole["leaks"][0]["size"] == 64
    assert whole["reports"][0]["title"] == OOPS.title
    assert judge("demo", evidence("warned")).to_dict()["where"] is None


def test_a_hang_says_how_where_and_when() -> None:
    verdict = judge("demo", evidence("hung"))
    assert verdict.title == "deadlock on a spinlock in demo_take, while `cat /dev/demo` ran"
    sleeping = Stall("sleeping", (Frame("demo_wait", 4, module="demo"),), "rmmod/9", own=("demo",))
    later = dataclasses.replace(evidence("hung"), stall=sleeping, stalled=Step("unload", "demo"))
    assert judge("demo", later).title == "sleeping for ever in demo_wait, while demo was unloaded"
    silent = dataclasses.replace(evidence("hung"), stall=Stall("silent", answered=False))
    assert judge("demo", silent).title == "the machine no longer answers, while `cat /dev/demo` ran"
    assert judge("demo", silent).evidence == "host"


class Tags(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.seen.add(tag)
        if tag not in {"br", "hr", "img"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@given(st.text(), st.text())
def test_what_a_module_prints_stays_text_on_the_page(output: str, line: str) -> None:
    nasty = "<script>alert(1)</script>"
    execs = (ExecResult(line + nasty, 1, output + nasty),)
    log = tuple(parse_console(f"<6>[    1.000000] {nasty}\n"))
    leak = dataclasses.replace(LEAK, what=nasty)
    verdict = judge("demo", dataclasses.replace(evidence(), execs=execs, log=log, leaks=(leak,)))
    tags = Tags()
    tags.feed(verdict._repr_html_())
    tags.close()
    assert not tags.open
    assert "script" not in tags.seen


def test_the_text_shows_the_line_and_what_to_try() -> None:
    text = str(judge("demo", evidence("oopsed")))
    assert text.startswith("demo: OOPSED: NULL pointer dereference in demo_write\n")
    assert ">     7 |         *p = 1;" in text
    assert OOPS.explanation.split(";")[0] in text.replace("\n", " ")


def test_a_verdict_cannot_be_changed() -> None:
    verdict = judge("demo", evidence())
    assert isinstance(verdict, Verdict)
    with pytest.raises(dataclasses.FrozenInstanceError):
        verdict.verdict = "hung"  # type: ignore[misc]


# What Linux 6.1.192 printed for `echo l > /proc/sysrq-trigger` while a module spun on the other processor, shortened.
SYSRQ = """\
<6>[   11.499649] sysrq: Show backtrace of all active CPUs
<4>[   11.506428] NMI backtrace for cpu 1
<4>[   11.506694] CPU: 1 PID: 154 Comm: bash Tainted: G           OE      6.1.0-56-amd64 #1  Debian 6.1.192-2
<4>[   11.507194] Call Trace:
<4>[   11.508550]  write_sysrq_trigger+0x24/0x40
<6>[   11.520061] Sending NMI from CPU 1 to CPUs 0:
<4>[   11.515850] NMI backtrace for cpu 0
<4>[   11.515850] CPU: 0 PID: 137 Comm: insmod Tainted: G           OE      6.1.0-56-amd64 #1  Debian 6.1.192-2
<4>[   11.515850] RIP: 0010:irqs_off+0x17/0x30 [hangs]
<4>[   11.515850] RSP: 0018:ffffc90000593d68 EFLAGS: 00000046
<4>[   11.515850] Call Trace:
<4>[   11.515850]  <TASK>
<4>[   11.515850]  hang+0x106/0x130 [hangs]
<4>[   11.515850]  ? 0xffffffffc0219000
<4>[   11.515850]  h_init+0x21/0x1000 [hangs]
<4>[   11.515850]  do_one_initcall+0x56/0x220
<4>[   11.515850] RIP: 0033:0x4064c4
<4>[   11.515850] RSP: 002b:00007ffd9889f380 EFLAGS: 00000246 ORIG_RAX: 0000000000000139
<4>[   11.515850]  not_a_frame+0x1/0x2 [hangs]
"""


def test_backtraces_of_processors() -> None:
    (stall,) = backtraces(parse_console(SYSRQ), ("hangs",))
    assert stall.task == "insmod/137"
    assert stall.interrupts_off
    assert not stall.lock
    assert [frame.function for frame in stall.trace] == ["irqs_off", "hang", "h_init", "do_one_initcall"]
    assert stall.trace[0].exact
    assert stall.culprit == stall.trace[0]
    assert not backtraces([], ("hangs",))


INTERRUPTED = """\
<4>[   25.979468] NMI backtrace for cpu 0
<4>[   25.979468] CPU: 0 PID: 149 Comm: kmodlab-agent Tainted: G           OE      6.1.0-56-amd64 #1  Debian 6.1.192-2
<4>[   25.979468] RIP: 0010:poll_device+0x9/0x18 [loop_timer]
<4>[   25.979468] RSP: 0018:ffffc90000003ea8 EFLAGS: 00000246
<4>[   25.979468] Call Trace:
<4>[   25.979468]  <IRQ>
<4>[   25.979468]  call_timer_fn+0x24/0x130
<4>[   25.979468]  ? 0xffffffffc02a3000
<4>[   25.979468]  sysvec_apic_timer_interrupt+0x6e/0x90
<4>[   25.979468]  </IRQ>
<4>[   25.979468]  <TASK>
<4>[   25.979468]  asm_sysvec_apic_timer_interrupt+0x16/0x20
<4>[   25.979468] RIP: 0010:do_dentry_open+0x266/0x410
<4>[   25.979468] RSP: 0018:ffffc900004eb7d8 EFLAGS: 00000086
<4>[   25.979468]  ? ovl_llseek+0x140/0x140 [overlay]
<4>[   25.979468]  path_openat+0xb7d/0x1260
<4>[   25.979468] RIP: 0033:0x40d88b
<4>[   25.979468]  </TASK>
"""
"""Of the module loop_timer in tests/faults, Debian's 6.1.0-56-amd64: a timer's callback that came upon execve(2)."""


def test_a_backtrace_begins_where_the_processor_is_and_not_what_was_interrupted() -> None:
    (stall,) = backtraces(parse_console(INTERRUPTED), ("loop_timer",))
    assert stall.culprit == stall.trace[0]
    assert stall.trace[0].function == "poll_device"
    assert [frame.function for frame in stall.trace[-2:]] == ["do_dentry_open", "path_openat"]
    assert not stall.interrupts_off


UPON = INTERRUPTED.replace("poll_device+0x9/0x18 [loop_timer]", "_raw_spin_lock+0x17/0x30").replace("0246", "0046")
UPON = UPON.replace("do_dentry_open+0x266/0x410", "spin+0x5/0x10 [hangs]").replace("00000086", "00000286")


def test_what_an_interrupt_came_upon_is_neither_its_lock_nor_deaf_to_interrupts() -> None:
    (stall,) = backtraces(parse_console(UPON), ("hangs",))
    assert stall.culprit == stall.trace[0]
    assert stall.trace[0].function == "spin"
    assert not stall.lock
    assert not stall.interrupts_off


@given(st.text())
def test_damaged_backtraces_raise_nothing(text: str) -> None:
    backtraces(parse_console(SYSRQ.replace("\n", f"{text}\n", 7) + text), ("hangs",))
