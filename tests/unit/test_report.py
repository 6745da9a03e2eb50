# SPDX-License-Identifier: MIT
"""Reports of faults, read from captured logs and from logs composed after the kernel's source."""

from __future__ import annotations

import json
import lzma
import os
import re
from pathlib import Path

import pytest

from kmodlab.records import KmsgRecord, parse_console
from kmodlab.records.explanations import EXPLANATIONS, explanation
from kmodlab.records.report import Report, parse_reports

DATA = Path(__file__).resolve().parents[1] / "data" / "reports"
CORPUS = sorted([*DATA.glob("captured/*.log"), *DATA.glob("composed/*.log")])
HEALTHY = sorted(DATA.glob("healthy/*.log"))


def read(path: Path) -> tuple[list[str], str]:
    """Return the header's lines and the log."""
    head, _, log = path.read_bytes().decode().partition("\n\n")
    return head.split("\n"), log


def told(report: Report) -> str:
    first, last = report.lines
    facts = (report.kind, report.title, report.function, report.module, report.access, report.taint)
    return " | ".join([*facts, f"{first}-{last}", "oops" if report.oops else "goes on"])


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_the_corpus(path: Path) -> None:
    head, log = read(path)
    found = [f"# report: {told(report)}" for report in parse_reports(log)]
    if os.environ.get("KMODLAB_UPDATE"):
        kept = [line for line in head if not line.startswith("# report:")]
        path.write_text("\n".join([*kept, *found]) + "\n\n" + log)
        return
    assert found, "nothing found"
    assert found == [line for line in head if line.startswith("# report:")]


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_each_report_has_a_trace_an_explanation_and_its_lines(path: Path) -> None:
    head, log = read(path)
    assert head[0].startswith("# origin: ")
    lines = log.split("\n")
    for report in parse_reports(log):
        assert report.complete
        assert report.trace
        assert report.explanation == explanation(report.kind)
        assert report.explanation.endswith(".")
        first, last = report.lines
        assert 1 <= first <= last <= len(lines)
        assert report.records[0].text in lines[first - 1]
        assert report.records[-1].text in lines[last - 1]


def test_every_kind_in_the_corpus_has_a_sentence_of_its_own() -> None:
    kinds = {report.kind for path in CORPUS for report in parse_reports(read(path)[1])}
    assert len(kinds) >= 40
    general = explanation("no such kind")
    assert [kind for kind in sorted(kinds) if explanation(kind) == general] == []
    assert all(text.endswith(".") and len(text) < 320 for text in EXPLANATIONS.values())


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_the_prefix_makes_no_difference(path: Path) -> None:
    """What stands in front of the lines differs from place to place, the reports do not."""
    _, log = read(path)
    plain = [_bare(line) for line in log.rstrip("\n").split("\n")]
    if any("][" in line[:40] for line in log.split("\n")):
        pytest.skip("the callers in the prefix keep two reports apart")
    wanted = [told(report) for report in parse_reports(log)]
    for form in (
        "{}",
        "[   12.345678] {}",
        "<4>[   12.345678] {}",
        "[   12.345678][  T311] {}",
        "Nov 24 12:00:00 host kernel: {}",
        "Nov 24 12:00:00 host kernel: [   12.345678] {}",
        "2025-11-24T12:00:00.123456+01:00 host kernel: [   12.345678] {}",
        "2025-11-24T12:00:00.1234567Z [   12.345678] {}",
        "[Mon Nov 24 12:00:00 2025] {}",
        "kern  :warn  : [   12.345678] {}",
        "> [   12.345678] {}",
        "[   12.345678] {}\r",
    ):
        log = "\n".join(form.format(line) for line in plain)
        assert [told(report) for report in parse_reports(log)] == wanted, form


def _bare(line: str) -> str:
    line = re.sub(r"^\w{3} \d\d [\d:]{8} \w+ kernel: ", "", line)
    line = re.sub(r"^\[\w{3} \w{3} \d\d [\d:]{8} \d{4}\] ?", "", line)
    return re.sub(r"^(?:<\d>)?(?:\[ *\d+\.\d{6}\] ?)?", "", line)


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_records_read_like_text(path: Path) -> None:
    _, log = read(path)
    if log.startswith(("[Mon ", "Nov ")):
        pytest.skip("a console has no dates")
    assert [told(one) for one in parse_reports(parse_console(log))] == [told(one) for one in parse_reports(log)]


@pytest.mark.parametrize("path", HEALTHY, ids=lambda path: path.stem)
def test_nothing_in_a_healthy_log(path: Path) -> None:
    _, log = read(path)
    assert parse_reports(log) == ()
    assert parse_reports(parse_console(log)) == ()


def test_one_log_with_all_reports_in_it() -> None:
    parts = [read(path)[1] for path in CORPUS if path.parent.name == "captured"]
    rest = "".join(f"<6>[   99.{number:06}] tester: nothing happens\n" for number in range(60))
    alone = [report.title for part in parts for report in parse_reports(part)]
    assert [report.title for report in parse_reports(rest.join(parts))] == alone


def test_a_program_cannot_write_a_report() -> None:
    lines = ["BUG: kernel NULL pointer dereference, address: 0000000000000000", "Oops: 0000 [#1] SMP"]
    assert parse_reports([KmsgRecord(1, 1, 1.0, line) for line in lines]) == ()
    assert len(parse_reports([KmsgRecord(1, 0, 1.0, line) for line in lines])) == 1


def test_a_first_line_alone_is_marked() -> None:
    (report,) = parse_reports("<1>[    1.0] BUG: kernel NULL pointer dereference, address: 0000000000000008\n")
    assert (report.complete, report.function, report.address) == (False, "", 8)
    assert report.title == "NULL pointer dereference"


def test_the_module_named_comes_first() -> None:
    log = (
        read(DATA / "captured" / "null-read.log")[1]
        .replace("(OE)", "")
        .replace(" faulty_run+0x36/0x50 [faulty]", " other+0x36/0x50 [other]")
    )
    assert parse_reports(log)[0].module == "faulty"
    assert parse_reports(log, modules=["other"])[0].function == "other"


def test_what_an_interrupt_interrupted_is_not_to_blame() -> None:
    log = """WARNING: CPU: 1 PID: 311 at net/core/dev.c:10 net_rx_action+0x10/0x20
CPU: 1 PID: 311 Comm: tester Tainted: G           OE      6.6.9 #1
RIP: 0010:net_rx_action+0x10/0x20
Call Trace:
 <IRQ>
 __do_softirq+0xd0/0x2c8
 sysvec_apic_timer_interrupt+0x72/0x90
 </IRQ>
 <TASK>
 asm_sysvec_apic_timer_interrupt+0x1a/0x20
RIP: 0010:innocent+0x5/0x20 [hello]
 hello_init+0x10/0x20 [hello]
 </TASK>
Modules linked in: hello(OE)
"""
    (report,) = parse_reports(log)
    assert (report.title, report.module) == ("WARNING in net_rx_action", "")
    lockup = log.replace(log.split("\n")[0], "watchdog: BUG: soft lockup - CPU#1 stuck for 26s! [tester:311]")
    lockup = lockup.replace("RIP: 0010:net_rx_action+0x10/0x20\n", "")
    assert parse_reports(lockup)[0].title == "BUG: soft lockup in innocent"


def test_return_addresses_and_instruction_pointers_are_told_apart() -> None:
    (report,) = parse_reports(read(DATA / "captured" / "null-read.log")[1])
    assert [frame.exact for frame in report.trace[:3]] == [True, False, False]
    (trap,) = parse_reports(read(DATA / "captured" / "breakpoint.log")[1])
    assert not trap.trace[0].exact, "int3 is a trap: the pointer is behind the instruction"


def test_further_traces_say_who_allocated_and_freed() -> None:
    (report,) = parse_reports(read(DATA / "composed" / "kasan-uaf-read-6.6.log")[1])
    assert [related.title for related in report.related] == ["Allocated by task 305", "Freed by task 309"]
    assert "pond_drain" in [frame.function for frame in report.related[1].trace]


def test_the_dictionary_is_the_contracts() -> None:
    (report,) = parse_reports(read(DATA / "captured" / "null-read.log")[1])
    content = json.loads(json.dumps(report.to_dict()))
    assert list(content) == ["kind", "title", "function", "module", "where", "access", "taint", "trace", "lines"]
    assert list(content["trace"][0]) == ["function", "offset", "module", "file", "line", "inline"]
    assert (content["where"], content["access"], content["taint"]) == (None, "read", "OE")


def test_what_a_log_holds_cannot_steer_a_terminal_or_a_page() -> None:
    log = "Kernel panic - not syncing: <script>alert(1)</script>\x1b[2J\n"
    (report,) = parse_reports(log)
    assert "\x1b" not in str(report)
    assert "<script>" not in report._repr_html_()
    assert "<script>" not in parse_reports(log)._repr_html_()


def test_a_compressed_module_stands_beside_the_captures() -> None:
    assert lzma.decompress((DATA / "captured" / "faulty.ko.xz").read_bytes())[:4] == b"\x7fELF"
